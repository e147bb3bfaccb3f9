"""Counts, visits and crossings, each with its coverage."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Controller, delete, get, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery, JSONBody, PathParameter, QueryParameter
from litestar.response import Stream

from ruid_hub.access import Access, Audit, Caller, Permit, Role
from ruid_hub.api.exports import Format, FormatAsked, columns_of, exported
from ruid_hub.api.given import Given
from ruid_hub.api.guards import everywhere, requires
from ruid_hub.api.reach import place_for
from ruid_hub.counting import (
    Bucket,
    Comparison,
    Counting,
    CountingSettings,
    CountOptions,
    Coverage,
    CrossingEntry,
    DwellReport,
    Heat,
    LineFlow,
    Occupancy,
    PeopleNow,
    Period,
    Place,
    Series,
    VisitRow,
)
from ruid_hub.counting import Site as CountingSite
from ruid_hub.site import Site

READING = [requires(Role.VIEWER, Permit.SITE_READ)]
WRITING = [requires(Role.OPERATOR, Permit.SITE_WRITE)]
RULING = [requires(Role.ADMIN, Permit.ADMIN)]
LOOKING = [requires(Role.VIEWER, Permit.PEOPLE_READ)]

FromS = Annotated[float | None, QueryParameter(ge=0, le=1e11, description="Beginning; today's if not given")]
ToS = Annotated[float | None, QueryParameter(ge=0, le=1e11, description="End, not included; now if not given")]
SiteKey = Annotated[str | None, QueryParameter(max_length=100, description="A site; everywhere if not given")]
CameraKey = Annotated[str | None, QueryParameter(max_length=200, description="A camera: node_id/camera_id")]
ZoneKey = Annotated[str | None, QueryParameter(max_length=100, description="A zone of the camera")]
ReEntry = Annotated[
    float | None, QueryParameter(ge=0, le=1e9, description="Who comes back within so many seconds is still here")
]
LeaveOut = Annotated[list[str] | None, QueryParameter(max_items=50, description="Labels of people who are not counted")]


@dataclass(frozen=True, slots=True)
class Asked:
    """When, where and how to count."""

    period: Period
    place: Place
    options: CountOptions


async def asked(  # noqa: PLR0913, PLR0917 - a query has as many parts
    counting: Given[Counting],
    site: Given[Site],
    caller: Given[Caller],
    clock: Given[Callable[[], float]],
    from_s: FromS = None,
    to_s: ToS = None,
    site_id: SiteKey = None,
    camera: CameraKey = None,
    zone_id: ZoneKey = None,
    re_entry_s: ReEntry = None,
    leave_out: LeaveOut = None,
) -> Asked:
    """What the query asks for: today everywhere unless it says otherwise."""
    place = place_for(caller, site, site_id=site_id, camera=camera, zone_id=zone_id)
    now_s = clock()
    end_s = now_s if to_s is None else to_s
    start_s = (await asyncio.to_thread(counting.day, end_s, place)).from_s if from_s is None else from_s
    options = CountOptions(re_entry_s, None if leave_out is None else tuple(leave_out))
    return Asked(Period(start_s, end_s), place, options)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """So many people are in a place at this moment."""

    people: int
    site_id: str | None = None
    camera: str | None = None
    zone_id: str | None = None


@dataclass(frozen=True, slots=True)
class SiteChange:
    """A site's name, and its time zone as an IANA name; empty for the hub's."""

    name: str
    time_zone: str = ""


class CountsController(Controller):
    """Numbers, each with an interval and the share of the time that cameras saw."""

    path = "/api/v1/counts"
    tags = ("counts",)

    @get("/now", guards=READING, sync_to_thread=False)
    def now(
        self,
        counting: Given[Counting],
        site: Given[Site],
        caller: Given[Caller],
        site_id: SiteKey = None,
        camera: CameraKey = None,
        zone_id: ZoneKey = None,
    ) -> PeopleNow:
        """Who is in view at this moment."""
        return counting.people_now(place_for(caller, site, site_id=site_id, camera=camera, zone_id=zone_id))

    @get("/unique", guards=READING)
    async def unique(
        self, counting: Given[Counting], asked: Given[Asked], bucket: FromQuery[Bucket] = Bucket.HOUR
    ) -> Series:
        """How many different people were seen."""
        return await counting.ask(counting.unique_visitors, asked.period, bucket, asked.place, asked.options)

    @get("/visits", guards=READING)
    async def visits(
        self, counting: Given[Counting], asked: Given[Asked], bucket: FromQuery[Bucket] = Bucket.HOUR
    ) -> Series:
        """How many visits began."""
        return await counting.ask(counting.visits, asked.period, bucket, asked.place, asked.options)

    @get("/dwell", guards=READING)
    async def dwell(self, counting: Given[Counting], asked: Given[Asked]) -> DwellReport:
        """How long the visits lasted that began in the period."""
        return await counting.ask(counting.dwell, asked.period, asked.place, asked.options)

    @get("/crossings", guards=READING)
    async def crossings(
        self, counting: Given[Counting], asked: Given[Asked], bucket: FromQuery[Bucket] = Bucket.HOUR
    ) -> tuple[LineFlow, ...]:
        """Who went in and out over each line."""
        return await counting.ask(counting.crossings, asked.period, bucket, asked.place, asked.options)

    @get("/heat", guards=READING)
    async def heat(self, counting: Given[Counting], asked: Given[Asked]) -> Heat:
        """Mean unique visitors by weekday and hour."""
        return await counting.ask(counting.heat, asked.period, asked.place, asked.options)

    @get("/coverage", guards=READING)
    async def coverage(self, counting: Given[Counting], asked: Given[Asked]) -> Coverage:
        """How much of the period the cameras saw."""
        return await counting.ask(counting.coverage, asked.period, asked.place)

    @get("/compare", guards=READING)
    async def compare(
        self,
        counting: Given[Counting],
        asked: Given[Asked],
        earlier_from_s: Annotated[float, QueryParameter(ge=0, le=1e11)],
        earlier_to_s: Annotated[float, QueryParameter(ge=0, le=1e11)],
        bucket: FromQuery[Bucket] = Bucket.DAY,
    ) -> Comparison:
        """Unique visitors of two periods."""
        earlier = Period(earlier_from_s, earlier_to_s)
        return await counting.ask(counting.compare, asked.period, earlier, bucket, asked.place, asked.options)

    @get("/occupancy", guards=READING)
    async def occupancy(
        self,
        counting: Given[Counting],
        site: Given[Site],
        caller: Given[Caller],
        site_id: SiteKey = None,
        camera: CameraKey = None,
        zone_id: ZoneKey = None,
    ) -> Occupancy:
        """How many are inside now, by the lines."""
        place = place_for(caller, site, site_id=site_id, camera=camera, zone_id=zone_id)
        return await asyncio.to_thread(counting.occupancy, place)

    @post("/occupancy", guards=WRITING, status_code=200)
    async def adjust(
        self,
        data: JSONBody[Adjustment],
        counting: Given[Counting],
        site: Given[Site],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> Occupancy:
        """Say how many are inside at this moment."""
        place = place_for(caller, site, site_id=data.site_id, camera=data.camera, zone_id=data.zone_id)
        adjusted = await asyncio.to_thread(counting.adjust, place, data.people, caller.name)
        subject = data.camera or data.site_id or ""
        await asyncio.to_thread(audit.record, caller, "counts.adjust", subject, {"people": data.people})
        return adjusted

    @get("/settings", guards=READING)
    async def settings(self, counting: Given[Counting]) -> CountingSettings:
        """How the hub counts unless asked otherwise."""
        return await asyncio.to_thread(counting.settings)

    @put("/settings", guards=WRITING)
    async def set_settings(
        self, data: JSONBody[CountingSettings], counting: Given[Counting], caller: Given[Caller], audit: Given[Audit]
    ) -> CountingSettings:
        """Change them."""
        everywhere(caller)
        await asyncio.to_thread(counting.set_settings, data)
        await asyncio.to_thread(audit.record, caller, "counts.settings")
        return await asyncio.to_thread(counting.settings)


class SitesController(Controller):
    """Places with cameras of their own; as a user's reach may name them, admins alone say what belongs where."""

    path = "/api/v1/sites"
    tags = ("counts",)

    @get("/", guards=READING)
    async def sites(self, counting: Given[Counting], caller: Given[Caller]) -> list[CountingSite]:
        """Every site, with the cameras within the caller's reach."""
        found = await asyncio.to_thread(counting.sites)
        return [_as_seen_by(each, caller) for each in found if caller.reach.covers_any(each.cameras)]

    @put("/{site_id:str}", guards=RULING)
    async def save(
        self,
        site_id: Annotated[str, PathParameter(max_length=100)],
        data: JSONBody[SiteChange],
        counting: Given[Counting],
        access: Given[Access],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> CountingSite:
        """Make a site or change it."""
        await asyncio.to_thread(counting.save_site, site_id, data.name, data.time_zone)
        access.sites_changed()
        await asyncio.to_thread(audit.record, caller, "site.save", site_id)
        return await _one_site(counting, site_id)

    @put("/{site_id:str}/cameras/{node_id:str}/{camera_id:str}", guards=RULING)
    async def assign(
        self,
        site_id: Annotated[str, PathParameter(max_length=100)],
        node_id: Annotated[str, PathParameter(max_length=100)],
        camera_id: Annotated[str, PathParameter(max_length=100)],
        counting: Given[Counting],
        access: Given[Access],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> CountingSite:
        """Give a camera to a site, with all that it ever saw."""
        await asyncio.to_thread(counting.assign_camera, f"{node_id}/{camera_id}", site_id)
        access.sites_changed()
        await asyncio.to_thread(audit.record, caller, "site.assign", site_id, {"camera": f"{node_id}/{camera_id}"})
        return await _one_site(counting, site_id)

    @delete("/{site_id:str}", guards=RULING)
    async def remove(
        self,
        site_id: Annotated[str, PathParameter(max_length=100)],
        counting: Given[Counting],
        access: Given[Access],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> None:
        """Its cameras go back to the first site."""
        await asyncio.to_thread(counting.remove_site, site_id)
        access.sites_changed()
        await asyncio.to_thread(audit.record, caller, "site.remove", site_id)


class RowsController(Controller):
    """What stands behind the numbers, to take elsewhere."""

    path = "/api/v1"
    tags = ("counts",)

    @get("/visits", guards=LOOKING)
    async def visits(
        self,
        counting: Given[Counting],
        asked: Given[Asked],
        caller: Given[Caller],
        audit: Given[Audit],
        form: FormatAsked = Format.JSON,
    ) -> Stream:
        """The visits that began in the period."""
        await _note_export(audit, caller, "visits.export", asked.period)
        rows = await counting.ask(counting.visit_rows, asked.period, asked.place, asked.options)
        return exported(rows, columns_of(VisitRow), form, name="visits")

    @get("/crossings", guards=LOOKING)
    async def crossings(
        self,
        counting: Given[Counting],
        asked: Given[Asked],
        caller: Given[Caller],
        audit: Given[Audit],
        form: FormatAsked = Format.JSON,
    ) -> Stream:
        """The crossings of the period."""
        await _note_export(audit, caller, "crossings.export", asked.period)
        rows = await counting.ask(counting.crossing_rows, asked.period, asked.place, asked.options)
        return exported(rows, columns_of(CrossingEntry), form, name="crossings")

    @get("/counts", guards=READING)
    async def counts(
        self,
        counting: Given[Counting],
        asked: Given[Asked],
        bucket: FromQuery[Bucket] = Bucket.HOUR,
        form: FormatAsked = Format.JSON,
    ) -> Stream:
        """Unique visitors and visits, a row for each bucket."""
        rows = await counting.ask(_count_rows, counting, asked, bucket)
        return exported(rows, columns_of(CountRow), form, name="counts")


@dataclass(frozen=True, slots=True)
class CountRow:
    """One bucket of a place (empty: everywhere); `coverage` is the share (0..1) of the time that cameras saw."""

    place: str
    label: str
    from_s: float
    to_s: float
    unique: float
    unique_low: float
    unique_high: float
    visits: float
    visits_low: float
    visits_high: float
    coverage: float


def _count_rows(counting: Counting, asked: Asked, bucket: Bucket) -> list[CountRow]:
    unique = counting.unique_visitors(asked.period, bucket, asked.place, asked.options).points
    visits = counting.visits(asked.period, bucket, asked.place, asked.options).points
    place = counting.place_name(asked.place)
    return [
        CountRow(
            place,
            one.label,
            one.from_s,
            one.to_s,
            one.figure.value,
            one.figure.low,
            one.figure.high,
            other.figure.value,
            other.figure.low,
            other.figure.high,
            one.figure.coverage,
        )
        for one, other in zip(unique, visits, strict=True)
    ]


async def _one_site(counting: Counting, site_id: str) -> CountingSite:
    found = await asyncio.to_thread(counting.sites)
    for each in found:
        if each.site_id == site_id:
            return each
    raise NotFoundException("There is no such site.")


async def _note_export(audit: Audit, caller: Caller, action: str, period: Period) -> None:
    await asyncio.to_thread(audit.record, caller, action, f"{period.from_s:.0f}-{period.to_s:.0f}")


def _as_seen_by(site: CountingSite, caller: Caller) -> Any:
    cameras = tuple(camera for camera in site.cameras if caller.reach.covers(camera))
    return CountingSite(site.site_id, site.name, site.time_zone, cameras)
