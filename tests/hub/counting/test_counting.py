"""Numbers from the store: who, how often, how long, over which line, how sure, and how much was seen."""

import asyncio
from collections.abc import Callable
from math import inf
from threading import Event

import pytest

from hub_fakes import NOON_S, FakeClock, health, hello, live, observation, row, track
from ruid_hub.counting import (
    BadCounting,
    BadPeriod,
    Bucket,
    Counting,
    CountingSettings,
    CountOptions,
    Period,
    Place,
    UnknownPlace,
)
from ruid_hub.observations import Assignment, CoverageGap
from ruid_hub.site import Site
from ruid_hub.store import Arrival, CrossingRow, GapRow, ObservationRow, StayRow, Store

HOUR_S = 3600.0
FROM_S = NOON_S - NOON_S % HOUR_S
DAY = Period(FROM_S, FROM_S + 24 * HOUR_S)
CAMERA = "node-1/cam"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(DAY.to_s)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def counting(store: Store, site: Site, clock: FakeClock) -> Counting:
    return Counting(store=store, site=site, clock=clock)


def crossing(seq: int, direction: int, *, at_s: float, track_id: int = 1, line_id: str = "middle") -> CrossingRow:
    return CrossingRow("node-1", 1, seq, track(track_id), line_id, direction, at_s)


def stay(
    seq: int, *, track_id: int, from_s: float, to_s: float, zone_id: str = "till", number: int = 0, final: bool = True
) -> StayRow:
    return StayRow("node-1", 1, seq, track(track_id), zone_id, number, from_s, to_s, final)


