"""Counts: numbers for a period and a place, each with how sure it is and how much the cameras saw."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any, ClassVar
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.exceptions import NotFoundException

from ruid_hub.api.given import Given
from ruid_hub.counting import (
    Bucket,
    Comparison,
    Counting,
    CountingError,
    CountOptions,
    Coverage,
    DwellReport,
    Heat,
    HeatCell,
    LineFlow,
    Occupancy,
    Period,
    Place,
    Series,
)
from ruid_hub.pages.frame import Frame, Notice
from ruid_hub.pages.look import AnyRequest, Form, Look
from ruid_hub.pages.notices import refusal
from ruid_hub.pages.people import CORRECTING, LOOKING, reachable_cameras
from ruid_hub.pages.texts import lasting
from ruid_hub.site import CameraView, Site

DAY_S = 86_400.0
PRESETS = {
    "today": "Today",
    "yesterday": "Yesterday",
    "week": "Last 7 days",
    "month": "Last 30 days",
    "chosen": "From … to",
}
DAYS_OF = {"week": 7, "month": 30}
HEAT_DAYS = 28
HOURLY_UNTIL_S = 2.1 * DAY_S
DAILY_UNTIL_S = 100 * DAY_S
SHADES = 5
LONGEST_ABSENCE_S = 1e9
NOBODY = "-"
"""A name that nobody bears: leaves out no one."""
AS_SET = ""
RE_ENTRIES = (
    ("60", "after 1 minute away"),
    ("300", "after 5 minutes away"),
    ("1800", "after 30 minutes away"),
    ("inf", "never: one visit each"),
)


@dataclass(frozen=True, slots=True)
class CountsQuery:
    """What the form at the top says."""

    preset: str = "today"
    from_day: str = ""
    to_day: str = ""
    place: str = ""
    """`site`, `camera` or `zone`, and its ids, with tabs between; empty for everywhere."""
    re_entry: str = ""
    """When somebody who comes back is on a new visit: seconds, or `inf`."""
    everybody: bool = False
    """Count staff and others who are usually left out, too."""

    def options(self) -> CountOptions:
        """The same for counting."""
        re_entry_s = float(self.re_entry) if self.re_entry else None
        return CountOptions(re_entry_s=re_entry_s, leave_out=() if self.everybody else None)


@dataclass(frozen=True, slots=True)
class PlaceChoice:
    """A place to count at, as the form offers it."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One weekday's hours; `shades` run beside the cells: 0 is nothing, 5 the busiest, None not seen."""

    weekday: str
    cells: tuple[HeatCell, ...]
    shades: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Everything that counting says about a period and place."""

    period: Period
    earlier: Period
    bucket: str
    unique: Comparison
    visits: Series
    dwell: DwellReport
    flows: tuple[tuple[LineFlow, str, str], ...]
    """Each with the names of its line and camera."""
    occupancy: Occupancy
    heat: tuple[HeatRow, ...]
    heat_days: int
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class CountsPage:
    """What pages/counts.html needs."""

    template: ClassVar[str] = "pages/counts.html"

    frame: Frame
    query: CountsQuery
    presets: Mapping[str, str]
    re_entries: tuple[tuple[str, str], ...]
    places: tuple[PlaceChoice, ...]
    place_name: str
    lined: bool
    """A line is drawn on a camera of the place, so that it can be said who went in and out."""
    numbers: Numbers | None
    """None where what was asked cannot be counted, and the notice says why, or where no camera has counted yet."""
    exports: Mapping[str, str]
    """Address of the API by name: visits and crossings behind the numbers."""


@get("/counts", guards=LOOKING, include_in_schema=False)
async def counts_page(
    request: AnyRequest,
    look: Given[Look],
    site: Given[Site],
    counting: Given[Counting],
    clock: Given[Callable[[], float]],
) -> Response[str]:
    """The numbers of a period and place."""
    query = query_of(request.query_params)
    # In the event loop, which alone changes the live picture.
    cameras = site.view(clock()).cameras
    places = await asyncio.to_thread(_places, counting, cameras, look)
    place = place_of(query.place, reachable_cameras(look, site))
    re_entry_s = (await asyncio.to_thread(counting.settings)).re_entry_s
    frame = look.frame("counts")
    numbers = None
    try:
        if cameras:
            numbers = await counting.ask(_numbers, counting, site, look, query, place, clock())
    except CountingError as error:
        frame = replace(frame, notice=refusal(error))
    page = CountsPage(
        frame=frame,
        query=query,
        presets=PRESETS,
        re_entries=((AS_SET, f"after {lasting(re_entry_s)} away, as set"), *RE_ENTRIES),
        places=places,
        place_name=next((choice.name for choice in places if choice.value == query.place), "Everywhere"),
        lined=site.lined(place.allowed if place.camera is None else {place.camera}),
        numbers=numbers,
        exports={} if numbers is None else exports(numbers.period, place, query, numbers.bucket),
    )
    return look.page(page)


@post("/counts/adjust", guards=CORRECTING, include_in_schema=False)
async def adjust(data: Form, look: Given[Look], site: Given[Site], counting: Given[Counting]) -> Response[None]:
    """So many are inside at this moment."""
    query = CountsQuery(place=str(data.get("place", "")))
    back = f"/counts?{urlencode({'place': query.place})}"
    people = str(data.get("people", ""))
    if not people.isdigit():
        return look.go(back, Notice("Say how many people are inside as a whole number.", refused=True))
    try:
        place = place_of(query.place, reachable_cameras(look, site))
        await asyncio.to_thread(counting.adjust, place, int(people), look.actor)
    except CountingError as error:
        return look.go(back, refusal(error))
    await look.note("counts.adjust", place.camera or place.site_id or "", {"people": int(people)})
    return look.go(back, f"From now on the count starts at {people}.")


def query_of(asked: Any) -> CountsQuery:
    """What an address asks for; what makes no sense is as if it were not there."""
    preset, re_entry = asked.get("period", "today"), asked.get("re_entry", "")
    return CountsQuery(
        preset=preset if preset in PRESETS else "today",
        from_day=asked.get("from", ""),
        to_day=asked.get("to", ""),
        place=asked.get("place", ""),
        re_entry=re_entry if re_entry in dict(RE_ENTRIES) else AS_SET,
        everybody="everybody" in asked,
    )


def place_of(value: str, allowed: frozenset[str] | None) -> Place:
    """The place that a choice of the form stands for; a camera out of reach does not exist."""
    kind, _, rest = value.partition("\t")
    camera, _, zone_id = rest.partition("\t")
    if kind == "site" and rest:
        return Place(site_id=rest, allowed=allowed)
    place = Place(camera=camera or None, zone_id=zone_id or None, allowed=allowed)
    if place.camera is not None and allowed is not None and place.camera not in allowed:
        raise NotFoundException
    return place


def period_of(query: CountsQuery, counting: Counting, place: Place, look: Look, now_s: float) -> tuple[Period, float]:
    """The period up to now, and how far back the one lies that it is compared with."""
    today = counting.day(now_s, place)
    if query.preset == "yesterday":
        return counting.day(today.from_s - 1, place), DAY_S
    if query.preset in DAYS_OF:
        days = DAYS_OF[query.preset]
        return Period(counting.day(today.from_s - (days - 1.5) * DAY_S, place).from_s, now_s), days * DAY_S
    if query.preset == "chosen":
        from_s = counting.day(_noon(query.from_day, look, now_s), place).from_s
        to_s = counting.day(_noon(query.to_day, look, now_s), place).to_s
        return Period(from_s, min(to_s, max(now_s, from_s + 1))), max(DAY_S, round((to_s - from_s) / DAY_S) * DAY_S)
    return Period(today.from_s, now_s), DAY_S


def bucket_of(period: Period) -> Bucket:
    """Small enough to see something, large enough to read."""
    length_s = period.to_s - period.from_s
    if length_s <= HOURLY_UNTIL_S:
        return Bucket.HOUR
    return Bucket.DAY if length_s <= DAILY_UNTIL_S else Bucket.WEEK


def exports(period: Period, place: Place, query: CountsQuery, bucket: str) -> dict[str, str]:
    """Where the API gives the rows behind the numbers."""
    asked: dict[str, object] = {"from_s": period.from_s, "to_s": period.to_s}
    places = {"site_id": place.site_id, "camera": place.camera, "zone_id": place.zone_id}
    asked |= {name: value for name, value in places.items() if value}
    if query.re_entry:
        asked["re_entry_s"] = min(float(query.re_entry), LONGEST_ABSENCE_S)
    if query.everybody:
        asked["leave_out"] = NOBODY
    return {
        f"{what.capitalize()} as {form.upper()}": f"/api/v1/{what}?{urlencode(asked | {'format': form} | more)}"
        for what, more in (("counts", {"bucket": bucket}), ("visits", {}), ("crossings", {}))
        for form in ("csv", "json")
    }


def heat_rows(heat: Heat) -> tuple[HeatRow, ...]:
    """A row a weekday, shaded against the busiest hour."""
    most = max((cell.mean for cell in heat.cells), default=0.0)
    rows: list[HeatRow] = []
    for weekday, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")):
        cells = tuple(cell for cell in heat.cells if cell.weekday == weekday)
        rows.append(HeatRow(name, cells, tuple(_shade(cell, most) for cell in cells)))
    return tuple(rows)


def _shade(cell: HeatCell, most: float) -> int | None:
    if not cell.times or not cell.coverage:
        return None
    return 0 if not cell.mean else max(1, round(SHADES * cell.mean / most))


def _numbers(counting: Counting, site: Site, look: Look, query: CountsQuery, place: Place, now_s: float) -> Numbers:
    period, back_s = period_of(query, counting, place, look, now_s)
    earlier = Period(period.from_s - back_s, period.to_s - back_s)
    bucket, options = bucket_of(period), query.options()
    heat_from_s = counting.day(now_s - HEAT_DAYS * DAY_S, place).from_s
    return Numbers(
        period=period,
        earlier=earlier,
        bucket=bucket.value,
        unique=counting.compare(period, earlier, bucket, place, options),
        visits=counting.visits(period, bucket, place, options),
        dwell=counting.dwell(period, place, options),
        flows=tuple(
            (flow, site.line_name(flow.camera, flow.line_id), site.name_of(flow.camera))
            for flow in counting.crossings(period, bucket, place, options)
        ),
        occupancy=counting.occupancy(place),
        heat=heat_rows(counting.heat(Period(heat_from_s, now_s), place, options)),
        heat_days=HEAT_DAYS,
        coverage=counting.coverage(period, place),
    )


def _places(counting: Counting, cameras: Sequence[CameraView], look: Look) -> tuple[PlaceChoice, ...]:
    choices = [PlaceChoice("", "Everywhere")]
    sites = counting.sites()
    within = [known for known in sites if look.caller.reach.everywhere or look.caller.reach.covers_any(known.cameras)]
    if len(sites) > 1:
        choices += [PlaceChoice(f"site\t{known.site_id}", known.name) for known in within]
    for camera in cameras:
        if look.caller.reach.covers(camera.camera):
            choices.append(PlaceChoice(f"camera\t{camera.camera}", camera.name))
            choices += [
                PlaceChoice(f"zone\t{camera.camera}\t{zone.zone_id}", f"{camera.name}: {zone.name}")
                for zone in camera.zones
            ]
    return tuple(choices)


def _noon(day: str, look: Look, now_s: float) -> float:
    """Noon of a date of the form; of today where it is none."""
    try:
        return datetime.combine(date.fromisoformat(day), time(12), look.templates.time.time_zone).timestamp()
    except (ValueError, OverflowError):
        return now_s
