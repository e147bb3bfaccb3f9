"""Whole tracks become somebody else's, in the caller's transaction, which no commit can pass.

Somebody who passes all day has 100,000 observations: nothing here looks through those of tracks that do not move.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, delete, func, select, tuple_, update

from ruid_hub.observations import TrackKey
from ruid_hub.store.rows import Revision
from ruid_hub.store.statements import CAMERA_KEYS, looked_up, same_track, upserts
from ruid_hub.store.tables import appearances, cameras, identities, observations

HOUR_S = 3600.0
LONGEST_PART_S = 3600.0
"""No observation lasts longer."""
TRACKS_AT_ONCE = 500
Track = tuple[int, int, int]
"""The key of its camera, boot epoch and number."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A track, whose it is (several may have a part of it), and from when until when."""

    track: Track
    identity_key: int | None
    first_s: float
    last_s: float


def revise(connection: Connection, revisions: Sequence[Revision]) -> set[int]:
    """Move whole tracks, then mend both identities' times and drop those that have nothing left.

    Of what is said of a track twice the last stands. Returns the hours that are counted otherwise now.
    """
    goals = _goals(connection, dict(revisions))
    held = list(_held(connection, goals))
    keys = _identity_keys(connection, goals, held)
    moves = [
        {"of_camera": camera_key, "of_boot": boot_epoch, "of_track": track_id, "goal": keys[goals[track]]}
        for track in {row.track for row in held}
        for camera_key, boot_epoch, track_id in [track]
    ]
    says = upserts(connection)
    says.move_observations.write(connection, moves)
    says.move_appearances.write(connection, moves)
    hours = {hour for row in held for hour in range(int(row.first_s // HOUR_S), int(row.last_s // HOUR_S) + 1)}
    for identity_key in {row.identity_key for row in held if row.identity_key is not None} | set(keys.values()):
        _mend_identity(connection, identity_key)
        hours.update(_mend_founder(connection, identity_key))
    return hours


def _goals(connection: Connection, identity_ids: Mapping[str, str]) -> dict[Track, str]:
    """Where each track of a known camera goes."""
    tracks = {TrackKey.from_text(text): identity_id for text, identity_id in identity_ids.items()}
    keys = looked_up(connection, CAMERA_KEYS, {track.camera for track in tracks})
    return {
        (keys[track.camera], track.boot_epoch, track.track_id): identity_id
        for track, identity_id in tracks.items()
        if track.camera in keys
    }


def _held(connection: Connection, tracks: Iterable[Track]) -> Iterator[_Held]:
    """Whose these tracks are now: one for each track and owner."""
    track = (observations.c.camera_key, observations.c.boot_epoch, observations.c.track_id)
    query = select(
        *track,
        observations.c.identity_key,
        func.min(observations.c.started_at_s).label("first_s"),
        func.max(observations.c.ended_at_s).label("last_s"),
    ).group_by(*track, observations.c.identity_key)
    left = iter(tracks)
    while some := list(islice(left, TRACKS_AT_ONCE)):
        for *one, identity_key, first_s, last_s in connection.execute(query.where(tuple_(*track).in_(some))):
            yield _Held((one[0], one[1], one[2]), identity_key, first_s, last_s)


def _identity_keys(connection: Connection, goals: Mapping[Track, str], held: Sequence[_Held]) -> dict[str, int]:
    """The keys of those who get tracks, their times widened by these."""
    spans: dict[str, tuple[float, float]] = {}
    for row in held:
        identity_id = goals[row.track]
        first_s, last_s = spans.get(identity_id, (row.first_s, row.last_s))
        spans[identity_id] = (min(first_s, row.first_s), max(last_s, row.last_s))
    values = [
        {"identity_id": identity_id, "first_seen_s": first_s, "last_seen_s": last_s}
        for identity_id, (first_s, last_s) in spans.items()
    ]
    return {identity_id: key for key, identity_id in upserts(connection).identity.write(connection, values)}


def _mend_identity(connection: Connection, identity_key: int) -> None:
    """From the first and the last observation by end; whatever began before the first ended soon after it."""
    own, ended_at_s = observations.c.identity_key == identity_key, observations.c.ended_at_s
    chosen = identities.c.identity_key == identity_key
    first_end_s = connection.scalar(select(func.min(ended_at_s)).where(own))
    if first_end_s is None:
        connection.execute(delete(identities).where(chosen))
        return
    early = ended_at_s <= first_end_s + LONGEST_PART_S
    first_s = connection.scalar(select(func.min(observations.c.started_at_s)).where(own, early))
    last_s = connection.scalar(select(func.max(ended_at_s)).where(own))
    connection.execute(update(identities).where(chosen).values(first_seen_s=first_s, last_seen_s=last_s))


def _mend_founder(connection: Connection, identity_key: int) -> list[int]:
    """Where none of an identity's tracks is the newcomer whom it was made for any more, its first one is.

    Returns the hours of the track that is so from now on.
    """
    held = appearances.c
    own = held.identity_key == identity_key
    if connection.execute(select(held.appearance_id).where(own, held.newcomer).limit(1)).first():
        return []
    first_s = select(func.min(held.first_s)).where(own, held.camera_key == cameras.c.camera_key).scalar_subquery()
    by_camera = select(cameras.c.camera_key, first_s.label("first_s")).subquery()
    earliest = select(by_camera).where(by_camera.c.first_s.is_not(None)).order_by(by_camera.c.first_s)
    place = connection.execute(earliest.limit(1)).first()
    if place is None:
        return []
    there = (own, held.camera_key == place.camera_key, held.first_s == place.first_s)
    first = connection.execute(select(appearances).where(*there).order_by(held.appearance_id).limit(1)).one()
    founding = update(appearances).where(own, same_track(held, first)).values(newcomer=True)
    return list(connection.scalars(founding.returning(held.hour)))