class TestUniqueVisitors:
    def test_each_hour_has_its_own_and_they_do_not_add_up(self, store: Store, counting: Counting):
        store.commit(
            [
                row(1, "ada", at_s=FROM_S + 100),
                row(2, "bob", at_s=FROM_S + 200),
                row(3, "ada", at_s=FROM_S + HOUR_S + 100),
            ]
        )
        series = counting.unique_visitors(DAY, Bucket.HOUR)
        assert series.total.value == 2
        assert [point.figure.value for point in series.points[:3]] == [2, 1, 0]
        assert len(series.points) == 24
        assert series.points[0].from_s == FROM_S

    def test_a_late_delivery_is_counted_where_it_belongs(self, store: Store, counting: Counting):
        store.commit([row(1, "ada", at_s=FROM_S + 100)])
        assert counting.unique_visitors(DAY, Bucket.HOUR).total.value == 1
        store.commit([row(2, "bob", node_id="node-2", at_s=FROM_S + 150)])
        series = counting.unique_visitors(DAY, Bucket.HOUR)
        assert (series.total.value, series.points[0].figure.value) == (2, 2)

    def test_a_correction_corrects_history(self, store: Store, counting: Counting):
        store.commit([row(1, "ada", at_s=FROM_S + 100), row(2, "bob", at_s=FROM_S + 200)])
        assert counting.unique_visitors(DAY, Bucket.DAY).total.value == 2
        store.revise([(str(track(2)), "ada")])
        assert counting.unique_visitors(DAY, Bucket.DAY).total.value == 1

    def test_doubt_widens_the_interval(self, store: Store, counting: Counting):
        sure = ObservationRow(observation(1, at_s=FROM_S + 100), Assignment("ada", "new", 1.0))
        doubtful = ObservationRow(observation(2, at_s=FROM_S + 200), Assignment("bob", "new", 0.7))
        store.commit([sure, doubtful])
        total = counting.unique_visitors(DAY, Bucket.DAY).total
        assert (total.value, total.low, total.high) == (2, 1, 2)

    def test_a_track_is_doubted_once_however_many_hours_it_lasts(self, store: Store, counting: Counting):
        parts: list[ObservationRow] = []
        for part in range(4):
            seen = observation(part + 1, track_id=9, at_s=FROM_S + 100 + part * HOUR_S)
            object.__setattr__(seen, "part", part)
            parts.append(ObservationRow(seen, Assignment("ada", "matched", 0.9)))
        store.commit(parts)
        assert counting.unique_visitors(DAY, Bucket.DAY).total.high == 2

    def test_staff_are_left_out_by_label(self, store: Store, counting: Counting, name_them: Callable[[str, str], None]):
        store.commit([row(seq, name, at_s=FROM_S + 100) for seq, name in enumerate(("ada", "bob", "eve"), 1)])
        name_them("ada", "Staff: Ada")
        name_them("bob", "Staffordshire Bob")
        assert counting.unique_visitors(DAY, Bucket.DAY).total.value == 2
        assert counting.unique_visitors(DAY, Bucket.DAY, options=CountOptions(leave_out=())).total.value == 3
        only_eve = CountOptions(leave_out=("staff", "staffordshire"))
        assert counting.unique_visitors(DAY, Bucket.DAY, options=only_eve).total.value == 1

    def test_by_camera_and_by_what_the_asker_may_see(self, store: Store, counting: Counting):
        store.commit([row(1, "ada", at_s=FROM_S + 9), row(2, "bob", camera_id="yard", at_s=FROM_S + 9)])
        yard = Place(camera="node-1/yard")
        assert counting.unique_visitors(DAY, Bucket.DAY, yard).total.value == 1
        mine = Place(allowed=frozenset({CAMERA}))
        assert counting.unique_visitors(DAY, Bucket.DAY, mine).total.value == 1
        with pytest.raises(UnknownPlace):
            counting.unique_visitors(DAY, Bucket.DAY, Place(camera="node-1/yard", allowed=frozenset({CAMERA})))

    def test_a_zone_counts_who_stayed_in_it(self, store: Store, counting: Counting):
        store.commit(
            [
                row(1, "ada", track_id=1, at_s=FROM_S + 60),
                row(2, "bob", track_id=2, at_s=FROM_S + 60),
                row(3, "ada", track_id=3, at_s=FROM_S + 700),
                stay(4, track_id=1, from_s=FROM_S + 10, to_s=FROM_S + 40),
                stay(5, track_id=3, from_s=FROM_S + 600, to_s=FROM_S + 650),
                stay(6, track_id=2, from_s=FROM_S + 600, to_s=FROM_S + 650, zone_id="door"),
            ]
        )
        till = Place(camera=CAMERA, zone_id="till")
        assert counting.unique_visitors(DAY, Bucket.DAY, till).total.value == 1
        assert counting.visits(DAY, Bucket.DAY, till, CountOptions(re_entry_s=60)).total.value == 2
        assert counting.dwell(DAY, till, CountOptions(re_entry_s=60)).median_s.value == 40

    def test_a_stay_that_goes_on_replaces_itself(self, store: Store, counting: Counting):
        store.commit([row(1, "ada", track_id=1, at_s=FROM_S + 60)])
        for seq, to_s in ((2, 20), (3, 40), (4, 300)):
            outcome = store.commit([stay(seq, track_id=1, from_s=FROM_S + 10, to_s=FROM_S + to_s, final=seq == 4)])
            assert outcome.stored == 1
        again = store.commit([stay(3, track_id=1, from_s=FROM_S + 10, to_s=FROM_S + 40, final=False)])
        assert (again.stored, again.duplicates) == (0, 1)
        till = Place(camera=CAMERA, zone_id="till")
        assert counting.dwell(DAY, till).mean_s == 290

    def test_bad_periods_are_refused(self, counting: Counting):
        with pytest.raises(BadPeriod, match="ends before"):
            counting.unique_visitors(Period(5, 5), Bucket.DAY)
        with pytest.raises(BadPeriod, match="too many"):
            counting.unique_visitors(Period(0, 3e9), Bucket.HOUR)

    def test_it_compares_two_periods(self, store: Store, counting: Counting, clock: FakeClock):
        clock.now_s = DAY.to_s + 24 * HOUR_S
        store.record_arrivals([Arrival("node-1", 1, DAY.from_s)])
        store.commit([row(seq, f"p{seq}", at_s=DAY.from_s + 100) for seq in (1, 2)])
        store.commit([row(seq, f"p{seq}", at_s=DAY.to_s + 100) for seq in (3, 4, 5)])
        store.record_heard({CAMERA: clock.now_s})
        later = Period(DAY.to_s, DAY.to_s + 24 * HOUR_S)
        sure = [Assignment(f"p{seq}", "new", 1.0) for seq in range(6, 20)]
        store.commit([ObservationRow(observation(6 + n, at_s=DAY.to_s + 500), answer) for n, answer in enumerate(sure)])
        comparison = counting.compare(later, DAY, Bucket.DAY)
        assert (comparison.now.total.value, comparison.before.total.value, comparison.change) == (17, 2, 7.5)
        assert comparison.certain
        assert counting.compare(later, Period(0, 86400), Bucket.DAY).change is None


