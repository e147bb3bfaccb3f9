"""The statements of one transaction: a batch from the nodes, revisions, gaps. The caller opens and ends it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from ruid_hub.observations import Assignment, CoverageGap, Observation, TrackKey
from ruid_hub.store import counts, statements
from ruid_hub.store.rows import (
    CommitOutcome,
    Committed,
    CrossingRow,
    DroppedRow,
    GapRow,
    ObservationRow,
    Revision,
    StayRow,
)
from ruid_hub.store.statements import Upserts, upserts
from ruid_hub.store.tables import (
    appearances,
    cameras,
    gaps,
    identities,
    observations,
)

HOUR_S = 3600.0
NEWCOMER = "new"


@dataclass(slots=True)
class _Batch:
    """Keys met so far in one transaction; it ends with the transaction, so a rollback cannot leave it wrong."""

    connection: Connection
    node_keys: dict[str, int] = field(default_factory=dict[str, int])
    camera_keys: dict[str, int] = field(default_factory=dict[str, int])
    newest: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    ran: dict[tuple[str, int], float] = field(default_factory=dict[tuple[str, int], float])

    @property
    def upserts(self) -> Upserts:
        return upserts(self.connection)

    def node_key(self, node_id: str) -> int:
        if node_id not in self.node_keys:
            self.node_keys[node_id] = _node_key(self.connection, node_id)
        return self.node_keys[node_id]

    def camera_key(self, camera: str, node_key: int) -> int:
        if camera not in self.camera_keys:
            self.camera_keys[camera] = _camera_key(self.connection, camera, node_key)
        return self.camera_keys[camera]

    def received(self, row: Committed) -> None:
        node_id, boot_epoch, seq = _origin(row)
        if isinstance(row, ObservationRow):
            # What comes late from before a restart tells how long the node had been running then.
            seen_s = min(row.observation.ended_at_s, row.observation.received_at_s)
            self.ran[node_id, boot_epoch] = max(self.ran.get((node_id, boot_epoch), seen_s), seen_s)
        self.newest[node_id] = max(self.newest.get(node_id, (boot_epoch, seq)), (boot_epoch, seq))


def write_batch(connection: Connection, rows: Sequence[Committed]) -> CommitOutcome:
    """Write the rows, skip what is there already, and move every node's resume point forward."""
    batch = _Batch(connection)
    written = [_write(batch, row) for row in rows]
    for node_id, point in batch.newest.items():
        _move_resume_point(connection, batch.node_key(node_id), point)
    for (node_id, boot_epoch), at_s in batch.ran.items():
        counts.note_running(connection, batch.node_key(node_id), boot_epoch, at_s)
    stored = sum(key is not None for key in written)
    observation_ids = tuple(
        key if isinstance(row, ObservationRow) else None for key, row in zip(written, rows, strict=True)
    )
    return CommitOutcome(stored, len(rows) - stored, observation_ids)


