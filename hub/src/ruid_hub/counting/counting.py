"""Counting as pages, API and integrations call it."""

import asyncio
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import tzinfo
from functools import partial
from itertools import pairwise
from math import floor, inf
from typing import Any, ParamSpec, TypeVar, cast

import msgspec
import numpy as np

from ruid_core.occupancy import (
    BIN_EDGES_S,
    Estimate,
    Gap,
    Level,
    Tally,
    Visits,
    dwell_of,
    estimate_around,
    inside,
)
from ruid_core.occupancy.values import Real
from ruid_hub.counting import calendar, places
from ruid_hub.counting.errors import BadCounting, BadPeriod, StillReading, UnknownPlace
from ruid_hub.counting.hours import HOUR_S, MOST_ROWS, Crossed, Hours
from ruid_hub.counting.memory import Memory
from ruid_hub.counting.places import Sight, Where
from ruid_hub.counting.rollups import MOST_VISITS, Chosen, Flows, Rollups, Source, Views, ZoneStays
from ruid_hub.counting.shelf import Shelf
from ruid_hub.counting.values import (
    Bucket,
    Comparison,
    CountingSettings,
    CountOptions,
    Coverage,
    CrossingEntry,
    DwellBin,
    DwellReport,
    Figure,
    FlowPoint,
    Heat,
    HeatCell,
    LineFlow,
    Occupancy,
    PeopleNow,
    Period,
    Place,
    Point,
    Series,
    Site,
    VisitRow,
)
from ruid_hub.site import CameraState
from ruid_hub.site import Site as LiveSite
from ruid_hub.store import Store, access, counts

DEFAULTS = CountOptions()
EVERYWHERE = Place()
DAY_S = 24 * HOUR_S
JUST_NOW_S = 2.0
"""A period that ends so near to the present goes on with it."""
LONGEST_AFTER_S = 6 * HOUR_S
"""A visit that began in a period is followed so far beyond its end."""
SETTINGS = "counting"
ALIKE_COVERAGE = 0.1
"""Two periods were seen about equally well where their shares differ by no more."""
MOST_LABELS = 50
MOST_FACTS = 2000
MOST_ASKERS = 4
PATIENCE_S = 0.8
"""So long a question waits while the hub reads ahead: somebody looks at an empty page."""
_Fact = TypeVar("_Fact")
_Asks = ParamSpec("_Asks")
MOST_VISITED = 4
"""Long periods whose visits are remembered, for their number and for how long they were: megabytes each."""
LONGEST_NAME = 100
NAMED_AT_ONCE = 2000
"""Rows of an export whose people are looked up together."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question's cameras, its buckets, and what was seen of them."""

    where: Where
    edges: list[float]
    labels: list[str]
    sight: Sight

    def series(self, total: Estimate, estimates: Sequence[Estimate]) -> Series:
        buckets = zip(pairwise(self.edges), self.labels, estimates, self.sight.shares(self.edges), strict=True)
        points = tuple(Point(*span, label, _figure(estimate, float(share))) for span, label, estimate, share in buckets)
        return Series(_figure(total, self.sight.share()), points, self.sight.coverage())

    def flows(self, by_bucket: Sequence[Flows], line_name: Callable[[str, str], str]) -> tuple[LineFlow, ...]:
        names = {camera.camera_key: (camera.camera, camera.name) for camera in self.where.cameras}
        lines = sorted({line for flows in by_bucket for line in flows})
        shares, share = self.sight.shares(self.edges).tolist(), self.sight.share()
        told: list[LineFlow] = []
        for line in lines:
            crossed = [flows.get(line, (0, 0)) for flows in by_bucket]
            buckets = zip(pairwise(self.edges), self.labels, crossed, shares, strict=True)
            points = tuple(FlowPoint(*span, label, *both, seen) for span, label, both, seen in buckets)
            entered, left = (sum(ways) for ways in zip(*crossed, strict=True))
            of_line = (*names[line[0]], line[1], line_name(names[line[0]][0], line[1]))
            told.append(LineFlow(*of_line, entered, left, points, share))
        return tuple(told)


