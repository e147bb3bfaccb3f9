"""What the pages of people and cameras read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, tuple_

from ruid_hub.observations import CoverageGap, TrackKey
from ruid_hub.store.by_person import newest_pictures, newest_tracks, seen_by, seen_by_several, visited
from ruid_hub.store.tables import cameras, embeddings, gaps, identities, observations, thumbnails

GAP_ROWS = 500
RARE_TEXT = 3
"""So many letters are in few names."""


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """Which people to list; what is None or False does not matter. Times in seconds since the Unix epoch.

    Where a camera is named it is that camera which saw them between the two times.
    """

    text: str = ""
    """Part of the name, or of the identity."""
    named: bool = False
    several_cameras: bool = False
    camera: str | None = None
    since_s: float | None = None
    until_s: float | None = None
    cameras: frozenset[str] | None = None
    """Only people who were seen by one of these."""

    @property
    def witnesses(self) -> list[list[str] | None]:
        """Sets of cameras of each of which one must have seen them between the two times; None for any camera."""
        named = [] if self.camera is None else [[self.camera]]
        allowed = [] if self.cameras is None else [sorted(self.cameras)]
        return [*named, *allowed] or ([] if self.until_s is None else [None])

    @property
    def stem(self) -> str:
        """The text as it would stand in an identity."""
        return self.text.casefold().removeprefix("person ").strip()

    @property
    def few(self) -> bool:
        """Whether hardly anybody is likely to match."""
        return self.named or len(self.stem) >= RARE_TEXT


Cursor = tuple[float, int]
"""Where a list of people goes on: last seen, key."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person in a list; `cameras` in the order of first sight, `sightings` are tracks."""

    identity_id: str
    label: str | None
    first_seen_s: float
    last_seen_s: float
    sightings: int
    cameras: tuple[str, ...]
    thumbnail_id: int | None


@dataclass(frozen=True, slots=True)
class SightingRow:
    """One track of a person and how sure the hub was at its last part."""

    track: TrackKey
    first_s: float
    last_s: float
    observation_id: int
    thumbnail_id: int | None
    state: str
    probability: float


def people(
    connection: Connection, wanted: PeopleFilter, *, limit: int, after: Cursor | None = None
) -> tuple[list[PersonRow], Cursor | None]:
    """The people who match, last seen first, and where to go on if there are more."""
    query = select(identities).where(*_conditions(wanted))
    if after is not None:
        query = query.where(tuple_(identities.c.last_seen_s, identities.c.identity_key) < after)
    # Few match: the sum keeps SQLite from walking through everybody by time instead of looking for those few.
    last_seen_s = identities.c.last_seen_s + 0.0 if wanted.few else identities.c.last_seen_s
    query = query.order_by(last_seen_s.desc(), identities.c.identity_key.desc())
    rows = connection.execute(query.limit(limit + 1)).all()
    shown = rows[:limit]
    more = (shown[-1].last_seen_s, shown[-1].identity_key) if len(rows) > limit else None
    return _person_rows(connection, shown), more


def person(connection: Connection, identity_id: str) -> PersonRow | None:
    """One person; None where nobody has that identity."""
    row = connection.execute(select(identities).where(identities.c.identity_id == identity_id)).one_or_none()
    return None if row is None else _person_rows(connection, [row])[0]


def persons(connection: Connection, identity_ids: Sequence[str]) -> dict[str, PersonRow]:
    """Those of these identities that exist."""
    rows = connection.execute(select(identities).where(identities.c.identity_id.in_(identity_ids))).all()
    return {row.identity_id: row for row in _person_rows(connection, rows)}