class TestDoubtOfWhoeverStandsAlone:
    """An answer that nobody is sure of counts somebody twice where the track stands alone, and hides one elsewhere."""

    @staticmethod
    def told(seq: int, who: str, state: str, *, probability: float = 0.6, at_s: float = FROM_S + 100) -> ObservationRow:
        return ObservationRow(observation(seq, at_s=at_s), Assignment(who, state, probability))

    @staticmethod
    def people(counting: Counting) -> tuple[float, float, float]:
        total = counting.unique_visitors(DAY, Bucket.DAY).total
        return total.value, total.low, total.high

    @pytest.mark.parametrize("state", ["pending", "uncertain"])
    def test_a_lone_track_may_be_somebody_who_was_counted_already(self, store: Store, counting: Counting, state: str):
        store.commit([self.told(1, "ada", "new", probability=1.0), self.told(2, "bob", state)])
        assert self.people(counting) == (2, 1, 2)

    @pytest.mark.parametrize("together", [True, False])
    def test_a_second_track_may_be_somebody_hidden(self, store: Store, counting: Counting, together: bool):
        rows = [self.told(1, "ada", "new", probability=1.0), self.told(2, "ada", "uncertain")]
        for batch in [rows] if together else [rows[:1], rows[1:]]:
            store.commit(batch)
        assert self.people(counting) == (1, 1, 3)

    def test_a_track_stays_the_one_that_its_identity_was_made_for_when_others_join_it(
        self, store: Store, counting: Counting
    ):
        founder = [self.told(1, "ada", "new", probability=1.0), self.told(2, "bob", "pending")]
        store.commit([*founder, self.told(3, "bob", "matched", probability=1.0)])
        assert self.people(counting) == (2, 1, 2)
        later = observation(4, track_id=2, at_s=FROM_S + 110)
        object.__setattr__(later, "part", 1)
        store.commit([ObservationRow(later, Assignment("bob", "uncertain", 0.6))])
        assert self.people(counting) == (2, 1, 2)

    def test_once_it_goes_over_to_somebody_known_it_may_be_somebody_hidden(self, store: Store, counting: Counting):
        store.commit([self.told(1, "ada", "new", probability=1.0), self.told(2, "bob", "pending")])
        store.revise([(str(track(2)), "ada")])
        assert self.people(counting) == (1, 1, 3)
        again = observation(3, track_id=2, at_s=FROM_S + 110)
        object.__setattr__(again, "part", 1)
        store.commit([ObservationRow(again, Assignment("eve", "uncertain", 0.6))])
        assert self.people(counting) == (2, 1, 2)
        last = observation(4, track_id=2, at_s=FROM_S + 120)
        object.__setattr__(last, "part", 2)
        store.commit([ObservationRow(last, Assignment("ada", "uncertain", 0.6))])
        assert self.people(counting) == (1, 1, 3)

    def test_taken_out_of_an_identity_it_stands_alone_again(self, store: Store, counting: Counting):
        store.commit([self.told(1, "ada", "new", probability=1.0), self.told(2, "ada", "matched")])
        assert self.people(counting) == (1, 1, 3)
        store.revise([(str(track(2)), "bob")])
        assert self.people(counting) == (2, 1, 2)

    def test_whoever_is_left_behind_is_whom_the_identity_is_of(self, store: Store, counting: Counting):
        left = self.told(2, "ada", "matched", at_s=FROM_S + 2 * HOUR_S)
        store.commit([self.told(1, "ada", "new", probability=1.0), left])
        assert self.people(counting) == (1, 1, 3)
        store.revise([(str(track(1)), "bob")])
        assert self.people(counting) == (2, 1, 2)
        assert counting.unique_visitors(DAY, Bucket.HOUR).points[2].figure.high == 1


