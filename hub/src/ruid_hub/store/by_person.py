"""What is read of single people, whose regulars have a hundred thousand observations: none of it looks through them.

Where somebody was, and how often, comes from the hours' accounts (`appearances`), by their index alone. The newest
tracks and pictures are found from the newest observation backwards.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, func, select, tuple_

from ruid_hub.store.statements import same_track
from ruid_hub.store.tables import appearances, cameras, identities, observations, thumbnails

LONGEST_ACCOUNT_S = 2 * 3600.0
"""From the beginning of an hour's account of a track to the end of the last part in it, at the most."""
LATEST = 500
"""A person's observations among which the newest picture is looked for."""


def visited(connection: Connection, identity_keys: Sequence[int]) -> dict[int, list[tuple[str, int]]]:
    """(camera, tracks) of each identity, in the order of first sight.

    A track counts where its first part was; a camera that only ever delivered later parts counts as one.
    """
    held = appearances.c
    places = (
        select(
            held.identity_key,
            held.camera_key,
            func.count().filter(held.begins).label("tracks"),
            func.min(held.first_s).label("first_s"),
        )
        .where(held.identity_key.in_(identity_keys), _in_history())
        .group_by(held.identity_key, held.camera_key)
        .subquery()
    )
    query = (
        select(places.c.identity_key, cameras.c.camera, places.c.tracks)
        .join(cameras, cameras.c.camera_key == places.c.camera_key)
        .order_by(places.c.first_s, cameras.c.camera)
    )
    found: dict[int, list[tuple[str, int]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.identity_key, []).append((row.camera, max(row.tracks, 1)))
    return found


def cameras_of(connection: Connection, identity_id: str) -> list[str]:
    """Every camera that has seen a person."""
    key = select(identities.c.identity_key).where(identities.c.identity_id == identity_id).scalar_subquery()
    held = appearances.c
    there = exists().where(held.identity_key == key, held.camera_key == cameras.c.camera_key, _in_history())
    return list(connection.scalars(select(cameras.c.camera).where(there)))


def seen_by(
    names: Sequence[str] | None, *, since_s: float | None = None, until_s: float | None = None
) -> ColumnElement[bool]:
    """Whether one of these cameras, or any, has seen the identity of the query around it between two times."""
    held = appearances.c
    conditions = [held.identity_key == identities.c.identity_key, _in_history()]
    if names is not None:
        conditions.append(held.camera_key.in_(select(cameras.c.camera_key).where(cameras.c.camera.in_(names))))
    if since_s is not None:
        conditions += [held.last_s >= since_s, held.first_s >= since_s - LONGEST_ACCOUNT_S]
    if until_s is not None:
        conditions.append(held.first_s <= until_s)
    return exists().where(*conditions)


def seen_by_several() -> ColumnElement[bool]:
    """Whether more than one camera has seen the identity of the query around it."""
    cameras_held = [
        select(end(appearances.c.camera_key))
        .where(appearances.c.identity_key == identities.c.identity_key, _in_history())
        .scalar_subquery()
        for end in (func.min, func.max)
    ]
    return cameras_held[0] < cameras_held[1]


def newest_pictures(connection: Connection, identity_keys: Sequence[int]) -> dict[int, int]:
    """The observation of the newest picture of each identity that has one among its `LATEST` observations."""
    # Older observations have none: nobody needs to look there.
    oldest_s = select(func.min(thumbnails.c.taken_at_s)).scalar_subquery()
    latest = (
        select(observations.c.observation_id, observations.c.ended_at_s)
        .where(observations.c.identity_key == identities.c.identity_key, observations.c.ended_at_s >= oldest_s)
        .order_by(observations.c.ended_at_s.desc(), observations.c.observation_id.desc())
        .limit(LATEST)
        .correlate(identities)
        .subquery()
    )
    newest = (
        select(latest.c.observation_id)
        .join(thumbnails, thumbnails.c.observation_id == latest.c.observation_id)
        .order_by(latest.c.ended_at_s.desc(), latest.c.observation_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = select(identities.c.identity_key, newest).where(identities.c.identity_key.in_(identity_keys))
    return {key: observation_id for key, observation_id in connection.execute(query) if observation_id is not None}


def newest_tracks(
    connection: Connection,
    identity_key: Any,
    *,
    limit: int,
    before_s: float | None = None,
    after: tuple[float, int] | None = None,
) -> Sequence[Row[Any]]:
    """The last observation of each of a person's tracks, the newest first, that ended before a time.

    A list goes on `after` the end and the observation_id of its last one: several may end at one moment.

    Each has the name of its `camera`, `first_s`, when the track began, and the `thumbnail_id` of its newest picture.
    """
    query: Select[Any] = (
        select(observations, cameras.c.camera, _first_s().label("first_s"), _picture().label("thumbnail_id"))
        .join(cameras, cameras.c.camera_key == observations.c.camera_key)
        .where(observations.c.identity_key == identity_key, ~_superseded())
        .order_by(observations.c.ended_at_s.desc(), observations.c.observation_id.desc())
        .limit(limit)
    )
    if before_s is not None:
        query = query.where(observations.c.ended_at_s < before_s)
    if after is not None:
        query = query.where(_moment(observations.c) < tuple_(*after))
    return connection.execute(query).all()


def _in_history() -> ColumnElement[bool]:
    """Whether an account is of a time whose observations are still kept: counts are kept for longer."""
    oldest_s = select(func.min(observations.c.ended_at_s)).scalar_subquery()
    return appearances.c.first_s >= oldest_s - LONGEST_ACCOUNT_S


def _superseded() -> ColumnElement[bool]:
    """Whether the person's same track has a later observation."""
    later = observations.alias("later")
    return exists().where(_same_sighting(later.c), _moment(later.c) > _moment(observations.c))


def _first_s() -> ColumnElement[float]:
    part = observations.alias("part")
    return select(func.min(part.c.started_at_s)).where(_same_sighting(part.c)).scalar_subquery()


def _picture() -> ColumnElement[int]:
    part = observations.alias("part")
    pictures = select(func.max(thumbnails.c.observation_id)).join(
        part, part.c.observation_id == thumbnails.c.observation_id
    )
    return pictures.where(_same_sighting(part.c)).scalar_subquery()


def _same_sighting(other: Any) -> ColumnElement[bool]:
    # The sum keeps SQLite from looking for the track among all that the person did, instead of the other way round.
    return same_track(other, observations.c) & (other.identity_key + 0 == observations.c.identity_key)


def _moment(row: Any) -> ColumnElement[Any]:
    return tuple_(row.ended_at_s, row.observation_id)