def named_people(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """(identity_id, name) of people whom somebody has named, by name."""
    query = select(identities.c.identity_id, identities.c.label).where(identities.c.label.is_not(None))
    return [(row.identity_id, row.label) for row in connection.execute(query.order_by("label").limit(limit))]


def sightings(
    connection: Connection,
    identity_id: str,
    *,
    limit: int,
    before_s: float | None = None,
    after: tuple[float, int] | None = None,
) -> list[SightingRow]:
    """The tracks of a person, the newest first, that ended before a time, or that come `after` one in the list."""
    key = select(identities.c.identity_key).where(identities.c.identity_id == identity_id).scalar_subquery()
    return [
        SightingRow(
            track=TrackKey(row.camera, row.boot_epoch, row.track_id),
            first_s=row.first_s,
            last_s=row.ended_at_s,
            observation_id=row.observation_id,
            thumbnail_id=row.thumbnail_id,
            state=row.assignment_state or "",
            probability=row.assignment_probability or 0.0,
        )
        for row in newest_tracks(connection, key, limit=limit, before_s=before_s, after=after)
    ]


def track_of(connection: Connection, observation_id: int) -> tuple[TrackKey, str | None] | None:
    """Which track an observation is a part of, and whose it is."""
    query = (
        select(cameras.c.camera, observations.c.boot_epoch, observations.c.track_id, identities.c.identity_id)
        .select_from(observations)
        .join(cameras, cameras.c.camera_key == observations.c.camera_key)
        .outerjoin(identities)
        .where(observations.c.observation_id == observation_id)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (TrackKey(row.camera, row.boot_epoch, row.track_id), row.identity_id)


def pictures_of(connection: Connection, tracks: Iterable[TrackKey]) -> dict[TrackKey, int]:
    """The database id of the newest picture of each of these tracks that has one."""
    found: dict[TrackKey, int] = {}
    for track in tracks:
        query = (
            select(func.max(thumbnails.c.observation_id))
            .join(observations, observations.c.observation_id == thumbnails.c.observation_id)
            .join(cameras, cameras.c.camera_key == observations.c.camera_key)
            .where(
                cameras.c.camera == track.camera,
                observations.c.boot_epoch == track.boot_epoch,
                observations.c.track_id == track.track_id,
            )
        )
        if (observation_id := connection.scalar(query)) is not None:
            found[track] = observation_id
    return found


def embedding_of(connection: Connection, observation_id: int) -> NDArray[np.float32] | None:
    """The best embedding (D,) of an observation; None once it has expired."""
    query = select(embeddings).where(embeddings.c.observation_id == observation_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    rows = np.frombuffer(row.embeddings_f16, "<f2").astype(np.float32).reshape(-1, row.dim)
    return rows[int(np.frombuffer(row.qualities_f16, "<f2").argmax())]


def gaps_since(connection: Connection, since_s: float, *, camera: str | None = None) -> list[CoverageGap]:
    """What cameras did not see after a time, the newest first."""
    query = select(cameras.c.camera, gaps).join(cameras).where(gaps.c.to_s > since_s)
    if camera is not None:
        query = query.where(cameras.c.camera == camera)
    rows = connection.execute(query.order_by(gaps.c.to_s.desc()).limit(GAP_ROWS))
    return [CoverageGap(row.camera, row.from_s, row.to_s, row.reason) for row in rows]


def _conditions(wanted: PeopleFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.text:
        conditions.append(
            or_(
                and_(identities.c.label.is_not(None), identities.c.label.icontains(wanted.text, autoescape=True)),
                and_(identities.c.label.is_(None), identities.c.identity_id.contains(wanted.stem, autoescape=True)),
            )
        )
    if wanted.named:
        conditions.append(identities.c.label.is_not(None))
    if wanted.since_s is not None:
        conditions.append(identities.c.last_seen_s >= wanted.since_s)
    if wanted.until_s is not None:
        conditions.append(identities.c.first_seen_s <= wanted.until_s)
    conditions += [seen_by(names, since_s=wanted.since_s, until_s=wanted.until_s) for names in wanted.witnesses]
    if wanted.several_cameras:
        conditions.append(seen_by_several())
    return conditions


def _person_rows(connection: Connection, rows: Sequence[Row[Any]]) -> list[PersonRow]:
    keys = [row.identity_key for row in rows]
    places = visited(connection, keys)
    pictures = newest_pictures(connection, keys)
    return [
        PersonRow(
            identity_id=row.identity_id,
            label=row.label,
            first_seen_s=row.first_seen_s,
            last_seen_s=row.last_seen_s,
            sightings=sum(tracks for _, tracks in places.get(row.identity_key, ())),
            cameras=tuple(camera for camera, _ in places.get(row.identity_key, ())),
            thumbnail_id=pictures.get(row.identity_key),
        )
        for row in rows
    ]