class Counting:
    """One for the hub; any thread may call. Every method may raise a `CountingError`.

    `most_rows` stay in memory; more are read anew each time. Of more visits than `most_visits` nothing is told.
    """

    def __init__(
        self,
        *,
        store: Store,
        site: LiveSite,
        clock: Callable[[], float],
        most_rows: int = MOST_ROWS,
        most_visits: int = MOST_VISITS,
    ) -> None:
        self._store = store
        self._site = site
        self._clock = clock
        self._most_visits = most_visits
        self._hours = Hours(store, most_rows=most_rows)
        self._rollups = Rollups(self._hours, most_visits=most_visits)
        self._facts: Shelf[Any] = Shelf(MOST_FACTS)
        self._memory = Memory(clock)
        self._visited = Memory(clock, most_answers=MOST_VISITED)
        self.reading_ahead = False
        """Whether the hub has just started and the hours that months are made of are not all in memory."""
        self._askers = ThreadPoolExecutor(MOST_ASKERS, thread_name_prefix="counting")
        store.on_correction(self._forget)

    async def ask(self, question: Callable[_Asks, _Fact], *asked: _Asks.args, **options: _Asks.kwargs) -> _Fact:
        """Ask from the event loop, on one of counting's own threads: a long count keeps no other page waiting.

        Raises StillReading where the answer would take long for that reason; later questions find it sooner.
        """
        future = asyncio.get_running_loop().run_in_executor(self._askers, partial(question, *asked, **options))
        if self.reading_ahead:
            done, _ = await asyncio.wait([future], timeout=PATIENCE_S)
            if not done:
                future.add_done_callback(_forget_outcome)
                raise StillReading
        return await future

    # --- numbers ---------------------------------------------------------------------------------------

    def people_now(self, place: Place = EVERYWHERE) -> PeopleNow:
        """Who is in view at this moment; call it from the event loop, it reads the live picture."""
        where = self._where(place)
        names = {camera.camera for camera in where.cameras}
        view = self._site.view(self._clock(), sees=names.__contains__)
        people = view.people_now
        if where.zone_id is not None:
            here = (zone for camera in view.cameras for zone in camera.zones)
            people = sum(zone.people_now for zone in here if zone.zone_id == where.zone_id)
        up = sum(camera.state is CameraState.UP for camera in view.cameras)
        return PeopleNow(people, up, len(view.cameras))

    def unique_visitors(
        self, period: Period, bucket: Bucket, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> Series:
        """How many different people were seen."""
        return self._memory.answer(
            ("unique_visitors", self._running(period), bucket, place, options),
            length_s=period.to_s - period.from_s,
            work_out=lambda: self._count_unique(period, bucket, place, options),
        )

    def _count_unique(self, period: Period, bucket: Bucket, place: Place, options: CountOptions) -> Series:
        asked = self._asked(period, bucket, place)
        source = self._source(asked.where, options)
        # The whole first: it reads days at a time.
        total = source.people(period.from_s, period.to_s)
        return asked.series(total, source.people_by(asked.edges))

    def visits(
        self, period: Period, bucket: Bucket, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> Series:
        """How many visits began."""
        return self._memory.answer(
            ("visits", self._running(period), bucket, place, options),
            length_s=period.to_s - period.from_s,
            work_out=lambda: self._count_visits(period, bucket, place, options),
        )

    def _count_visits(self, period: Period, bucket: Bucket, place: Place, options: CountOptions) -> Series:
        asked = self._asked(period, bucket, place)
        visits, tally = self._visits(place, period, options)
        source = self._source(asked.where, options)
        counts_by_bucket = _per_bucket(np.sort(visits.start_s), asked.edges)
        estimates = [
            estimate_around(count, source.begun(*span))
            for count, span in zip(counts_by_bucket, pairwise(asked.edges), strict=True)
        ]
        return asked.series(estimate_around(len(visits), tally), estimates)

    def dwell(self, period: Period, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS) -> DwellReport:
        """How long the visits lasted that began in the period."""
        return self._memory.answer(
            ("dwell", self._running(period), place, options),
            length_s=period.to_s - period.from_s,
            work_out=lambda: self._count_dwell(period, place, options),
        )

    def _count_dwell(self, period: Period, place: Place, options: CountOptions) -> DwellReport:
        asked = self._asked(period, Bucket.MONTH, place)
        visits, _ = self._visits(place, period, options)
        dwell = dwell_of(visits.dwell_s)
        bins = zip(pairwise(BIN_EDGES_S), dwell.visits_by_bin, strict=True)
        return DwellReport(
            visits=dwell.visits,
            median_s=_figure(dwell.median_s, asked.sight.share()),
            mean_s=dwell.mean_s,
            p90_s=dwell.p90_s,
            bins=tuple(DwellBin(from_s, to_s, count) for (from_s, to_s), count in bins),
            coverage=asked.sight.coverage(),
        )

    def crossings(
        self, period: Period, bucket: Bucket, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> tuple[LineFlow, ...]:
        """Who went in and out over each line."""
        return self._memory.answer(
            ("crossings", self._running(period), bucket, place, options),
            length_s=period.to_s - period.from_s,
            work_out=lambda: self._count_crossings(period, bucket, place, options),
        )

    def _count_crossings(
        self, period: Period, bucket: Bucket, place: Place, options: CountOptions
    ) -> tuple[LineFlow, ...]:
        asked = self._asked(period, bucket, place)
        chosen = self._chosen(asked.where, options)
        by_bucket = [self._rollups.flows(chosen, *span) for span in pairwise(asked.edges)]
        return asked.flows(by_bucket, self._site.line_name)

    def occupancy(self, place: Place = EVERYWHERE) -> Occupancy:
        """How many are inside now, by the lines."""
        where, now_s = self._where(place), self._clock()
        start, since = self._start(where, place, now_s)
        crossed = self._crossed(where, Period(start.at_s, now_s), frozenset())
        walk = inside(crossed.at_s, crossed.direction, start=start)
        later = crossed.direction[crossed.at_s > start.at_s]
        return Occupancy(
            people=int(walk[-1]) if len(walk) else start.people,
            since=since,
            since_s=start.at_s,
            entered=int((later > 0).sum()),
            left=int((later < 0).sum()),
            highest=int(walk.max()) if len(walk) else start.people,
            coverage=self._sight(where, Period(start.at_s, now_s)).share(),
        )

    def compare(
        self,
        period: Period,
        earlier: Period,
        bucket: Bucket,
        place: Place = EVERYWHERE,
        options: CountOptions = DEFAULTS,
    ) -> Comparison:
        """Unique visitors of two periods."""
        apart_s = round(period.to_s - earlier.to_s)
        return self._memory.answer(
            ("compare", self._running(period), earlier.from_s, apart_s, bucket, place, options),
            length_s=period.to_s - period.from_s,
            work_out=lambda: self._compare(period, earlier, bucket, place, options),
        )

    def _compare(
        self, period: Period, earlier: Period, bucket: Bucket, place: Place, options: CountOptions
    ) -> Comparison:
        now = self.unique_visitors(period, bucket, place, options)
        before = self.unique_visitors(earlier, bucket, place, options)
        apart = now.total.low > before.total.high or before.total.low > now.total.high
        alike = abs(now.total.coverage - before.total.coverage) <= ALIKE_COVERAGE
        change = now.total.value / before.total.value - 1.0 if before.total.value else None
        return Comparison(now, before, change, apart and alike)

    def heat(self, period: Period, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS) -> Heat:
        """Mean unique visitors by weekday and hour, on the site's clock; hours that are still to come are left out."""
        return self._memory.answer(
            ("heat", self._running(period), place, options),
            length_s=period.to_s - period.from_s,
            work_out=lambda: self._count_heat(period, place, options),
        )

    def _count_heat(self, period: Period, place: Place, options: CountOptions) -> Heat:
        hours = self.unique_visitors(period, Bucket.HOUR, place, options)
        site_zone = self._zone(self._where(place))
        cells: dict[tuple[int, int], list[Figure]] = {}
        for point in hours.points:
            if point.from_s < self._clock():
                moment = calendar.local(point.from_s, site_zone)
                cells.setdefault((moment.weekday(), moment.hour), []).append(point.figure)
        return Heat(
            tuple(_cell(weekday, hour, cells.get((weekday, hour), [])) for weekday in range(7) for hour in range(24)),
            hours.coverage,
        )

    def coverage(self, period: Period, place: Place = EVERYWHERE) -> Coverage:
        """How much of the period the cameras saw, and what kept them from the rest."""
        return self._asked(period, Bucket.MONTH, place).sight.coverage()

    def prepare(self, day: Period) -> bool:
        """Work out what long periods take from this day, so that nobody waits for it.

        False where there is no room for more, or nothing was counted until then.
        """
        if self._hours.full or not self._hours.any_before(day.to_s):
            return False
        self.unique_visitors(day, Bucket.HOUR)
        self.visits(day, Bucket.DAY)
        self.crossings(day, Bucket.DAY)
        return True

    # --- rows ------------------------------------------------------------------------------------------

    def visit_rows(
        self, period: Period, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> Iterator[VisitRow]:
        """The visits behind `visits`, by their beginning: as many rows as its total says."""
        visits, _ = self._visits(place, period, options)
        return self._visit_rows(self._where(place), place, visits)

    def _visit_rows(self, where: Where, place: Place, visits: Visits) -> Iterator[VisitRow]:
        cameras = {camera.camera_key: (camera.site_name, camera.camera, camera.name) for camera in where.cameras}
        zone = (place.zone_id or "", self._zone_name(place))
        in_order = np.argsort(visits.start_s, kind="stable")
        for some in np.split(in_order, range(NAMED_AT_ONCE, len(in_order), NAMED_AT_ONCE)):
            names = self._names(np.unique(visits.who[some]).tolist())
            for row in some:
                who = names.get(int(visits.who[row]), ("", ""))
                from_s, to_s = float(visits.start_s[row]), float(visits.end_s[row])
                yield VisitRow(*who, *cameras[int(visits.camera[row])], *zone, from_s, to_s, to_s - from_s)

    def crossing_rows(
        self, period: Period, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> Iterator[CrossingEntry]:
        """The crossings behind `crossings`, by time."""
        return self._crossing_rows(self._where(place), period, options)

    def _crossing_rows(self, where: Where, period: Period, options: CountOptions) -> Iterator[CrossingEntry]:
        cameras = {camera.camera_key: (camera.site_name, camera.camera, camera.name) for camera in where.cameras}
        # A day at a time: years of them need no more memory.
        for from_s in np.arange(period.from_s, period.to_s, DAY_S).tolist():
            day = Period(from_s, min(from_s + DAY_S, period.to_s))
            crossed = self._crossed(where, day, self._left_out(options))
            names = self._names(np.unique(crossed.who).tolist())
            for row, at_s in enumerate(crossed.at_s.tolist()):
                who = names.get(int(crossed.who[row]), ("", ""))
                there, line_id = cameras[int(crossed.camera[row])], crossed.line_ids[row]
                line_name = self._site.line_name(there[1], line_id)
                yield CrossingEntry(at_s, *there, line_id, line_name, int(crossed.direction[row]), *who)

    def place_name(self, place: Place) -> str:
        """A place as people call it; empty for everywhere. Raises UnknownPlace."""
        where = self._where(place)
        if place.camera is not None:
            return ": ".join(name for name in (where.cameras[0].name, self._zone_name(place)) if name)
        return next((site.name for site in self.sites() if site.site_id == place.site_id), "")

    # --- what people set -------------------------------------------------------------------------------

    def adjust(self, place: Place, people: int, actor: str) -> Occupancy:
        """So many are inside at this moment, whatever was counted."""
        if not 0 <= people < 1_000_000:
            raise BadCounting("so many people cannot be inside: give a number from 0 to 999,999")
        self._where(place)
        with self._store.writing() as connection:
            counts.adjust(connection, _place_name(place), counts.Adjustment(self._clock(), people, actor))
        return self.occupancy(place)

    def settings(self) -> CountingSettings:
        """How the hub counts unless asked otherwise."""
        return self._fact("settings", self._read_settings)

    def _read_settings(self) -> CountingSettings:
        with self._store.reading() as connection:
            kept = access.read_setting(connection, SETTINGS)
        return CountingSettings() if kept is None else msgspec.convert(kept, CountingSettings)

    def set_settings(self, settings: CountingSettings) -> None:
        """Keep them; raises BadCounting and then nothing has changed."""
        if not 0.0 <= settings.re_entry_s <= DAY_S:
            raise BadCounting("the re-entry window lies between 0 and 24 hours")
        if len(settings.leave_out) > MOST_LABELS or not all(word.strip() for word in settings.leave_out):
            raise BadCounting(f"labels to leave out are at most {MOST_LABELS}, and none is empty")
        if settings.reset_at:
            calendar.time_of_day(settings.reset_at)
        calendar.zone(settings.time_zone)
        with self._store.writing() as connection:
            access.write_setting(connection, SETTINGS, asdict(settings))
        self._forget()

    def sites(self) -> tuple[Site, ...]:
        """Every site, the first one first."""
        with self._store.reading() as connection:
            cameras = counts.camera_places(connection)
            records = counts.site_records(connection)
        return tuple(
            Site(
                site.site_id,
                site.name,
                site.time_zone,
                tuple(camera.camera for camera in cameras if camera.site_id == site.site_id),
            )
            for site in records
        )

    def save_site(self, site_id: str, name: str, time_zone: str = "") -> None:
        """Make a site or change it. A `site_id` is letters, digits and dashes."""
        plain = site_id.replace("-", "")
        if not (plain.isascii() and plain.isalnum() and len(site_id) <= LONGEST_NAME):
            raise BadCounting("a site's id consists of letters, digits and dashes")
        if not 0 < len(name.strip()) <= LONGEST_NAME:
            raise BadCounting(f"a site needs a name of at most {LONGEST_NAME} characters")
        calendar.zone(time_zone)
        with self._store.writing() as connection:
            counts.save_site(connection, counts.SiteRecord(site_id, name.strip(), time_zone))
        self._forget()

    def remove_site(self, site_id: str) -> None:
        """Its cameras go back to the first site, which cannot be removed."""
        known = [site.site_id for site in self.sites()]
        if site_id not in known:
            raise UnknownPlace("there is no such site")
        if site_id == known[0]:
            raise BadCounting("the first site cannot be removed: rename it instead")
        with self._store.writing() as connection:
            counts.remove_site(connection, site_id)
        self._forget()

    def assign_camera(self, camera: str, site_id: str) -> None:
        """Give a camera to a site, with all that it ever saw."""
        if site_id not in {site.site_id for site in self.sites()}:
            raise UnknownPlace("there is no such site")
        with self._store.writing() as connection:
            if not counts.assign_camera(connection, camera, site_id):
                raise UnknownPlace("there is no such camera")
        self._forget()

    def day(self, at_s: float, place: Place = EVERYWHERE) -> Period:
        """The local day around a moment, on the place's clock."""
        return calendar.day_of(at_s, self._zone(self._where(place)))

    # --- parts -----------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._memory.forget()
        self._visited.forget()

    def _running(self, period: Period) -> tuple[float, float | None]:
        """A period as a question's name: one that lasts until now is the same a moment later."""
        lasts = abs(period.to_s - self._clock()) <= JUST_NOW_S
        return period.from_s, None if lasts else period.to_s

    def _zone(self, where: Where) -> tzinfo:
        return calendar.zone(where.time_zone or self.settings().time_zone)

    def _asked(self, period: Period, bucket: Bucket, place: Place) -> _Asked:
        where = self._where(place)
        site_zone = self._zone(where)
        edges = calendar.edges(period, bucket, site_zone)
        labels = [calendar.label(at_s, site_zone) for at_s in edges[:-1]]
        return _Asked(where, edges, labels, self._sight(where, period))

    def _sight(self, where: Where, period: Period) -> Sight:
        asked, now_s, open_gaps = (period.from_s, period.to_s), self._clock(), self._open_gaps()
        return self._facts.take(
            ("sight", where, asked),
            # What is open or runs now goes on: a second later it is looked at again.
            (self._store.revision, floor(now_s), frozenset(open_gaps)),
            lambda: places.sight(self._store, where, asked, now_s=now_s, open_gaps=open_gaps),
        )

    def _where(self, place: Place) -> Where:
        return self._fact(("where", place), lambda: places.find(self._store, place))

    def _fact(self, question: Hashable, read: Callable[[], _Fact]) -> _Fact:
        """What the database says, read again once anything has been written."""
        return cast("_Fact", self._facts.take(question, self._store.revision, read))

    def _zone_name(self, place: Place) -> str:
        return self._site.zone_name(place.camera or "", place.zone_id) if place.zone_id is not None else ""

    def _open_gaps(self) -> dict[str, Gap]:
        """Cameras whose node lives but sees nothing at present: it tells of the gap when that is over."""
        return {
            camera: Gap((since_s, self._clock()), reason, by_node=True)
            for camera, since_s, reason in self._site.lost_sources()
        }

    def _left_out(self, options: CountOptions) -> frozenset[int]:
        """The keys of whoever is not counted."""
        words = self.settings().leave_out if options.leave_out is None else options.leave_out
        if not words:
            return frozenset()
        return self._fact(("left out", words), lambda: self._find_left_out(words))

    def _find_left_out(self, words: Sequence[str]) -> frozenset[int]:
        with self._store.reading() as connection:
            named = counts.labelled(connection)
        return frozenset(one.identity_key for one in named if _called(one.label or "", words))

    def _chosen(self, where: Where, options: CountOptions) -> Chosen:
        return Chosen(None if where.everywhere else frozenset(where.keys.tolist()), self._left_out(options))

    def _source(self, where: Where, options: CountOptions) -> Source:
        chosen = self._chosen(where, options)
        if where.zone_id is not None:
            return ZoneStays(self._hours, chosen, where.zone_id, self._most_visits)
        return Views(self._rollups, chosen)

    def _visits(self, place: Place, period: Period, options: CountOptions) -> tuple[Visits, Tally]:
        """The visits that began in the period, and the tally of the appearances that began then."""
        re_entry_s = self.settings().re_entry_s if options.re_entry_s is None else options.re_entry_s
        if not re_entry_s >= 0.0:
            raise BadPeriod("the re-entry window cannot be negative")
        return self._visited.answer(
            (self._running(period), place, options, re_entry_s),
            length_s=period.to_s - period.from_s,
            work_out=lambda: self._find_visits(place, period, options, re_entry_s),
        )

    def _find_visits(
        self, place: Place, period: Period, options: CountOptions, re_entry_s: float
    ) -> tuple[Visits, Tally]:
        source = self._source(self._where(place), options)
        span = (period.from_s, period.to_s)
        if re_entry_s == inf:
            return source.visits(*span, re_entry_s=inf), source.tally(*span)
        # Whoever was here shortly before goes on with a visit that began then.
        around = (period.from_s - min(re_entry_s, DAY_S), period.to_s + LONGEST_AFTER_S)
        visits = source.visits(*around, re_entry_s=re_entry_s)
        began = (visits.start_s >= period.from_s) & (visits.start_s < period.to_s)
        return visits.where(began), source.begun(*span)

    def _crossed(self, where: Where, period: Period, left_out: frozenset[int]) -> Crossed:
        crossed = self._hours.crossed(period.from_s, period.to_s)
        if not where.everywhere:
            crossed = crossed.where(np.isin(crossed.camera, where.keys))
        return crossed.where(~np.isin(crossed.who, list(left_out))) if left_out else crossed

    def _start(self, where: Where, place: Place, now_s: float) -> tuple[Level, str]:
        """From what moment, and what level, occupancy is counted."""
        reset_at = self.settings().reset_at
        reset_s = calendar.last_time_of_day(reset_at, now_s, self._zone(where)) if reset_at else now_s - 7 * DAY_S
        with self._store.reading() as connection:
            adjusted = counts.latest_adjustment(connection, _place_name(place))
        if adjusted is not None and adjusted.at_s >= reset_s:
            return Level(adjusted.at_s, adjusted.people), "adjusted"
        return Level(reset_s, 0), "reset" if reset_at else "counted"

    def _names(self, who: Sequence[int]) -> dict[int, tuple[str, str]]:
        with self._store.reading() as connection:
            named = counts.named(connection, who)
        return {key: (one.identity_id, one.label or "") for key, one in named.items()}


def _figure(estimate: Estimate, coverage: float) -> Figure:
    return Figure(estimate.value, estimate.low, estimate.high, coverage)


def _forget_outcome(future: asyncio.Future[Any]) -> None:
    """Nobody waits for it any more, whatever became of it."""
    if not future.cancelled():
        future.exception()


def _per_bucket(at_s: Real, edges: Sequence[float]) -> list[int]:
    """How many moments lie in each half-open bucket."""
    return np.diff(np.searchsorted(at_s, edges, side="left")).tolist()


def _cell(weekday: int, hour: int, figures: Sequence[Figure]) -> HeatCell:
    # An hour that no camera saw is not an hour without people.
    seen = [figure.value for figure in figures if figure.coverage]
    times = len(figures)
    mean = sum(seen) / len(seen) if seen else 0.0
    coverage = sum(figure.coverage for figure in figures) / times if times else 0.0
    return HeatCell(weekday, hour, mean, times, coverage)


def _called(label: str, words: Sequence[str]) -> bool:
    """Whether a label is one of the words, or begins with one ("Staff Anna", "Staff: Anna")."""
    named = label.strip().casefold()
    return any(
        named == word.strip().casefold()
        or (named.startswith(word.strip().casefold()) and not named[len(word.strip().casefold())].isalnum())
        for word in words
    )


def _place_name(place: Place) -> str:
    """What an adjustment is kept under."""
    if place.zone_id is not None:
        return f"zone:{place.camera}/{place.zone_id}"
    if place.camera is not None:
        return f"camera:{place.camera}"
    return f"site:{place.site_id or ''}"
