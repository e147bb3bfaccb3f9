"""The statements of one transaction: revisions, gaps, names. The caller opens and ends it (`batch` writes items)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from ruid_hub.observations import CoverageGap, TrackKey
from ruid_hub.store import statements
from ruid_hub.store.rows import (
    Committed,
    CrossingRow,
    DroppedRow,
    GapRow,
    ObservationRow,
    Revision,
    StayRow,
)
from ruid_hub.store.statements import same_track, upserts
from ruid_hub.store.tables import (
    appearances,
    cameras,
    gaps,
    identities,
    observations,
)

HOUR_S = 3600.0


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
        moved = update(appearances).where(*of_hours).values(identity_key=identity_key, newcomer=False)
        connection.execute(moved)
        hours.update(range(int(span.first_s // HOUR_S), int(span.last_s // HOUR_S) + 1))
    for identity_key in touched:
        _mend_identity(connection, identity_key)
        hours.update(_mend_founder(connection, identity_key))
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
    [(identity_key, _)] = upserts(connection).identity.write(connection, [seen])
    return identity_key


def _mend_identity(connection: Connection, identity_key: int) -> None:
    span = select(func.min(observations.c.started_at_s), func.max(observations.c.ended_at_s))
    first_s, last_s = connection.execute(span.where(observations.c.identity_key == identity_key)).one()
    chosen = identities.c.identity_key == identity_key
    if first_s is None:
        connection.execute(delete(identities).where(chosen))
        return
    connection.execute(update(identities).where(chosen).values(first_seen_s=first_s, last_seen_s=last_s))


def _mend_founder(connection: Connection, identity_key: int) -> list[int]:
    """Where none of an identity's tracks is the newcomer whom it was made for any more, its first one is.

    Returns the hours of the track that is so from now on.
    """
    own = observations.c.identity_key == identity_key
    founders = (
        select(appearances.c.appearance_id)
        .join(observations, same_track(appearances.c, observations.c))
        .where(own, appearances.c.newcomer)
    )
    if connection.execute(founders.limit(1)).first():
        return []
    earliest = select(observations).where(own).order_by(observations.c.started_at_s, observations.c.observation_id)
    first = connection.execute(earliest.limit(1)).first()
    if first is None:
        return []
    founding = update(appearances).where(same_track(appearances.c, first)).values(newcomer=True)
    return list(connection.scalars(founding.returning(appearances.c.hour)))