class TestVisits:
    def test_the_re_entry_window_can_be_chosen(self, store: Store, counting: Counting):
        times = (100, 300, 2000, 20_000)
        store.commit([row(seq, "ada", at_s=FROM_S + at_s) for seq, at_s in enumerate(times, 1)])

        def visits(re_entry_s: float) -> float:
            return counting.visits(DAY, Bucket.DAY, options=CountOptions(re_entry_s=re_entry_s)).total.value

        assert [visits(window) for window in (0, 300, 3000, inf)] == [4, 3, 2, 1]
        with pytest.raises(BadPeriod):
            visits(-1)

    def test_a_visit_counts_in_the_period_that_it_began_in(self, store: Store, counting: Counting, clock: FakeClock):
        clock.now_s = DAY.to_s + 24 * HOUR_S
        store.commit([row(1, "ada", at_s=DAY.to_s - 5), row(2, "ada", at_s=DAY.to_s + 60)])
        next_day = Period(DAY.to_s, DAY.to_s + 24 * HOUR_S)
        assert counting.visits(DAY, Bucket.DAY).total.value == 1
        assert counting.visits(next_day, Bucket.DAY).total.value == 0
        assert counting.dwell(DAY).mean_s == 67
        assert counting.unique_visitors(next_day, Bucket.DAY).total.value == 1

    def test_the_rows_are_as_many_as_the_total(self, store: Store, counting: Counting):
        store.commit([row(seq, f"p{seq % 3}", at_s=FROM_S + 1000 * seq) for seq in range(1, 9)])
        store.commit([row(9, None, at_s=FROM_S + 50)])
        rows = list(counting.visit_rows(DAY))
        assert len(rows) == counting.visits(DAY, Bucket.DAY).total.value
        assert [one.from_s for one in rows] == sorted(one.from_s for one in rows)
        assert (rows[0].identity_id, rows[1].identity_id) == ("", "p1")

    def test_dwell_is_spread_over_bins(self, store: Store, counting: Counting):
        store.commit([row(1, "ada", at_s=FROM_S + 100), row(2, "ada", at_s=FROM_S + 200)])
        report = counting.dwell(DAY)
        assert [(one.from_s, one.to_s) for one in report.bins if one.visits] == [(60, 120)]
        assert (report.visits, report.median_s.value, report.p90_s) == (1, 102, 102)


class TestLines:
    def test_in_and_out_by_line_and_hour(self, store: Store, counting: Counting):
        store.commit(
            [
                row(1, "ada", track_id=1, at_s=FROM_S + 60),
                crossing(2, 1, at_s=FROM_S + 20),
                crossing(3, 1, at_s=FROM_S + HOUR_S + 20),
                crossing(4, -1, at_s=FROM_S + HOUR_S + 30),
                crossing(5, -1, at_s=FROM_S + 40, line_id="back"),
            ]
        )
        back, middle = counting.crossings(DAY, Bucket.HOUR)
        assert (middle.camera, middle.line_id, middle.entered, middle.left) == (CAMERA, "middle", 2, 1)
        assert [(point.entered, point.left) for point in middle.points[:2]] == [(1, 0), (1, 1)]
        assert (back.entered, back.left) == (0, 1)
        rows = list(counting.crossing_rows(DAY))
        assert sum(one.direction > 0 for one in rows) == middle.entered + back.entered
        assert {one.identity_id for one in rows} == {"ada"}

    def test_occupancy_starts_at_the_reset_and_can_be_adjusted(
        self, store: Store, counting: Counting, clock: FakeClock
    ):
        counting.set_settings(CountingSettings(reset_at="04:00", time_zone="UTC"))
        four_s = NOON_S - NOON_S % 86400 + 4 * HOUR_S
        clock.now_s = four_s + 1000
        store.commit(
            [crossing(1, 1, at_s=four_s - 10), crossing(2, 1, at_s=four_s + 10), crossing(3, 1, at_s=four_s + 20)]
        )
        now = counting.occupancy()
        assert (now.people, now.since, now.since_s, now.entered) == (2, "reset", four_s, 2)
        assert counting.adjust(Place(), 7, "ada").people == 7
        clock.now_s += 100
        store.commit([crossing(4, -1, at_s=clock.now_s - 50)])
        now = counting.occupancy()
        assert (now.people, now.since, now.left, now.highest) == (6, "adjusted", 1, 6)
        clock.now_s = four_s + 86400 + 5
        assert counting.occupancy().people == 0
        with pytest.raises(BadCounting):
            counting.adjust(Place(), -1, "ada")