def hour_of(row: Committed) -> int:
    """The hour (since the Unix epoch) that a row is counted in."""
    match row:
        case ObservationRow(observation):
            return int(observation.started_at_s // HOUR_S)
        case CrossingRow():
            return int(row.at_s // HOUR_S)
        case StayRow():
            return int(row.entered_at_s // HOUR_S)
        case GapRow():
            return int(row.gap.from_s // HOUR_S)
        case DroppedRow():
            return int(row.received_at_s // HOUR_S)


def revise(connection: Connection, revisions: Sequence[Revision]) -> set[int]:
    """Move whole tracks, then mend both identities' times and drop those that have nothing left.

    Returns the hours that are counted otherwise now.
    """
    touched: set[int] = set()
    hours: set[int] = set()
    for track_text, identity_id in revisions:
        of_track = _of_track(observations.c, track_text)
        held = select(
            func.min(observations.c.started_at_s).label("first_s"),
            func.max(observations.c.ended_at_s).label("last_s"),
        )
        span = connection.execute(held.where(*of_track)).one()
        if span.first_s is None:
            continue
        owners = select(observations.c.identity_key).distinct().where(*of_track)
        touched.update(key for key in connection.scalars(owners) if key is not None)
        identity_key = _identity_key(connection, identity_id, span.first_s, span.last_s)
        touched.add(identity_key)
        connection.execute(update(observations).where(*of_track).values(identity_key=identity_key))
        of_hours = _of_track(appearances.c, track_text)
        connection.execute(update(appearances).where(*of_hours).values(identity_key=identity_key))
        hours.update(range(int(span.first_s // HOUR_S), int(span.last_s // HOUR_S) + 1))
    for identity_key in touched:
        _mend_identity(connection, identity_key)
    return hours


def _of_track(columns: Any, track_text: str) -> tuple[ColumnElement[bool], ...]:
    track = TrackKey.from_text(track_text)
    camera_key = select(cameras.c.camera_key).where(cameras.c.camera == track.camera).scalar_subquery()
    return (
        columns.camera_key == camera_key,
        columns.boot_epoch == track.boot_epoch,
        columns.track_id == track.track_id,
    )


def write_hub_gap(connection: Connection, node_id: str, gap: CoverageGap) -> None:
    """A gap without a sequence number: the hub saw it, no node sent it."""
    node_key = _node_key(connection, node_id)
    camera_key = _camera_key(connection, gap.camera, node_key)
    connection.execute(insert(gaps).values(node_key=node_key, **_gap_values(gap, camera_key)))


def write_cameras(connection: Connection, node_id: str, names: Mapping[str, str]) -> None:
    """Insert the cameras or give them their new names."""
    node_key = _node_key(connection, node_id)
    for camera, name in names.items():
        connection.execute(upserts(connection).camera_name, {"node_key": node_key, "camera": camera, "name": name})


# --- one row -------------------------------------------------------------------------------------------


def _write(batch: _Batch, row: Committed) -> int | None:
    """The new row's key, or None for a duplicate."""
    batch.received(row)
    match row:
        case ObservationRow(observation, assignment):
            return _write_observation(batch, observation, assignment)
        case GapRow():
            return _write_gap(batch, row)
        case DroppedRow():
            return _write_dropped(batch, row)
        case CrossingRow():
            return _write_crossing(batch, row)
        case StayRow():
            return _write_stay(batch, row)


def _write_observation(batch: _Batch, seen: Observation, assignment: Assignment | None) -> int | None:
    node_key = batch.node_key(seen.node_id)
    x1, y1, x2, y2 = seen.box_rel
    camera_key = batch.camera_key(seen.track.camera, node_key)
    observation_id = batch.connection.scalar(
        batch.upserts.observation,
        {
            "node_key": node_key,
            "boot_epoch": seen.boot_epoch,
            "seq": seen.seq,
            "camera_key": camera_key,
            "track_id": seen.track.track_id,
            "part": seen.part,
            "final": seen.final,
            "started_at_s": seen.started_at_s,
            "ended_at_s": seen.ended_at_s,
            "grabbed_at_s": seen.grabbed_at_s,
            "received_at_s": seen.received_at_s,
            "x1_rel": x1,
            "y1_rel": y1,
            "x2_rel": x2,
            "y2_rel": y2,
            "frames": seen.frames,
        },
    )
    if observation_id is None:
        return None
    _write_evidence(batch.connection, observation_id, seen)
    identity_key = None
    if assignment is not None:
        identity_key = _write_assignment(batch.connection, observation_id, seen, assignment)
    _write_appearance(batch, camera_key, seen, assignment, identity_key)
    return observation_id


def _write_evidence(connection: Connection, observation_id: int, seen: Observation) -> None:
    # A node's clock may be ahead: what claims to come from the future expires by its arrival.
    taken_at_s = min(seen.ended_at_s, seen.received_at_s)
    key = {"observation_id": observation_id, "taken_at_s": taken_at_s}
    if seen.embeddings.size:
        evidence = {
            "model_id": seen.embedding_model_id,
            "dim": seen.embeddings.shape[1],
            "embeddings_f16": seen.embeddings.astype("<f2").tobytes(),
            "qualities_f16": seen.qualities.astype("<f2").tobytes(),
        }
        connection.execute(statements.INSERT_EMBEDDINGS, key | evidence)
    if seen.thumbnail_jpeg:
        connection.execute(statements.INSERT_THUMBNAIL, key | {"jpeg": seen.thumbnail_jpeg})


def _write_assignment(connection: Connection, observation_id: int, seen: Observation, assignment: Assignment) -> int:
    identity_key = _identity_key(connection, assignment.identity_id, seen.started_at_s, seen.ended_at_s)
    connection.execute(
        statements.ASSIGN,
        {
            "chosen_id": observation_id,
            "identity": identity_key,
            "state": assignment.state,
            "probability": assignment.probability,
        },
    )
    return identity_key


def _write_appearance(
    batch: _Batch, camera_key: int, seen: Observation, assignment: Assignment | None, identity_key: int | None
) -> None:
    """Keep the hour's account of a track in step with its observations: every count is made from it."""
    batch.connection.execute(
        batch.upserts.appearance,
        {
            "camera_key": camera_key,
            "boot_epoch": seen.boot_epoch,
            "track_id": seen.track.track_id,
            "hour": int(seen.started_at_s // HOUR_S),
            "first_s": seen.started_at_s,
            "last_s": seen.ended_at_s,
            "identity_key": identity_key,
            "probability": assignment.probability if assignment else None,
            "newcomer": assignment is not None and assignment.state == NEWCOMER,
            "begins": seen.part == 0,
        },
    )


def _write_gap(batch: _Batch, row: GapRow) -> int | None:
    node_key = batch.node_key(row.node_id)
    camera_key = batch.camera_key(row.gap.camera, node_key)
    return batch.connection.scalar(
        batch.upserts.gap,
        {
            "node_key": node_key,
            "boot_epoch": row.boot_epoch,
            "seq": row.seq,
            **_gap_values(row.gap, camera_key),
        },
    )


def _write_crossing(batch: _Batch, row: CrossingRow) -> int | None:
    node_key = batch.node_key(row.node_id)
    return batch.connection.scalar(
        batch.upserts.crossing,
        {
            "node_key": node_key,
            "boot_epoch": row.boot_epoch,
            "seq": row.seq,
            "camera_key": batch.camera_key(row.track.camera, node_key),
            "track_id": row.track.track_id,
            "line_id": row.line_id,
            "direction": row.direction,
            "at_s": row.at_s,
        },
    )


def _write_stay(batch: _Batch, row: StayRow) -> int | None:
    node_key = batch.node_key(row.node_id)
    return batch.connection.scalar(
        batch.upserts.stay,
        {
            "node_key": node_key,
            "boot_epoch": row.boot_epoch,
            "seq": row.seq,
            "camera_key": batch.camera_key(row.track.camera, node_key),
            "track_id": row.track.track_id,
            "zone_id": row.zone_id,
            "stay": row.stay,
            "entered_at_s": row.entered_at_s,
            "left_at_s": row.left_at_s,
            "final": row.final,
        },
    )


def _write_dropped(batch: _Batch, row: DroppedRow) -> int | None:
    return batch.connection.scalar(
        batch.upserts.drop,
        {
            "node_key": batch.node_key(row.node_id),
            "boot_epoch": row.boot_epoch,
            "seq": row.seq,
            "reason": row.reason,
            "first_seq": row.first_seq,
            "last_seq": row.last_seq,
            "items": row.items,
            "received_at_s": row.received_at_s,
        },
    )


# --- keys and small parts ------------------------------------------------------------------------------


def _origin(row: Committed) -> tuple[str, int, int]:
    if isinstance(row, ObservationRow):
        return row.observation.node_id, row.observation.boot_epoch, row.observation.seq
    return row.node_id, row.boot_epoch, row.seq


def _gap_values(gap: CoverageGap, camera_key: int) -> dict[str, Any]:
    return {"camera_key": camera_key, "from_s": gap.from_s, "to_s": gap.to_s, "reason": gap.reason}


def _node_key(connection: Connection, node_id: str) -> int:
    connection.execute(upserts(connection).node, {"node_id": node_id})
    return connection.execute(statements.NODE_KEY, {"node_id": node_id}).scalar_one()


def _camera_key(connection: Connection, camera: str, node_key: int) -> int:
    """A camera that no hello has named yet goes by its id."""
    name = camera.rpartition("/")[2]
    connection.execute(upserts(connection).camera, {"node_key": node_key, "camera": camera, "name": name})
    return connection.execute(statements.CAMERA_KEY, {"camera": camera}).scalar_one()


def _identity_key(connection: Connection, identity_id: str, first_s: float, last_s: float) -> int:
    seen = {"identity_id": identity_id, "first_seen_s": first_s, "last_seen_s": last_s}
    return connection.execute(upserts(connection).identity, seen).scalar_one()


def _move_resume_point(connection: Connection, node_key: int, point: tuple[int, int]) -> None:
    boot_epoch, seq = point
    connection.execute(statements.MOVE_RESUME_POINT, {"chosen_key": node_key, "boot_epoch": boot_epoch, "seq": seq})


def _mend_identity(connection: Connection, identity_key: int) -> None:
    span = select(func.min(observations.c.started_at_s), func.max(observations.c.ended_at_s))
    first_s, last_s = connection.execute(span.where(observations.c.identity_key == identity_key)).one()
    chosen = identities.c.identity_key == identity_key
    if first_s is None:
        connection.execute(delete(identities).where(chosen))
        return
    connection.execute(update(identities).where(chosen).values(first_seen_s=first_s, last_seen_s=last_s))
