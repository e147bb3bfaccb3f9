"""Unique people, visits and dwell from columns."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruid_core.occupancy import (
    BIN_EDGES_S,
    NO_VISITS,
    NOBODY,
    UNKNOWN,
    Appearances,
    Estimate,
    Tally,
    dwell_of,
    people_of,
    tally_of,
    unique_people,
    visits_estimate,
    visits_joined,
    visits_of,
)

Row = tuple[int, float, float]


def seen(*rows: Row, doubt: float = 0.0, newcomer: bool = False, camera: int = 1) -> Appearances:
    """Who, from when, to when."""
    count = len(rows)
    return Appearances(
        np.array([row[0] for row in rows], np.int64),
        np.full(count, camera, np.int64),
        np.array([row[1] for row in rows], np.float64),
        np.array([row[2] for row in rows], np.float64),
        np.full(count, doubt),
        np.full(count, newcomer, np.bool_),
    )


class TestUniquePeople:
    def test_who_was_seen_three_times_is_one(self):
        assert unique_people(seen((7, 0, 1), (7, 50, 60), (8, 2, 3), (7, 90, 91))) == Estimate(2, 2, 2)

    def test_nobody_is_nobody_for_certain(self):
        assert unique_people(NOBODY) == Estimate(0, 0, 0)

    def test_somebody_erased_still_counts(self):
        assert unique_people(seen((-1, 0, 1), (-2, 0, 1), (5, 0, 1))).value == 3

    def test_a_doubtful_newcomer_may_be_somebody_known(self):
        people = unique_people(seen((1, 0, 1), (2, 5, 6), doubt=0.2, newcomer=True))
        assert people == Estimate(2, 1, 2)

    def test_wrong_answers_come_together(self):
        people = unique_people(seen(*((who, 5 * who, 5 * who + 1) for who in range(1, 51)), doubt=0.1, newcomer=True))
        assert people == Estimate(50, 39, 50)  # 5 are wrong, give or take 1.96 times the root of 2 x 4.5

    def test_a_doubtful_match_may_hide_somebody(self):
        people = unique_people(seen((1, 0, 1), (1, 5, 6), doubt=0.2))
        assert people == Estimate(1, 1, 3)

    def test_whoever_could_not_be_told_only_widens_the_interval(self):
        people = unique_people(seen((1, 0, 1), (UNKNOWN, 5, 6), doubt=0.0))
        assert (people.value, people.low) == (1, 1)
        assert unique_people(seen((UNKNOWN, 5, 6), (UNKNOWN, 7, 8), doubt=1.0)) == Estimate(0, 0, 2)

    @given(st.lists(st.tuples(st.integers(-3, 5), st.floats(0, 1), st.booleans()), max_size=40))
    def test_the_value_lies_in_its_interval(self, rows: list[tuple[int, float, bool]]):
        columns = Appearances(
            np.array([row[0] for row in rows], np.int64),
            np.zeros(len(rows), np.int64),
            np.zeros(len(rows)),
            np.ones(len(rows)),
            np.array([row[1] for row in rows], np.float64),
            np.array([row[2] for row in rows], np.bool_),
        )
        people = unique_people(columns)
        assert people.value == len({row[0] for row in rows} - {UNKNOWN})
        assert 0 <= people.low <= people.value <= people.high

    def test_the_tallies_of_the_parts_add_up_to_that_of_the_whole(self):
        first, second = (
            seen((1, 0, 1), (2, 5, 6), doubt=0.25, newcomer=True),
            seen((1, 7, 8), (UNKNOWN, 7, 8), doubt=0.5),
        )
        both = tally_of(first) + tally_of(second)
        assert both == Tally(4, 0.5, 0.375, 1.0, 0.5)
        assert people_of(np.array([3, UNKNOWN, -1, 3, 3], np.int64)).tolist() == [-1, 3]
        assert people_of(np.zeros(0, np.int64)).tolist() == []


class TestVisits:
    def test_a_pause_within_the_window_is_one_visit(self):
        visits = visits_of(seen((1, 0, 10), (1, 100, 120)), re_entry_s=90)
        assert (visits.start_s.tolist(), visits.end_s.tolist(), visits.stretches.tolist()) == ([0], [120], [2])

    def test_a_longer_pause_makes_two(self):
        visits = visits_of(seen((1, 0, 10), (1, 100, 120)), re_entry_s=89)
        assert visits.dwell_s.tolist() == [10, 20]

    def test_an_infinite_window_makes_one_visit_of_each_person(self):
        visits = visits_of(seen((2, 5, 6), (1, 0, 10), (1, 9000, 9001)), re_entry_s=inf)
        assert (visits.who.tolist(), visits.dwell_s.tolist()) == ([1, 2], [9001, 1])

    def test_a_pause_is_counted_from_the_last_sight_by_any_camera(self):
        # The second camera loses the person first; the first one still sees her.
        visits = visits_of(seen((1, 0, 500), (1, 10, 20), (1, 510, 600), (2, 0, 1)), re_entry_s=30)
        assert visits.start_s.tolist() == [0, 0]
        assert visits.end_s.tolist() == [600, 1]

    def test_people_do_not_share_visits(self):
        visits = visits_of(seen((1, 0, 1000), (2, 5, 6), (3, 1, 2), (2, 90, 91)), re_entry_s=10)
        assert visits.who.tolist() == [1, 2, 2, 3]

    def test_the_unknown_visit_once_each(self):
        assert len(visits_of(seen((UNKNOWN, 0, 1), (UNKNOWN, 1, 2)), re_entry_s=inf)) == 2
        assert len(visits_of(seen((UNKNOWN, 0, 1), (UNKNOWN, 1, 2)), re_entry_s=100)) == 2

    def test_no_appearances_make_no_visits(self):
        assert len(visits_of(NOBODY, re_entry_s=10)) == 0

    def test_a_single_appearance_is_a_visit_where_it_was(self):
        [camera] = visits_of(seen((4, 1, 3), camera=9), re_entry_s=10).camera.tolist()
        assert camera == 9

    def test_some_visits_can_be_chosen(self):
        visits = visits_of(seen((1, 0, 1), (2, 50, 60)), re_entry_s=10)
        late = visits.where(visits.start_s > 10)
        assert (len(late), late.who.tolist()) == (1, [2])
        assert visits_estimate(late, NOBODY).value == 1

    def test_no_parts_make_no_visits(self):
        assert len(visits_joined([], re_entry_s=10)) == 0
        assert len(visits_joined([NO_VISITS, NO_VISITS], re_entry_s=10)) == 0

    def test_one_part_is_the_whole(self):
        part = visits_of(seen((1, 0, 1)), re_entry_s=10)
        assert visits_joined([part], re_entry_s=10) is part

    @given(
        st.lists(
            st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300), st.integers(0, 50)), max_size=12),
            min_size=1,
            max_size=4,
        ),
        st.sampled_from([0, 7, 30, inf]),
    )
    def test_parts_give_the_visits_of_the_whole(self, parts: list[list[tuple[int, int, int]]], window: float):
        columns = [seen(*((who, start, start + length) for who, start, length in part)) for part in parts]
        whole = visits_of(seen(*((w, s, s + n) for part in parts for w, s, n in part)), re_entry_s=window)
        joined = visits_joined([visits_of(part, re_entry_s=window) for part in columns], re_entry_s=window)
        for name in ("who", "start_s", "end_s", "stretches"):
            assert sorted(getattr(joined, name).tolist()) == sorted(getattr(whole, name).tolist())
        assert joined.who.tolist() == whole.who.tolist()

    @given(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300), st.integers(0, 50)), max_size=30),
        st.integers(0, 60),
    )
    def test_it_equals_walking_through_each_persons_times(self, rows: list[tuple[int, int, int]], window: int):
        base_s = 1_790_000_000.0
        columns = seen(*((who, base_s + start, base_s + start + length) for who, start, length in rows))
        expected = sum(who == UNKNOWN for who, _, _ in rows)
        for person in {who for who, _, _ in rows} - {UNKNOWN}:
            last = -inf
            for _, start, length in sorted(row for row in rows if row[0] == person):
                expected += start - last > window
                last = max(last, start + length)
        assert len(visits_of(columns, re_entry_s=window)) == expected


class TestDwell:
    def test_nobody_stays_for_no_time(self):
        dwell = dwell_of(np.zeros(0))
        assert (dwell.visits, dwell.median_s, sum(dwell.visits_by_bin)) == (0, Estimate(0, 0, 0), 0)

    def test_median_mean_and_bins(self):
        dwell = dwell_of(np.array([5.0, 10.0, 45.0, 8000.0]))
        assert (dwell.visits, dwell.median_s.value, dwell.mean_s) == (4, 27.5, 2015.0)
        assert dwell.visits_by_bin == (1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1)
        assert len(dwell.visits_by_bin) == len(BIN_EDGES_S) - 1

    def test_the_median_of_many_is_known_better_than_of_few(self):
        def width(count: int) -> float:
            median_s = dwell_of(np.linspace(0.0, 100.0, count)).median_s
            assert median_s.low <= median_s.value <= median_s.high
            return median_s.high - median_s.low

        assert width(10) > width(100) > width(1000)

    def test_one_visit_is_its_own_median(self):
        assert dwell_of(np.array([30.0])).median_s == Estimate(30, 30, 30)


@pytest.mark.parametrize(("from_s", "to_s", "kept"), [(0, 10, [1, 2]), (10, 20, [2]), (21, 30, [])])
def test_a_period_keeps_what_touches_it(from_s: float, to_s: float, kept: list[int]):
    assert seen((1, 0, 5), (2, 5, 15)).within(from_s, to_s).who.tolist() == kept
