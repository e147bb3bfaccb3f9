"""A batch from the nodes in one transaction: a few statements for each table, however many rows there are.

What is there already is skipped. The caller opens and ends the transaction; all keys are looked up anew in each, so
a rollback cannot leave one behind that is wrong.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable

from ruid_hub.observations import Assignment, Observation
from ruid_hub.store import statements
from ruid_hub.store.counts import HOUR_S
from ruid_hub.store.rows import (
    Arrival,
    CommitOutcome,
    Committed,
    CrossingRow,
    DroppedRow,
    GapRow,
    ObservationRow,
    StayRow,
)
from ruid_hub.store.statements import Upserts, upserts

NEWCOMER = "new"
DOUBTFUL = frozenset({"pending", "uncertain"})

Number = tuple[int, int, int]
"""Node key, boot epoch and sequence number: what an item is known by for ever."""
Values = dict[str, Any]
_Row = TypeVar("_Row", bound=Committed)


def write_batch(connection: Connection, rows: Sequence[Committed]) -> CommitOutcome:
    """Write the rows, skip what is there already, and move every node's resume point forward."""
    if not rows:
        return CommitOutcome(0, 0)
    batch = _Batch.of(connection, rows)
    fresh = {
        ObservationRow: batch.write_observations(_of_kind(rows, ObservationRow)),
        GapRow: batch.write_once(batch.upserts.gap, _of_kind(rows, GapRow), batch.gap_values),
        DroppedRow: batch.write_once(batch.upserts.drop, _of_kind(rows, DroppedRow), batch.dropped_values),
        CrossingRow: batch.write_once(batch.upserts.crossing, _of_kind(rows, CrossingRow), batch.crossing_values),
        StayRow: batch.write_stays(_of_kind(rows, StayRow)),
    }
    batch.move_resume_points(rows)
    batch.note_running(_of_kind(rows, ObservationRow))
    # Whoever comes first with a number has it: the same once more in this batch finds it taken.
    written = [fresh[type(row)].pop(batch.number(row), None) for row in rows]
    stored = sum(key is not None for key in written)
    observation_ids = tuple(
        key if isinstance(row, ObservationRow) else None for key, row in zip(written, rows, strict=True)
    )
    return CommitOutcome(stored, len(rows) - stored, observation_ids)


def write_arrivals(connection: Connection, arrivals: Sequence[Arrival]) -> None:
    """Keep which nodes run and what their cameras are called; of what is told of one twice the last stands."""
    says = upserts(connection)
    node_keys = _node_keys(connection, says, {arrival.node_id for arrival in arrivals})
    names = [
        {"node_key": node_keys[arrival.node_id], "camera": camera, "name": name}
        for arrival in arrivals
        for camera, name in arrival.cameras.items()
    ]
    ran = [
        _boot_values((node_keys[arrival.node_id], arrival.boot_epoch), arrival.at_s)
        for arrival in arrivals
        if arrival.boot_epoch is not None
    ]
    for statement, values in ((says.camera_name, names), (says.boot, ran)):
        if values:
            connection.execute(statement, values)


