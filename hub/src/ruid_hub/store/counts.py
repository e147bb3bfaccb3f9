"""What counting reads and writes: hours as columns, boots, gaps, sites, adjustments, settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from sqlalchemy import ColumnElement, Connection, Executable, and_, case, delete, func, insert, select, update

from ruid_core.occupancy import Appearances, Gap, Span
from ruid_core.occupancy.values import Real, Whole
from ruid_hub.store.statements import upserts
from ruid_hub.store.tables import (
    DEFAULT_SITE,
    adjustments,
    appearances,
    boots,
    cameras,
    crossings,
    drops,
    gaps,
    identities,
    nodes,
    sites,
    stays,
)

HOUR_S = 3600.0
_NO_DOUBT = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class AppearanceColumns:
    """Who was seen: `hour` (N,) runs beside the appearances."""

    hour: Whole
    seen: Appearances


@dataclass(frozen=True, slots=True, eq=False)
class StayColumns:
    """Who was in which zone; `zone_ids` (N,) are the zones' own names."""

    hour: Whole
    seen: Appearances
    zone_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CrossingColumns:
    """Who crossed which line when and how: 1 in, -1 out. (N,) each."""

    hour: Whole
    at_s: Real
    camera: Whole
    direction: Whole
    who: Whole
    line_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CameraPlace:
    """A camera, its keys in the columns, and where it belongs."""

    camera_key: int
    node_key: int
    camera: str
    name: str
    site_id: str
    site_name: str


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """A site as it is kept."""

    site_id: str
    name: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Somebody said how many people were there."""

    at_s: float
    people: int
    actor: str


@dataclass(frozen=True, slots=True)
class Named:
    """An identity as exports name it."""

    identity_key: int
    identity_id: str
    label: str | None


# --- hours ---------------------------------------------------------------------------------------------


def appearance_columns(connection: Connection, from_hour: int, to_hour: int) -> AppearanceColumns:
    """The appearances of the hours, both included, by hour and start."""
    # Ordered here: the database would sort a million rows on the disk.
    held = appearances.c
    query = select(
        held.hour,
        func.coalesce(held.identity_key, 0),
        held.camera_key,
        held.first_s,
        held.last_s,
        _doubt(),
        held.newcomer,
    ).where(held.hour.between(from_hour, to_hour))
    hour, *columns = _columns(connection, query, "i8 i8 i8 f8 f8 f8 ?")
    seen = Appearances(*columns)
    order = np.lexsort((seen.camera, seen.start_s, hour))
    return AppearanceColumns(hour[order], seen.where(order))


def first_hour(connection: Connection) -> int | None:
    """The hour that the counts begin with; None where nothing has been counted."""
    return connection.scalar(select(func.min(appearances.c.hour)))


def stay_columns(connection: Connection, from_hour: int, to_hour: int) -> StayColumns:
    """The stays that began in the hours, both included, by beginning."""
    query = (
        select(
            stays.c.entered_at_s,
            _who(stays.c),
            stays.c.camera_key,
            stays.c.entered_at_s,
            stays.c.left_at_s,
            _doubt(),
            func.coalesce(appearances.c.newcomer, False),
            stays.c.zone_id,
        )
        .outerjoin_from(stays, appearances, _beginning_of(stays.c))
        .where(_in_hours(stays.c.entered_at_s, from_hour, to_hour))
        .order_by(stays.c.entered_at_s, stays.c.stay_key)
    )
    began_s, *columns, zone_ids = _columns(connection, query, "f8 i8 i8 f8 f8 f8 ? O")
    return StayColumns(_hours(began_s), Appearances(*columns), tuple(zone_ids))


def crossing_columns(connection: Connection, from_hour: int, to_hour: int) -> CrossingColumns:
    """The crossings of the hours, both included, by time."""
    query = (
        select(
            crossings.c.at_s,
            crossings.c.camera_key,
            crossings.c.direction,
            _who(crossings.c),
            crossings.c.line_id,
        )
        .where(_in_hours(crossings.c.at_s, from_hour, to_hour))
        .order_by(crossings.c.at_s, crossings.c.crossing_id)
    )
    at_s, camera, direction, who, line_ids = _columns(connection, query, "f8 i8 i8 i8 O")
    return CrossingColumns(_hours(at_s), at_s, camera, direction, who, tuple(line_ids))


def _doubt() -> ColumnElement[Any]:
    """A track's answer is doubted once: in the hour that it began in."""
    held = appearances.c
    return case((held.begins, func.coalesce(1.0 - held.probability, _NO_DOUBT)), else_=_NO_DOUBT)


