"""Counting as pages, API and integrations call it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import tzinfo
from itertools import pairwise
from math import inf

import msgspec
import numpy as np

from ruid_core.occupancy import (
    BIN_EDGES_S,
    Appearances,
    Estimate,
    Gap,
    Level,
    Visits,
    dwell_of,
    levels,
    unique_people,
    visits_estimate,
    visits_of,
)
from ruid_core.occupancy.values import Flags, Real
from ruid_hub.counting import calendar, places
from ruid_hub.counting.errors import BadCounting, BadPeriod, UnknownPlace
from ruid_hub.counting.hours import HOUR_S, Crossed, Hours
from ruid_hub.counting.memory import Memory
from ruid_hub.counting.places import Sight, Where
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
LONGEST_STAY_S = DAY_S
"""How long before a period a stay in a zone may have begun that goes on into it."""
LONGEST_AFTER_S = 6 * HOUR_S
"""A visit that began in a period is followed so far beyond its end."""
SETTINGS = "counting"
ALIKE_COVERAGE = 0.1
"""Two periods were seen about equally well where their shares differ by no more."""
MOST_LABELS = 50
LONGEST_NAME = 100


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


class Counting:
    """One for the hub; any thread may call. Every method may raise a `CountingError`."""

    def __init__(self, *, store: Store, site: LiveSite, clock: Callable[[], float]) -> None:
        self._store = store
        self._site = site
        self._clock = clock
        self._hours = Hours(store)
        self._memory = Memory(clock)
        store.on_correction(self._memory.forget)

    # --- numbers ---------------------------------------------------------------------------------------

    def people_now(self, place: Place = EVERYWHERE) -> PeopleNow:
        """Who is in view at this moment; call it from the event loop, it reads the live picture."""
        where = places.find(self._store, place)
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
            ("unique_visitors", period, bucket, place, options),
            length_s=period.to_s - period.from_s,
            work_out=lambda: self._count_unique(period, bucket, place, options),
        )

    def _count_unique(self, period: Period, bucket: Bucket, place: Place, options: CountOptions) -> Series:
        asked = self._asked(period, bucket, place)
        left_out = self._left_out(options)
        estimates = [unique_people(self._seen(asked.where, span, left_out)) for span in pairwise(asked.edges)]
        total = unique_people(self._seen(asked.where, (period.from_s, period.to_s), left_out))
        return asked.series(total, estimates)

    def visits(
        self, period: Period, bucket: Bucket, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> Series:
        """How many visits began."""
        return self._memory.answer(
            ("visits", period, bucket, place, options),
            length_s=period.to_s - period.from_s,
            work_out=lambda: self._count_visits(period, bucket, place, options),
        )

    def _count_visits(self, period: Period, bucket: Bucket, place: Place, options: CountOptions) -> Series:
        asked = self._asked(period, bucket, place)
        seen, visits = self._visits(asked.where, period, options)
        estimates = [
            visits_estimate(
                visits.where((visits.start_s >= from_s) & (visits.start_s < to_s)),
                seen.where((seen.start_s >= from_s) & (seen.start_s < to_s)),
            )
            for from_s, to_s in pairwise(asked.edges)
        ]
        return asked.series(visits_estimate(visits, seen), estimates)

    def dwell(self, period: Period, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS) -> DwellReport:
        """How long the visits lasted that began in the period."""
        return self._memory.answer(
            ("dwell", period, place, options),
            length_s=period.to_s - period.from_s,
            work_out=lambda: self._count_dwell(period, place, options),
        )

    def _count_dwell(self, period: Period, place: Place, options: CountOptions) -> DwellReport:
        asked = self._asked(period, Bucket.MONTH, place)
        _, visits = self._visits(asked.where, period, options)
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
            ("crossings", period, bucket, place, options),
            length_s=period.to_s - period.from_s,
            work_out=lambda: self._count_crossings(period, bucket, place, options),
        )

    def _count_crossings(
        self, period: Period, bucket: Bucket, place: Place, options: CountOptions
    ) -> tuple[LineFlow, ...]:
        asked = self._asked(period, bucket, place)
        crossed = self._crossed(asked.where, period, self._left_out(options))
        names = {camera.camera_key: camera.camera for camera in asked.where.cameras}
        lines = sorted({*zip(crossed.camera.tolist(), crossed.line_ids, strict=True)})
        line_ids = np.array(crossed.line_ids, dtype=np.str_)
        return tuple(
            _flow(asked, crossed, (crossed.camera == key) & (line_ids == line_id), names[key], line_id)
            for key, line_id in lines
        )

    def occupancy(self, place: Place = EVERYWHERE) -> Occupancy:
        """How many are inside now, by the lines."""
        where, now_s = places.find(self._store, place), self._clock()
        start, since = self._start(where, place, now_s)
        crossed = self._crossed(where, Period(start.at_s, now_s), frozenset())
        walk = levels(crossed.at_s, crossed.direction, start=start)
        later = crossed.direction[crossed.at_s > start.at_s]
        return Occupancy(
            people=walk[-1].people if walk else start.people,
            since=since,
            since_s=start.at_s,
            entered=int((later > 0).sum()),
            left=int((later < 0).sum()),
            highest=max((level.people for level in walk), default=start.people),
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
        now = self.unique_visitors(period, bucket, place, options)
        before = self.unique_visitors(earlier, bucket, place, options)
        apart = now.total.low > before.total.high or before.total.low > now.total.high
        alike = abs(now.total.coverage - before.total.coverage) <= ALIKE_COVERAGE
        change = now.total.value / before.total.value - 1.0 if before.total.value else None
        return Comparison(now, before, change, apart and alike)

    def heat(self, period: Period, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS) -> Heat:
        """Mean unique visitors by weekday and hour, on the site's clock; hours that are still to come are left out."""
        return self._memory.answer(
            ("heat", period, place, options),
            length_s=period.to_s - period.from_s,
            work_out=lambda: self._count_heat(period, place, options),
        )

    def _count_heat(self, period: Period, place: Place, options: CountOptions) -> Heat:
        hours = self.unique_visitors(period, Bucket.HOUR, place, options)
        site_zone = self._zone(places.find(self._store, place))
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

    # --- rows ------------------------------------------------------------------------------------------

    def visit_rows(
        self, period: Period, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> Iterator[VisitRow]:
        """The visits behind `visits`, by their beginning: as many rows as its total says."""
        where = places.find(self._store, place)
        _, visits = self._visits(where, period, options)
        names = self._names(np.unique(visits.who).tolist())
        cameras = {camera.camera_key: camera.camera for camera in where.cameras}
        for row in np.argsort(visits.start_s, kind="stable"):
            identity_id, label = names.get(int(visits.who[row]), ("", ""))
            from_s, to_s = float(visits.start_s[row]), float(visits.end_s[row])
            yield VisitRow(identity_id, label, cameras[int(visits.camera[row])], from_s, to_s, to_s - from_s)

    def crossing_rows(
        self, period: Period, place: Place = EVERYWHERE, options: CountOptions = DEFAULTS
    ) -> Iterator[CrossingEntry]:
        """The crossings behind `crossings`, by time."""
        where = places.find(self._store, place)
        crossed = self._crossed(where, period, self._left_out(options))
        names = self._names(np.unique(crossed.who).tolist())
        cameras = {camera.camera_key: camera.camera for camera in where.cameras}
        for row, at_s in enumerate(crossed.at_s.tolist()):
            identity_id, label = names.get(int(crossed.who[row]), ("", ""))
            camera, direction = cameras[int(crossed.camera[row])], int(crossed.direction[row])
            yield CrossingEntry(at_s, camera, crossed.line_ids[row], direction, identity_id, label)

    # --- what people set -------------------------------------------------------------------------------

    def adjust(self, place: Place, people: int, actor: str) -> Occupancy:
        """So many are inside at this moment, whatever was counted."""
        if not 0 <= people < 1_000_000:
            raise BadCounting("so many people cannot be inside: give a number from 0 to 999,999")
        places.find(self._store, place)
        with self._store.writing() as connection:
            counts.adjust(connection, _place_name(place), counts.Adjustment(self._clock(), people, actor))
        return self.occupancy(place)

    def settings(self) -> CountingSettings:
        """How the hub counts unless asked otherwise."""
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
        self._memory.forget()

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
        self._memory.forget()

    def remove_site(self, site_id: str) -> None:
        """Its cameras go back to the first site, which cannot be removed."""
        known = [site.site_id for site in self.sites()]
        if site_id not in known:
            raise UnknownPlace("there is no such site")
        if site_id == known[0]:
            raise BadCounting("the first site cannot be removed: rename it instead")
        with self._store.writing() as connection:
            counts.remove_site(connection, site_id)
        self._memory.forget()

    def assign_camera(self, camera: str, site_id: str) -> None:
        """Give a camera to a site, with all that it ever saw."""
        if site_id not in {site.site_id for site in self.sites()}:
            raise UnknownPlace("there is no such site")
        with self._store.writing() as connection:
            if not counts.assign_camera(connection, camera, site_id):
                raise UnknownPlace("there is no such camera")
        self._memory.forget()

    def day(self, at_s: float, place: Place = EVERYWHERE) -> Period:
        """The local day around a moment, on the place's clock."""
        return calendar.day_of(at_s, self._zone(places.find(self._store, place)))

    # --- parts -----------------------------------------------------------------------------------------

    def _zone(self, where: Where) -> tzinfo:
        return calendar.zone(where.time_zone or self.settings().time_zone)

    def _asked(self, period: Period, bucket: Bucket, place: Place) -> _Asked:
        where = places.find(self._store, place)
        site_zone = self._zone(where)
        edges = calendar.edges(period, bucket, site_zone)
        labels = [calendar.label(at_s, site_zone) for at_s in edges[:-1]]
        return _Asked(where, edges, labels, self._sight(where, period))

    def _sight(self, where: Where, period: Period) -> Sight:
        asked = (period.from_s, period.to_s)
        return places.sight(self._store, where, asked, now_s=self._clock(), open_gaps=self._open_gaps())

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
        with self._store.reading() as connection:
            named = counts.labelled(connection)
        return frozenset(one.identity_key for one in named if _called(one.label or "", words))

    def _seen(self, where: Where, span: tuple[float, float], left_out: frozenset[int]) -> Appearances:
        """Everybody who was in view in the place during a part of the span."""
        if where.zone_id is None:
            seen = self._hours.appearances(*span)
        else:
            stays = self._hours.stays(*span, back_s=LONGEST_STAY_S)
            here = np.fromiter((zone_id == where.zone_id for zone_id in stays.zone_ids), np.bool_, len(stays))
            seen = stays.seen.where(here)
        if not where.everywhere:
            seen = seen.where(np.isin(seen.camera, where.keys))
        return seen.where(~np.isin(seen.who, list(left_out))) if left_out else seen

    def _visits(self, where: Where, period: Period, options: CountOptions) -> tuple[Appearances, Visits]:
        """The visits that began in the period, and the appearances that began then."""
        re_entry_s = self.settings().re_entry_s if options.re_entry_s is None else options.re_entry_s
        if not re_entry_s >= 0.0:
            raise BadPeriod("the re-entry window cannot be negative")
        if re_entry_s == inf:
            seen = self._seen(where, (period.from_s, period.to_s), self._left_out(options))
            return seen, visits_of(seen, re_entry_s=re_entry_s)
        # Whoever was here shortly before goes on with a visit that began then.
        around = (period.from_s - min(re_entry_s, DAY_S), period.to_s + LONGEST_AFTER_S)
        seen = self._seen(where, around, self._left_out(options))
        visits = visits_of(seen, re_entry_s=re_entry_s)
        began = (visits.start_s >= period.from_s) & (visits.start_s < period.to_s)
        return seen.where((seen.start_s >= period.from_s) & (seen.start_s < period.to_s)), visits.where(began)

    def _crossed(self, where: Where, period: Period, left_out: frozenset[int]) -> Crossed:
        crossed = self._hours.crossed(period.from_s, period.to_s)
        chosen = np.isin(crossed.camera, where.keys) & ~np.isin(crossed.who, list(left_out))
        rows = np.flatnonzero(chosen)
        return Crossed(
            crossed.at_s[rows],
            crossed.camera[rows],
            crossed.direction[rows],
            crossed.who[rows],
            tuple(crossed.line_ids[row] for row in rows),
        )

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


def _flow(asked: _Asked, crossed: Crossed, over: Flags, camera: str, line_id: str) -> LineFlow:
    """The crossings that are `over` (N,) one line."""
    entered = _per_bucket(crossed.at_s[over & (crossed.direction > 0)], asked.edges)
    left = _per_bucket(crossed.at_s[over & (crossed.direction < 0)], asked.edges)
    shares = asked.sight.shares(asked.edges).tolist()
    buckets = zip(pairwise(asked.edges), asked.labels, entered, left, shares, strict=True)
    points = tuple(FlowPoint(*span, label, came, went, share) for span, label, came, went, share in buckets)
    return LineFlow(camera, line_id, sum(entered), sum(left), points, asked.sight.share())


def _figure(estimate: Estimate, coverage: float) -> Figure:
    return Figure(estimate.value, estimate.low, estimate.high, coverage)


def _per_bucket(at_s: Real, edges: Sequence[float]) -> list[int]:
    """How many moments lie in each half-open bucket."""
    return np.diff(np.searchsorted(at_s, edges, side="left")).tolist()


def _cell(weekday: int, hour: int, figures: Sequence[Figure]) -> HeatCell:
    times = len(figures)
    mean = sum(figure.value for figure in figures) / times if times else 0.0
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