class TestCoverage:
    def test_a_hub_that_was_away_loses_nothing_that_was_delivered_later(self, store: Store, counting: Counting):
        store.record_arrivals([Arrival("node-1", 1, DAY.from_s)])
        store.record_gap("node-1", CoverageGap(CAMERA, FROM_S + 100, FROM_S + 5000, "the hub was away"))
        store.record_heard({CAMERA: DAY.to_s})
        assert counting.coverage(DAY).share == 1.0

    def test_a_gap_of_the_node_is_lost_in_its_hour_and_named(self, store: Store, counting: Counting):
        store.record_arrivals([Arrival("node-1", 1, DAY.from_s)])
        lost = CoverageGap(CAMERA, FROM_S, FROM_S + HOUR_S / 2, "source lost")
        store.commit([GapRow("node-1", 1, 1, lost), row(2, "ada", at_s=FROM_S + 3000)])
        store.record_heard({CAMERA: DAY.to_s})
        series = counting.unique_visitors(DAY, Bucket.HOUR)
        assert [round(point.figure.coverage, 3) for point in series.points[:2]] == [0.5, 1.0]
        [camera] = series.coverage.cameras
        assert [(one.reason, one.seconds) for one in camera.lost] == [("source lost", HOUR_S / 2)]
        assert series.total.coverage == pytest.approx(47 / 48)

    def test_a_node_that_was_off_did_not_see(self, store: Store, counting: Counting):
        store.record_arrivals([Arrival("node-1", 1, DAY.from_s)])
        store.record_arrivals([Arrival("node-1", cameras={CAMERA: "Door"})])
        store.record_heard({CAMERA: FROM_S + 6 * HOUR_S})
        store.record_gap("node-1", CoverageGap(CAMERA, FROM_S + 6 * HOUR_S, FROM_S + 12 * HOUR_S, "no message"))
        store.record_arrivals([Arrival("node-1", 2, FROM_S + 12 * HOUR_S)])
        store.record_heard({CAMERA: DAY.to_s})
        coverage = counting.coverage(DAY)
        assert coverage.share == 0.75
        assert coverage.cameras[0].lost[0].reason == "no message"

    def test_what_comes_late_from_before_a_restart_was_seen(self, store: Store, counting: Counting):
        store.record_arrivals([Arrival("node-1", 1, DAY.from_s)])
        store.record_arrivals([Arrival("node-1", 2, FROM_S + 12 * HOUR_S)])
        store.record_arrivals([Arrival("node-1", cameras={CAMERA: "Door"})])
        store.record_heard({CAMERA: DAY.to_s})
        assert counting.coverage(DAY).share == 0.5
        store.commit([row(1, "ada", at_s=FROM_S + 12 * HOUR_S)])
        assert counting.coverage(DAY).share == 1.0

    def test_a_source_that_is_lost_now_counts_before_its_node_reports_it(
        self, store: Store, site: Site, counting: Counting, clock: FakeClock
    ):
        store.record_arrivals([Arrival("node-1", 1, DAY.from_s)])
        store.record_arrivals([Arrival("node-1", cameras={CAMERA: "Door"})])
        store.record_heard({CAMERA: DAY.to_s})
        site.node_connected(hello(), FROM_S)
        site.live("node-1", live(1), FROM_S)
        site.health("node-1", health(capturing=False, trouble="unplugged"), FROM_S + 18 * HOUR_S)
        coverage = counting.coverage(DAY)
        assert coverage.share == 0.75
        assert coverage.cameras[0].lost[0].reason == "unplugged"

    def test_the_future_is_not_asked_for(self, store: Store, counting: Counting, clock: FakeClock):
        store.record_arrivals([Arrival("node-1", 1, DAY.from_s)])
        store.record_arrivals([Arrival("node-1", cameras={CAMERA: "Door"})])
        clock.now_s = FROM_S + HOUR_S
        store.record_heard({CAMERA: clock.now_s})
        assert counting.coverage(DAY).share == 1.0


class TestSites:
    def test_a_camera_moves_with_all_that_it_saw(self, store: Store, counting: Counting):
        store.commit([row(1, "ada", at_s=FROM_S + 9), row(2, "bob", camera_id="yard", at_s=FROM_S + 9)])
        counting.save_site("garden", "Garden", "Asia/Tokyo")
        counting.assign_camera("node-1/yard", "garden")
        assert [(site.site_id, site.cameras) for site in counting.sites()] == [
            ("main", (CAMERA,)),
            ("garden", ("node-1/yard",)),
        ]
        series = counting.unique_visitors(DAY, Bucket.DAY, Place(site_id="garden"))
        assert series.total.value == 1
        assert series.points[0].label.endswith("+09:00")
        counting.save_site("garden", "Back garden")
        counting.remove_site("garden")
        assert counting.sites()[0].cameras == (CAMERA, "node-1/yard")

    def test_what_makes_no_sense_is_refused(self, store: Store, counting: Counting):
        store.commit([row(1)])
        for refused in (
            lambda: counting.remove_site("main"),
            lambda: counting.save_site("no/path", "x"),
            lambda: counting.save_site("x", " "),
            lambda: counting.save_site("x", "x", "Atlantis/Centre"),
            lambda: counting.set_settings(CountingSettings(re_entry_s=-1)),
            lambda: counting.set_settings(CountingSettings(leave_out=("",))),
            lambda: counting.set_settings(CountingSettings(reset_at="25:00")),
            lambda: counting.set_settings(CountingSettings(time_zone="../etc/passwd")),
        ):
            with pytest.raises(BadCounting):
                refused()
        for unknown in (
            lambda: counting.assign_camera(CAMERA, "nowhere"),
            lambda: counting.assign_camera("nobody/cam", "main"),
            lambda: counting.remove_site("nowhere"),
            lambda: counting.occupancy(Place(site_id="nowhere")),
            lambda: counting.occupancy(Place(zone_id="till")),
        ):
            with pytest.raises(UnknownPlace):
                unknown()
        assert counting.settings() == CountingSettings()