def _of_track(row: Any) -> ColumnElement[bool]:
    held = appearances.c
    return and_(held.camera_key == row.camera_key, held.boot_epoch == row.boot_epoch, held.track_id == row.track_id)


def _beginning_of(row: Any) -> ColumnElement[bool]:
    return and_(_of_track(row), appearances.c.begins)


def _who(row: Any) -> ColumnElement[int]:
    """Whose track it was, as far as anybody knows."""
    told = appearances.alias()
    same = and_(
        told.c.camera_key == row.camera_key, told.c.boot_epoch == row.boot_epoch, told.c.track_id == row.track_id
    )
    return func.coalesce(select(func.max(told.c.identity_key)).where(same).scalar_subquery(), 0)


def _in_hours(at_s: ColumnElement[float], from_hour: int, to_hour: int) -> ColumnElement[bool]:
    return and_(at_s >= from_hour * HOUR_S, at_s < (to_hour + 1) * HOUR_S)


def _columns(connection: Connection, query: Executable, kinds: str) -> list[Any]:
    """The rows as columns (N,) of these kinds of numbers, past SQLAlchemy's rows: there may be a million."""
    fetched = connection.execute(query)
    row = np.dtype([(str(number), kind) for number, kind in enumerate(kinds.split())])
    rows = np.fromiter(cast("Iterable[Any]", fetched.cursor), row)
    fetched.close()
    return [np.ascontiguousarray(rows[name]) for name in row.names or ()]


