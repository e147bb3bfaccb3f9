"""What the operator's hand reads and writes; every function works within the caller's transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, or_, select, update

from ruid_hub.cards import KnownPerson
from ruid_hub.observations import TrackKey
from ruid_hub.store import queries, revising
from ruid_hub.store.by_person import LONGEST_ACCOUNT_S
from ruid_hub.store.statements import CAMERA_KEYS, looked_up, same_track
from ruid_hub.store.tables import cameras, embeddings, identities, observations, thumbnails
from ruid_hub.store.tables.counts import appearances
from ruid_hub.store.tables.hand import former_identities, operations

HOUR_S = 3600.0
MOST_FORMER = 200
"""Former identities told of one track; what went before is left out."""


@dataclass(frozen=True, slots=True)
class OperationRow:
    """An operation as it is kept; `correction` is JSON."""

    operation_id: int
    kind: str
    actor: str
    at_s: float
    identity_id: str
    other_id: str | None
    text: str
    correction: str | None
    undone_at_s: float | None
    undone_by: str | None


@dataclass(frozen=True, slots=True)
class FormerRow:
    """Whom a track belonged to, until when, and why no longer."""

    identity_id: str
    until_s: float
    cause: str


@dataclass(frozen=True, slots=True)
class ErasedRows:
    """How many rows were erased, or lost their person."""

    observations: int
    embeddings: int
    thumbnails: int


# --- operations ------------------------------------------------------------------------------------------------


def record_operation(connection: Connection, **values: object) -> int:
    """Keep an operation; the columns of `operations` but its id, which is returned."""
    return connection.execute(insert(operations).values(**values).returning(operations.c.operation_id)).scalar_one()


def mark_undone(connection: Connection, operation_id: int, *, at_s: float, by: str) -> None:
    """The operation is undone."""
    chosen = operations.c.operation_id == operation_id
    connection.execute(update(operations).where(chosen).values(undone_at_s=at_s, undone_by=by))


def operation(connection: Connection, operation_id: int) -> OperationRow | None:
    """One operation."""
    row = connection.execute(select(operations).where(operations.c.operation_id == operation_id)).one_or_none()
    return None if row is None else _operation(row)


def recent_operations(connection: Connection, *, limit: int, before: int | None) -> list[OperationRow]:
    """The last operations, or the last before one, newest first."""
    query = select(operations).order_by(operations.c.operation_id.desc()).limit(limit)
    if before is not None:
        query = query.where(operations.c.operation_id < before)
    return _operations(connection, query)


def standing_operations(connection: Connection, *, after: int = 0) -> list[OperationRow]:
    """What was not undone and can still be held to, oldest first."""
    stands = operations.c.undone_at_s.is_(None) & operations.c.correction.is_not(None)
    query = select(operations).where(stands, operations.c.operation_id > after)
    return _operations(connection, query.order_by(operations.c.operation_id))


def rewrite_operation(connection: Connection, operation_id: int, *, text: str, correction: str | None) -> None:
    """Take out of an operation what has been erased."""
    chosen = operations.c.operation_id == operation_id
    connection.execute(update(operations).where(chosen).values(text=text, correction=correction))


def operations_about(connection: Connection, identity_id: str) -> list[OperationRow]:
    """Every operation about somebody, oldest first."""
    about = or_(operations.c.identity_id == identity_id, operations.c.other_id == identity_id)
    return _operations(connection, select(operations).where(about).order_by(operations.c.operation_id))


# --- people ----------------------------------------------------------------------------------------------------


def move_tracks(connection: Connection, moves: Sequence[tuple[str, str]]) -> set[int]:
    """Give tracks (as text) to identities; returns the hours that are counted otherwise now."""
    return revising.revise(connection, moves)


def set_label(connection: Connection, identity_id: str, label: str | None) -> None:
    """Name an identity, if there is one."""
    connection.execute(update(identities).where(identities.c.identity_id == identity_id).values(label=label))


def labels(connection: Connection) -> dict[str, str]:
    """The names that operators gave."""
    query = select(identities.c.identity_id, identities.c.label).where(identities.c.label.is_not(None))
    return {row.identity_id: row.label for row in connection.execute(query)}


def exists(connection: Connection, identity_id: str) -> bool:
    """Whether anybody has this identity_id."""
    query = select(identities.c.identity_key).where(identities.c.identity_id == identity_id)
    return connection.scalar(query) is not None


def label_of(connection: Connection, identity_id: str) -> str | None:
    """The name that an operator gave to an identity."""
    return connection.scalar(select(identities.c.label).where(identities.c.identity_id == identity_id))


def people(connection: Connection, identity_ids: Iterable[str]) -> list[KnownPerson]:
    """Those of these identities that there are, as cards show them."""
    return queries.known_people(connection, list(identity_ids))


def tracks_of(connection: Connection, identity_id: str) -> list[str]:
    """Every track of a person, as text, of which anything is kept."""
    query = (
        select(cameras.c.camera, observations.c.boot_epoch, observations.c.track_id)
        .distinct()
        .join(cameras, cameras.c.camera_key == observations.c.camera_key)
        .join(identities, identities.c.identity_key == observations.c.identity_key)
        .where(identities.c.identity_id == identity_id)
    )
    return [str(TrackKey(*row)) for row in connection.execute(query)]


def in_view_together(connection: Connection, one_id: str, other_id: str) -> bool:
    """Whether one camera ever had both in view at a time, by the hours' accounts of their tracks."""
    one, other = appearances.alias(), appearances.alias()
    keys = [
        select(identities.c.identity_key).where(identities.c.identity_id == name).scalar_subquery()
        for name in (one_id, other_id)
    ]
    # Bounded on both sides, so that the index leads to the few that may overlap.
    beside = and_(
        other.c.identity_key == keys[1],
        other.c.camera_key == one.c.camera_key,
        other.c.first_s <= one.c.last_s,
        other.c.first_s >= one.c.first_s - LONGEST_ACCOUNT_S,
        other.c.last_s >= one.c.first_s,
    )
    query = select(one.c.appearance_id).join_from(one, other, beside).where(one.c.identity_key == keys[0])
    return connection.execute(query.limit(1)).first() is not None