@dataclass(frozen=True, slots=True)
class _Batch:
    """The keys of the nodes and cameras of one transaction's rows, and what is written with them."""

    connection: Connection
    upserts: Upserts
    node_keys: dict[str, int]
    camera_keys: dict[str, int]

    @classmethod
    def of(cls, connection: Connection, rows: Sequence[Committed]) -> "_Batch":
        says = upserts(connection)
        node_keys = _node_keys(connection, says, {origin(row)[0] for row in rows})
        homes = {camera: origin(row)[0] for row in rows if (camera := _camera_of(row))}
        return cls(connection, says, node_keys, _camera_keys(connection, says, homes, node_keys))

    def number(self, row: Committed) -> Number:
        node_id, boot_epoch, seq = origin(row)
        return self.node_keys[node_id], boot_epoch, seq

    def numbered(self, row: Committed) -> Values:
        node_key, boot_epoch, seq = self.number(row)
        return {"node_key": node_key, "boot_epoch": boot_epoch, "seq": seq}

    def insert(self, statement: Executable, values: Sequence[Values]) -> dict[Number, int]:
        """Insert what is not there yet; return the new rows' keys by number."""
        inserted = self.connection.execute(statement, values) if values else ()
        return {(node_key, boot_epoch, seq): key for key, node_key, boot_epoch, seq in inserted}

    def write_once(self, statement: Executable, rows: Sequence[_Row], values_of: Any) -> dict[Number, int]:
        return self.insert(statement, [self.numbered(row) | values_of(row) for row in rows])

    # --- tracklets -------------------------------------------------------------------------------------

    def write_observations(self, rows: Sequence[ObservationRow]) -> dict[Number, int]:
        fresh = self.write_once(self.upserts.observation, rows, self.observation_values)
        first = {self.number(row): row for row in reversed(rows)}
        new = [(fresh[number], row) for number, row in first.items() if number in fresh]
        new.sort(key=lambda written: written[0])
        self._write_all(statements.INSERT_EMBEDDINGS, filter(None, (_embeddings_values(*written) for written in new)))
        self._write_all(statements.INSERT_THUMBNAIL, filter(None, (_thumbnail_values(*written) for written in new)))
        identity_keys = self._identity_keys(row for _, row in new)
        self._write_all(statements.ASSIGN, _assignment_values(new, identity_keys))
        # Row by row, in order: a track has one appearance for all its parts of an hour.
        self._write_all(self.upserts.appearance, (self._appearance_values(*written, identity_keys) for written in new))
        return fresh

    def observation_values(self, row: ObservationRow) -> Values:
        seen = row.observation
        x1, y1, x2, y2 = seen.box_rel
        return {
            "camera_key": self.camera_keys[seen.track.camera],
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
        }

    def _identity_keys(self, rows: Iterable[ObservationRow]) -> dict[str, int]:
        """The keys of everybody who was seen, their times widened by what was seen of them."""
        spans: dict[str, tuple[float, float]] = {}
        for row in rows:
            if row.assignment is None:
                continue
            seen, identity_id = row.observation, row.assignment.identity_id
            first_s, last_s = spans.get(identity_id, (seen.started_at_s, seen.ended_at_s))
            spans[identity_id] = (min(first_s, seen.started_at_s), max(last_s, seen.ended_at_s))
        values = [
            {"identity_id": identity_id, "first_seen_s": first_s, "last_seen_s": last_s}
            for identity_id, (first_s, last_s) in spans.items()
        ]
        widened = self.connection.execute(self.upserts.identity, values) if values else ()
        return {identity_id: identity_key for identity_key, identity_id in widened}

    def _appearance_values(self, observation_id: int, row: ObservationRow, identity_keys: dict[str, int]) -> Values:
        """Keep the hour's account of a track in step with its observations: every count is made from it."""
        seen, assignment = row.observation, row.assignment
        return {
            "camera_key": self.camera_keys[seen.track.camera],
            "boot_epoch": seen.boot_epoch,
            "track_id": seen.track.track_id,
            "hour": int(seen.started_at_s // HOUR_S),
            "first_s": seen.started_at_s,
            "last_s": seen.ended_at_s,
            "identity_key": identity_keys[assignment.identity_id] if assignment else None,
            "probability": assignment.probability if assignment else None,
            "begins": seen.part == 0,
            "told_new": assignment is not None and assignment.state == NEWCOMER,
            "told_doubtfully": assignment is not None and assignment.state in DOUBTFUL,
            "told_by": observation_id,
        }

    # --- what counts -----------------------------------------------------------------------------------

    def gap_values(self, row: GapRow) -> Values:
        gap = row.gap
        camera_key = self.camera_keys[gap.camera]
        return {"camera_key": camera_key, "from_s": gap.from_s, "to_s": gap.to_s, "reason": gap.reason}

    def crossing_values(self, row: CrossingRow) -> Values:
        return {
            "camera_key": self.camera_keys[row.track.camera],
            "track_id": row.track.track_id,
            "line_id": row.line_id,
            "direction": row.direction,
            "at_s": row.at_s,
        }

    @staticmethod
    def dropped_values(row: DroppedRow) -> Values:
        return {
            "reason": row.reason,
            "first_seq": row.first_seq,
            "last_seq": row.last_seq,
            "items": row.items,
            "received_at_s": row.received_at_s,
        }

    def write_stays(self, rows: Sequence[StayRow]) -> dict[Number, int]:
        """One at a time: a later item of a batch replaces an earlier one of the same stay."""
        written: dict[Number, int] = {}
        for row in rows:
            values = {
                "camera_key": self.camera_keys[row.track.camera],
                "track_id": row.track.track_id,
                "zone_id": row.zone_id,
                "stay": row.stay,
                "entered_at_s": row.entered_at_s,
                "left_at_s": row.left_at_s,
                "final": row.final,
            }
            stay_key = self.connection.scalar(self.upserts.stay, self.numbered(row) | values)
            if stay_key is not None:
                written[self.number(row)] = stay_key
        return written

    # --- nodes -----------------------------------------------------------------------------------------

    def move_resume_points(self, rows: Sequence[Committed]) -> None:
        newest: dict[int, tuple[int, int]] = {}
        for row in rows:
            node_key, *point = self.number(row)
            newest[node_key] = max(newest.get(node_key, (-1, -1)), (point[0], point[1]))
        self._write_all(
            statements.MOVE_RESUME_POINT,
            ({"chosen_key": key, "boot_epoch": boot, "seq": seq} for key, (boot, seq) in newest.items()),
        )

    def note_running(self, rows: Sequence[ObservationRow]) -> None:
        """What comes late from before a restart tells how long the node had been running then."""
        ran: dict[tuple[int, int], float] = {}
        for row in rows:
            seen = row.observation
            boot, seen_s = self.number(row)[:2], min(seen.ended_at_s, seen.received_at_s)
            ran[boot] = max(ran.get(boot, seen_s), seen_s)
        self._write_all(
            self.upserts.boot,
            (_boot_values(boot, at_s) for boot, at_s in ran.items()),
        )

    def _write_all(self, statement: Executable, values: Iterable[Values]) -> None:
        if listed := list(values):
            self.connection.execute(statement, listed)


def origin(row: Committed) -> tuple[str, int, int]:
    """Node, boot epoch and sequence number of the item that a row is made of."""
    if isinstance(row, ObservationRow):
        return row.observation.node_id, row.observation.boot_epoch, row.observation.seq
    return row.node_id, row.boot_epoch, row.seq


def _of_kind(rows: Iterable[Committed], kind: type[_Row]) -> list[_Row]:
    return [row for row in rows if isinstance(row, kind)]


def _camera_of(row: Committed) -> str:
    match row:
        case ObservationRow(observation):
            return observation.track.camera
        case GapRow():
            return row.gap.camera
        case CrossingRow() | StayRow():
            return row.track.camera
        case DroppedRow():
            return ""


def _node_keys(connection: Connection, says: Upserts, node_ids: set[str]) -> dict[str, int]:
    known = _known(connection, statements.NODE_KEYS, node_ids)
    if missing := sorted(node_ids - known.keys()):
        connection.execute(says.node, [{"node_id": node_id} for node_id in missing])
        known |= _known(connection, statements.NODE_KEYS, missing)
    return known


def _camera_keys(
    connection: Connection, says: Upserts, homes: dict[str, str], node_keys: dict[str, int]
) -> dict[str, int]:
    """A camera that no hello has named yet goes by its id."""
    known = _known(connection, statements.CAMERA_KEYS, homes)
    if missing := sorted(homes.keys() - known.keys()):
        values = [
            {"node_key": node_keys[homes[camera]], "camera": camera, "name": camera.rpartition("/")[2]}
            for camera in missing
        ]
        connection.execute(says.camera, values)
        known |= _known(connection, statements.CAMERA_KEYS, missing)
    return known


def _known(connection: Connection, statement: Executable, names: Iterable[str]) -> dict[str, int]:
    """The keys of the names that are there. Few lengths of lists, because each is a statement that is kept prepared."""
    listed = sorted(names)
    padding = listed[-1:] * ((1 << max(0, len(listed) - 1).bit_length()) - len(listed))
    return {name: key for name, key in connection.execute(statement, {"names": listed + padding})}


def _boot_values(boot: tuple[int, int], at_s: float) -> Values:
    node_key, boot_epoch = boot
    return {"node_key": node_key, "boot_epoch": boot_epoch, "started_at_s": at_s, "heard_at_s": at_s}


def _embeddings_values(observation_id: int, row: ObservationRow) -> Values | None:
    seen = row.observation
    if not seen.embeddings.size:
        return None
    return {
        "observation_id": observation_id,
        "taken_at_s": _taken_at_s(seen),
        "model_id": seen.embedding_model_id,
        "dim": seen.embeddings.shape[1],
        "embeddings_f16": seen.embeddings.astype("<f2").tobytes(),
        "qualities_f16": seen.qualities.astype("<f2").tobytes(),
    }


def _thumbnail_values(observation_id: int, row: ObservationRow) -> Values | None:
    seen = row.observation
    if not seen.thumbnail_jpeg:
        return None
    return {"observation_id": observation_id, "taken_at_s": _taken_at_s(seen), "jpeg": seen.thumbnail_jpeg}


def _taken_at_s(seen: Observation) -> float:
    # A node's clock may be ahead: what claims to come from the future expires by its arrival.
    return min(seen.ended_at_s, seen.received_at_s)


def _assignment_values(new: Iterable[tuple[int, ObservationRow]], identity_keys: dict[str, int]) -> Iterable[Values]:
    assigned: list[tuple[int, Assignment]] = [
        (observation_id, row.assignment) for observation_id, row in new if row.assignment is not None
    ]
    return [
        {
            "chosen_id": observation_id,
            "identity": identity_keys[assignment.identity_id],
            "state": assignment.state,
            "probability": assignment.probability,
        }
        for observation_id, assignment in assigned
    ]