def test_who_is_kept_to_cameras_cannot_tell_an_empty_site_from_none(counting: Counting) -> None:
    counting.save_site("annexe", "Annexe", "Europe/Paris")
    assert counting.people_now(Place(site_id="annexe")).cameras == 0
    for site_id in ("annexe", "nowhere"):
        with pytest.raises(UnknownPlace, match="there is no such place"):
            counting.people_now(Place(site_id=site_id, allowed=frozenset({CAMERA})))


def test_people_now_in_a_place_and_in_a_zone(store: Store, site: Site, counting: Counting, clock: FakeClock):
    store.record_arrivals([Arrival("node-1", cameras={CAMERA: "Door", "node-1/yard": "Yard"})])
    site.node_connected(hello(cameras={"cam": "Door", "yard": "Yard"}), clock.now_s)
    site.live("node-1", live(1, 2, at_s=clock.now_s), clock.now_s)
    assert counting.people_now().people == 2
    yard = counting.people_now(Place(camera="node-1/yard"))
    assert (yard.people, yard.cameras_up, yard.cameras) == (0, 0, 1)
    assert counting.people_now(Place(camera=CAMERA, zone_id="till")).people == 0


@pytest.mark.asyncio
async def test_long_counts_leave_the_threads_of_other_pages_alone(counting: Counting):
    may_end = Event()
    asked = [asyncio.create_task(counting.ask(may_end.wait, 60)) for _ in range(40)]
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        assert await asyncio.to_thread(lambda: "a page") == "a page"
    may_end.set()
    assert all(await asyncio.gather(*asked))


def test_heat_is_the_mean_of_an_hour_of_a_weekday(store: Store, counting: Counting, clock: FakeClock):
    counting.set_settings(CountingSettings(time_zone="UTC"))
    monday_s = NOON_S - NOON_S % 86400 - 86400 * ((int(NOON_S // 86400) + 3) % 7)
    clock.now_s = monday_s + 14 * 86400
    store.record_arrivals([Arrival("node-1", 1, monday_s)])
    store.commit([row(1, "ada", at_s=monday_s + 9 * HOUR_S + 60), row(2, "bob", at_s=monday_s + 9 * HOUR_S + 60)])
    store.record_heard({CAMERA: clock.now_s})
    heat = counting.heat(Period(monday_s, clock.now_s))
    nine = next(cell for cell in heat.cells if (cell.weekday, cell.hour) == (0, 9))
    assert (nine.mean, nine.times) == (1.0, 2)
    assert len(heat.cells) == 168
    assert sum(cell.mean for cell in heat.cells) == 1.0


def test_an_hour_that_no_camera_saw_is_not_an_hour_without_people(store: Store, counting: Counting, clock: FakeClock):
    counting.set_settings(CountingSettings(time_zone="UTC"))
    monday_s = NOON_S - NOON_S % 86400 - 86400 * ((int(NOON_S // 86400) + 3) % 7)
    began_s, clock.now_s = monday_s + 7 * 86400, monday_s + 14 * 86400
    store.record_arrivals([Arrival("node-1", 1, began_s)])
    store.commit([row(1, "ada", at_s=began_s + 9 * HOUR_S + 60)])
    store.record_heard({CAMERA: clock.now_s})
    nine = counting.heat(Period(monday_s, clock.now_s)).cells[9]
    assert (nine.mean, nine.coverage) == (1.0, 0.5)


@pytest.fixture
def name_them(store: Store) -> Callable[[str, str], None]:
    def name(identity_id: str, label: str) -> None:
        from sqlalchemy import update  # noqa: PLC0415

        from ruid_hub.store.tables import identities  # noqa: PLC0415

        with store.writing() as connection:
            connection.execute(update(identities).where(identities.c.identity_id == identity_id).values(label=label))

    return name
