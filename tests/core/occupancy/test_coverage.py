"""Coverage: what was seen, and what kept a camera from seeing the rest."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruid_core.occupancy import Gap, Span, Unseen, clipped, lost_by_reason, merged, seen_shares, unseen_spans

DAY: Span = (0.0, 100.0)


def unseen(running: list[Span], *gaps: Gap, asked: Span = DAY) -> tuple[Unseen, ...]:
    return unseen_spans(asked, running=running, gaps=gaps, otherwise="not heard")


def test_a_node_that_ran_all_the_time_saw_everything():
    assert unseen([(-5, 200)]) == ()


def test_a_gap_that_only_the_hub_noticed_costs_nothing_while_the_node_ran():
    assert unseen([(0, 100)], Gap((20, 60), "connection lost", by_node=False)) == ()


def test_a_gap_that_the_node_reports_is_time_not_seen():
    assert unseen([(0, 100)], Gap((20, 60), "source lost", by_node=True)) == (Unseen((20, 60), "source lost"),)


def test_the_hubs_gap_gives_the_reason_where_the_node_did_not_run():
    lost = unseen([(0, 30), (70, 100)], Gap((28, 50), "no message", by_node=False))
    assert lost == (Unseen((30, 50), "no message"), Unseen((50, 70), "not heard"))


def test_overlapping_gaps_take_each_second_once():
    lost = unseen([(0, 100)], Gap((10, 30), "covered", by_node=True), Gap((20, 40), "frozen", by_node=True))
    assert lost_by_reason(lost) == (("covered", 20.0), ("frozen", 10.0))


def test_a_period_without_length_has_nothing_to_miss():
    assert unseen([], asked=(5.0, 5.0)) == ()


def test_a_gap_outside_the_period_does_not_matter():
    assert unseen([(0, 100)], Gap((200, 300), "source lost", by_node=True)) == ()


def test_shares_by_bucket():
    lost = (Unseen((10, 20), "a"), Unseen((20, 25), "b"), Unseen((90, 100), "a"))
    shares = seen_shares(np.array([0.0, 20.0, 50.0, 90.0, 100.0]), lost)
    np.testing.assert_allclose(shares, [0.5, 25 / 30, 1.0, 0.0])


def test_where_nothing_is_missing_every_share_is_one():
    assert seen_shares(np.array([0.0, 1.0, 2.0]), ()).tolist() == [1.0, 1.0]


def test_a_bucket_without_length_counts_as_seen():
    assert seen_shares(np.array([5.0, 5.0]), (Unseen((0, 10), "a"),)).tolist() == [1.0]


def test_spans_merge_and_clip():
    assert merged([(5, 6), (0, 2), (1, 3), (7, 7), (2, 2.5)]) == [(0, 3), (5, 6)]
    assert clipped([(0, 3), (5, 9)], (2, 6)) == [(2, 3), (5, 6)]


spans = st.tuples(st.integers(-20, 120), st.integers(0, 60)).map(lambda one: (float(one[0]), float(one[0] + one[1])))


@given(
    st.lists(spans, max_size=6),
    st.lists(st.builds(Gap, spans, st.sampled_from(["a", "b"]), st.booleans()), max_size=6),
)
def test_it_equals_looking_at_every_second(running: list[Span], gaps: list[Gap]):
    lost = unseen_spans(DAY, running=running, gaps=gaps, otherwise="c")
    for before, after in pairwise(lost):
        assert before.span[1] <= after.span[0]
    for second in range(100):
        at_s = second + 0.5
        ran = any(start_s <= at_s < end_s for start_s, end_s in running)
        blind = any(gap.by_node and gap.span[0] <= at_s < gap.span[1] for gap in gaps)
        told = any(one.span[0] <= at_s < one.span[1] for one in lost)
        assert told == (not ran or blind)
    asked = np.array(DAY)
    assert seen_shares(asked, lost)[0] == pytest.approx(1 - sum(lost_s for _, lost_s in lost_by_reason(lost)) / 100)