def merged_into(connection: Connection, identity_id: str) -> list[str]:
    """Those who are no longer there, and whose tracks are this person's now: the same person under other names."""
    former, one = former_identities.c, identities.alias()
    theirs = (
        select(observations.c.observation_id)
        .join(identities, identities.c.identity_key == observations.c.identity_key)
        .where(identities.c.identity_id == identity_id, same_track(observations.c, former))
    )
    there = select(one.c.identity_key).where(one.c.identity_id == former.identity_id)
    return list(connection.scalars(select(former.identity_id).distinct().where(theirs.exists(), ~there.exists())))


def erase_person(connection: Connection, identity_id: str, merged: Sequence[str] = ()) -> tuple[ErasedRows, set[int]]:
    """Delete what a person looked like and who it was, under those names too that were `merged` into this one.

    Returns the hours that are counted otherwise now.
    Rows stay without a person; appearances keep a negative key, which is one person to count and nothing more.
    """
    key = connection.scalar(select(identities.c.identity_key).where(identities.c.identity_id == identity_id))
    own = observations.c.identity_key == key
    ids = select(observations.c.observation_id).where(own)
    span = connection.execute(
        select(func.min(observations.c.started_at_s), func.max(observations.c.ended_at_s)).where(own)
    ).one()
    gone = [
        connection.execute(delete(table).where(table.c.observation_id.in_(ids))).rowcount
        for table in (embeddings, thumbnails)
    ]
    names = former_identities.c.identity_id.in_([identity_id, *merged])
    connection.execute(delete(former_identities).where(names))
    # Not the key itself turned negative: a database may give a key again.
    lowest = connection.scalar(select(func.min(appearances.c.identity_key))) or 0
    anonymous = min(lowest, 0) - 1
    connection.execute(update(appearances).where(appearances.c.identity_key == key).values(identity_key=anonymous))
    nobody = {"identity_key": None, "assignment_state": None, "assignment_probability": None}
    rows = connection.execute(update(observations).where(own).values(**nobody)).rowcount
    connection.execute(delete(identities).where(identities.c.identity_key == key))
    first_s, last_s = span
    hours: set[int] = set()
    if first_s is not None:
        hours.update(range(int(first_s // HOUR_S), int(last_s // HOUR_S) + 1))
    return ErasedRows(rows, *gone), hours


# --- whom tracks belonged to -----------------------------------------------------------------------------------


def note_former(connection: Connection, moves: Sequence[tuple[str, str]], *, until_s: float, cause: str) -> None:
    """Keep whom tracks (as text) belonged to until now."""
    tracks = [(TrackKey.from_text(text), identity_id) for text, identity_id in moves]
    keys = looked_up(connection, CAMERA_KEYS, {track.camera for track, _ in tracks})
    former = [
        {
            "camera_key": keys[track.camera],
            "boot_epoch": track.boot_epoch,
            "track_id": track.track_id,
            "identity_id": identity_id,
            "until_s": until_s,
            "cause": cause,
        }
        for track, identity_id in tracks
        if track.camera in keys
    ]
    if former:
        connection.execute(insert(former_identities), former)


def former_of(connection: Connection, track: TrackKey) -> list[FormerRow]:
    """Whom a track belonged to, oldest first."""
    query = (
        select(former_identities.c.identity_id, former_identities.c.until_s, former_identities.c.cause)
        .join(cameras, cameras.c.camera_key == former_identities.c.camera_key)
        .where(
            cameras.c.camera == track.camera,
            former_identities.c.boot_epoch == track.boot_epoch,
            former_identities.c.track_id == track.track_id,
        )
        .order_by(former_identities.c.former_key.desc())
        .limit(MOST_FORMER)
    )
    return [FormerRow(row.identity_id, row.until_s, row.cause) for row in connection.execute(query)][::-1]


def forget_former(connection: Connection, before_s: float) -> int:
    """Remove what is older; how many rows went."""
    return connection.execute(delete(former_identities).where(former_identities.c.until_s < before_s)).rowcount


def _operations(connection: Connection, query: Select[tuple[object, ...]]) -> list[OperationRow]:
    return [_operation(row) for row in connection.execute(query)]


def _operation(row: Row[tuple[object, ...]]) -> OperationRow:
    return OperationRow(**row._mapping)  # pyright: ignore[reportArgumentType, reportPrivateUsage]