def _hours(at_s: Real) -> Whole:
    return (at_s // HOUR_S).astype(np.int64)


# --- coverage ------------------------------------------------------------------------------------------


def running_spans(connection: Connection, asked: Span) -> dict[int, list[Span]]:
    """When each node (by key) is known to have been running, as far as that touches the period."""
    query = select(boots.c.node_key, boots.c.started_at_s, boots.c.heard_at_s).where(
        boots.c.heard_at_s > asked[0], boots.c.started_at_s < asked[1]
    )
    spans: dict[int, list[Span]] = {}
    for node_key, started_at_s, heard_at_s in connection.execute(query):
        spans.setdefault(node_key, []).append((started_at_s, heard_at_s))
    return spans


def gaps_of(connection: Connection, asked: Span) -> dict[int, list[Gap]]:
    """The gaps of each camera (by key) that touch the period."""
    query = select(gaps.c.camera_key, gaps.c.from_s, gaps.c.to_s, gaps.c.reason, gaps.c.boot_epoch).where(
        gaps.c.to_s > asked[0], gaps.c.from_s < asked[1]
    )
    held: dict[int, list[Gap]] = {}
    for camera_key, from_s, to_s, reason, boot_epoch in connection.execute(query):
        held.setdefault(camera_key, []).append(Gap((from_s, to_s), reason, by_node=boot_epoch is not None))
    return held


def items_lost(connection: Connection, asked: Span, node_keys: Iterable[int]) -> int:
    """What the nodes gave up before it was delivered, by when they told."""
    query = select(func.coalesce(func.sum(drops.c["items"]), 0)).where(
        drops.c.received_at_s >= asked[0],
        drops.c.received_at_s < asked[1],
        drops.c.node_key.in_(sorted(set(node_keys))),
    )
    return int(connection.execute(query).scalar_one())


def note_running(connection: Connection, node_key: int, boot_epoch: int, at_s: float) -> None:
    """The same, for a node whose key is known."""
    row = {"node_key": node_key, "boot_epoch": boot_epoch, "started_at_s": at_s, "heard_at_s": at_s}
    upserts(connection).boot.write(connection, [row])


def note_heard(connection: Connection, heard_at_s: Mapping[str, float]) -> None:
    """The nodes of these cameras (`node_id/camera_id`) are running still, in their newest boot."""
    newest: dict[str, float] = {}
    for camera, at_s in heard_at_s.items():
        node_id = camera.rpartition("/")[0]
        newest[node_id] = max(at_s, newest.get(node_id, at_s))
    for node_id, at_s in newest.items():
        query = (
            select(boots.c.boot_key)
            .join(nodes, nodes.c.node_key == boots.c.node_key)
            .where(nodes.c.node_id == node_id)
            .order_by(boots.c.boot_epoch.desc())
            .limit(1)
        )
        running = update(boots).where(boots.c.boot_key == query.scalar_subquery(), boots.c.heard_at_s < at_s)
        connection.execute(running.values(heard_at_s=at_s))


# --- names ---------------------------------------------------------------------------------------------


def labelled(connection: Connection) -> list[Named]:
    """Every identity that has a name."""
    return _named(connection, identities.c.label.is_not(None))


def named(connection: Connection, identity_keys: Iterable[int]) -> dict[int, Named]:
    """The identities by key; those who were erased are not among them."""
    wanted, found = sorted({int(key) for key in identity_keys if key > 0}), dict[int, Named]()
    for first in range(0, len(wanted), 500):
        chunk = wanted[first : first + 500]
        found |= {one.identity_key: one for one in _named(connection, identities.c.identity_key.in_(chunk))}
    return found


def _named(connection: Connection, chosen: ColumnElement[bool]) -> list[Named]:
    query = select(identities.c.identity_key, identities.c.identity_id, identities.c.label).where(chosen)
    return [Named(*row) for row in connection.execute(query)]


# --- sites ---------------------------------------------------------------------------------------------


def camera_places(connection: Connection) -> list[CameraPlace]:
    """Every camera and the site that it belongs to."""
    query = (
        select(
            cameras.c.camera_key, cameras.c.node_key, cameras.c.camera, cameras.c.name, sites.c.site_id, sites.c.name
        )
        .join(sites, sites.c.site_key == cameras.c.site_key)
        .order_by(cameras.c.camera)
    )
    return [CameraPlace(*row) for row in connection.execute(query)]


def site_records(connection: Connection) -> list[SiteRecord]:
    """The first site first."""
    query = select(sites.c.site_id, sites.c.name, sites.c.time_zone).order_by(sites.c.site_key)
    return [SiteRecord(*row) for row in connection.execute(query)]


def save_site(connection: Connection, site: SiteRecord) -> None:
    """Make it or change it."""
    row = {"site_id": site.site_id, "name": site.name, "time_zone": site.time_zone}
    changed = connection.execute(update(sites).where(sites.c.site_id == site.site_id).values(**row))
    if not changed.rowcount:
        newest = connection.execute(select(func.max(sites.c.site_key))).scalar_one()
        connection.execute(insert(sites).values(site_key=newest + 1, **row))


def remove_site(connection: Connection, site_id: str) -> None:
    """Its cameras go back to the first site, which stays."""
    site_key = _site_key(site_id)
    connection.execute(update(cameras).where(cameras.c.site_key == site_key).values(site_key=DEFAULT_SITE))
    connection.execute(delete(sites).where(sites.c.site_id == site_id, sites.c.site_key != DEFAULT_SITE))


def assign_camera(connection: Connection, camera: str, site_id: str) -> bool:
    """Whether there was such a camera."""
    moved = update(cameras).where(cameras.c.camera == camera).values(site_key=_site_key(site_id))
    return connection.execute(moved).rowcount > 0


def _site_key(site_id: str) -> Any:
    return select(sites.c.site_key).where(sites.c.site_id == site_id).scalar_subquery()


# --- what people set -----------------------------------------------------------------------------------


def adjust(connection: Connection, place: str, adjustment: Adjustment) -> None:
    """Keep it; the latest one of a place counts."""
    row = {"at_s": adjustment.at_s, "people": adjustment.people, "actor": adjustment.actor}
    connection.execute(insert(adjustments).values(place=place, **row))


def latest_adjustment(connection: Connection, place: str) -> Adjustment | None:
    """The newest of a place."""
    query = (
        select(adjustments.c.at_s, adjustments.c.people, adjustments.c.actor)
        .where(adjustments.c.place == place)
        .order_by(adjustments.c.at_s.desc(), adjustments.c.adjustment_id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return Adjustment(*row) if row else None
