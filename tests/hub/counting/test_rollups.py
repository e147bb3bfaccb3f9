"""Figures by the hour give the numbers that all rows together give."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import inf

import numpy as np
import pytest

from hub_fakes import NOON_S, FakeClock, observation, track
from ruid_core.occupancy import unique_people, visits_estimate, visits_of
from ruid_hub.counting import Bucket, Counting, CountOptions, Figure, Period, TooManyVisits
from ruid_hub.counting.hours import Hours
from ruid_hub.counting.memory import REMEMBERED_S
from ruid_hub.observations import Assignment
from ruid_hub.site import Site
from ruid_hub.store import CrossingRow, ObservationRow, Store

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
FROM_S = NOON_S - NOON_S % DAY_S
SPANS = [
    Period(FROM_S, FROM_S + DAY_S),
    Period(FROM_S + 1800.0, FROM_S + 9 * HOUR_S + 1234.5),
    Period(FROM_S + 2 * HOUR_S + 60, FROM_S + 2 * HOUR_S + 120),
    Period(FROM_S, FROM_S + 3 * DAY_S),
]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(FROM_S + 30 * DAY_S)


@pytest.fixture
def counting(store: Store, clock: FakeClock) -> Counting:
    return Counting(store=store, site=Site(), clock=clock)


def traffic(seed: int, *, rows: int = 250, first_seq: int = 1) -> list[ObservationRow]:
    """People who come and go on two cameras over three days; some look over an hour's end, some cannot be told."""
    draw = np.random.default_rng(seed)
    made: list[ObservationRow] = []
    for seq in range(first_seq, first_seq + rows):
        at_s = FROM_S + float(draw.choice([draw.uniform(0, 3 * DAY_S), HOUR_S * draw.integers(1, 72) + 0.5]))
        who = int(draw.integers(0, 40))
        state = str(draw.choice(["new", "matched", "pending", "uncertain"], p=[0.2, 0.5, 0.1, 0.2]))
        told = Assignment(f"p{who}", state, float(draw.uniform(0.5, 1.0)))
        camera_id = str(draw.choice(["cam", "yard"]))
        made.append(ObservationRow(observation(seq, at_s=at_s, camera_id=camera_id), told if who else None))
    return made


def check(store: Store, counting: Counting) -> None:
    """Everything that is counted, against counting every row anew."""
    for period in SPANS:
        for options in (CountOptions(), CountOptions(re_entry_s=4000.0), CountOptions(re_entry_s=inf)):
            visits = counting.visits(period, Bucket.HOUR, options=options).total
            window_s = 300.0 if options.re_entry_s is None else options.re_entry_s
            assert _plain(visits) == _visits_by_row(store, period, window_s)
        series = counting.unique_visitors(period, Bucket.HOUR)
        assert _plain(series.total) == _people_by_row(store, period.from_s, period.to_s)
        told = [_plain(point.figure) for point in series.points]
        assert told == list(_people_by_hour(store, series.points[0].from_s, [point.to_s for point in series.points]))


def test_they_agree_before_and_after_all_that_changes_history(store: Store, counting: Counting, clock: FakeClock):
    store.commit(traffic(1))
    check(store, counting)
    clock.now_s += REMEMBERED_S
    store.commit(traffic(2, rows=40, first_seq=1000))
    check(store, counting)
    clock.now_s += REMEMBERED_S
    store.revise([(str(track(seq)), "p1") for seq in (3, 4, 5, 1003)])
    check(store, counting)
    clock.now_s += REMEMBERED_S
    store.revise([(str(track(seq)), f"apart{seq}") for seq in range(6, 60)])
    check(store, counting)


def test_more_than_fits_the_memory_is_counted_all_the_same(store: Store, clock: FakeClock):
    store.commit(traffic(1))
    check(store, Counting(store=store, site=Site(), clock=clock, most_rows=8))


def test_more_visits_than_fit_the_memory_are_refused_and_not_cut_short(
    store: Store, counting: Counting, clock: FakeClock
):
    store.commit(traffic(1))
    small = Counting(store=store, site=Site(), clock=clock, most_visits=100)
    day, week = SPANS[1], Period(FROM_S, FROM_S + 7 * DAY_S)
    assert small.visits(day, Bucket.HOUR) == counting.visits(day, Bucket.HOUR)
    for ask in (lambda: small.visits(week, Bucket.DAY), lambda: small.dwell(week), lambda: [*small.visit_rows(week)]):
        with pytest.raises(TooManyVisits, match="more than 100 visits"):
            ask()
    assert small.unique_visitors(week, Bucket.DAY) == counting.unique_visitors(week, Bucket.DAY)


def test_a_remembered_hour_is_given_up_when_somebody_is_merged_into_another(store: Store, counting: Counting):
    rows = traffic(3)
    store.commit(rows)
    before = counting.unique_visitors(SPANS[0], Bucket.DAY).total.value
    store.revise([(str(row.observation.track), "p1") for row in rows if row.assignment is not None])
    assert before > 10
    assert counting.unique_visitors(SPANS[0], Bucket.DAY).total.value == 1


def test_crossings_of_kept_hours_are_those_of_the_rows_also_after_a_late_delivery(
    store: Store, counting: Counting, clock: FakeClock
):
    draw = np.random.default_rng(4)
    rows = [
        CrossingRow("node-1", 1, seq, track(seq), str(draw.choice(["door", "gate"])), int(draw.choice([1, -1])), at_s)
        for seq, at_s in enumerate(np.sort(draw.uniform(FROM_S, FROM_S + DAY_S, 120)).tolist(), start=1)
    ]
    for part in (rows[::2], rows[1::2]):
        store.commit(part)
        clock.now_s += REMEMBERED_S
        for period in SPANS:
            told = {
                (line.line_id, direction, point.from_s): crossed
                for line in counting.crossings(period, Bucket.HOUR)
                for point in line.points
                for direction, crossed in ((1, point.entered), (-1, point.left))
                if crossed
            }
            assert told == _crossed_by_row(counting, period)


def _crossed_by_row(counting: Counting, period: Period) -> Counter[tuple[str, int, float]]:
    """By line, direction, and beginning of the hour: as exported."""
    return Counter(
        (crossed.line_id, crossed.direction, max(period.from_s, crossed.at_s - crossed.at_s % HOUR_S))
        for crossed in counting.crossing_rows(period)
    )


def _plain(figure: Figure) -> tuple[float, float, float]:
    return figure.value, figure.low, figure.high


def _people_by_row(store: Store, from_s: float, to_s: float) -> tuple[float, float, float]:
    estimate = unique_people(Hours(store).appearances(from_s, to_s))
    return estimate.value, estimate.low, estimate.high


def _people_by_hour(store: Store, from_s: float, ends_s: list[float]) -> Iterator[tuple[float, float, float]]:
    for span in pairwise([from_s, *ends_s]):
        yield _people_by_row(store, *span)


def _visits_by_row(store: Store, period: Period, re_entry_s: float) -> tuple[float, float, float]:
    if re_entry_s == inf:
        seen = Hours(store).appearances(period.from_s, period.to_s)
        estimate = visits_estimate(visits_of(seen, re_entry_s=inf), seen)
    else:
        seen = Hours(store).appearances(period.from_s - re_entry_s, period.to_s + 6 * HOUR_S)
        visits = visits_of(seen, re_entry_s=re_entry_s)
        began = visits.where((visits.start_s >= period.from_s) & (visits.start_s < period.to_s))
        begun = seen.where((seen.start_s >= period.from_s) & (seen.start_s < period.to_s))
        estimate = visits_estimate(began, begun)
    return estimate.value, estimate.low, estimate.high
