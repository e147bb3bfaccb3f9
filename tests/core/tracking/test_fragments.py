"""Which tracks may be pieces of others, and until when."""

from collections.abc import Sequence

import pytest

from ruid_core.tracking import Track
from ruid_core.tracking.fragments import Fragments

Box = tuple[float, float, float, float]
MIDDLE: Box = (300.0, 200.0, 340.0, 300.0)
BESIDE: Box = (330.0, 205.0, 370.0, 305.0)
FAR: Box = (500.0, 200.0, 540.0, 300.0)


@pytest.fixture
def fragments() -> Fragments:
    """Somebody is followed in the middle of a picture."""
    watched = Fragments.of_picture(width_px=640, height_px=480)
    watched.see([track(1, MIDDLE, at_s=9.0)])
    return watched


def track(track_id: int, box: Box, *, at_s: float, began_s: float = 9.0, seen: bool = True) -> Track:
    return Track(track_id, box, 0.9, 0 if seen else -1, began_s, at_s)


def unproven(fragments: Fragments, tracks: Sequence[Track]) -> set[int]:
    fragments.see(tracks)
    return set(fragments.unproven)


def test_who_is_alone_when_first_seen_is_somebody(fragments: Fragments) -> None:
    assert not unproven(fragments, [track(1, MIDDLE, at_s=9.1), track(2, FAR, at_s=9.1)])


def test_who_is_first_seen_beside_others_may_be_a_piece_of_them(fragments: Fragments) -> None:
    assert unproven(fragments, [track(1, MIDDLE, at_s=9.1), track(2, BESIDE, at_s=9.1)]) == {2}


def test_those_who_were_followed_before_are_not_doubted_by_a_newcomer(fragments: Fragments) -> None:
    assert unproven(fragments, [track(2, BESIDE, at_s=9.1), track(1, MIDDLE, at_s=9.1, seen=False)]) == {2}


@pytest.mark.parametrize(
    "at_the_edge",
    [
        (2.0, 200.0, 40.0, 300.0),
        (600.0, 200.0, 638.0, 300.0),
        (300.0, 2.0, 340.0, 102.0),
        (300.0, 378.0, 340.0, 478.0),
    ],
)
def test_who_is_first_seen_at_the_edge_comes_in(fragments: Fragments, at_the_edge: Box) -> None:
    left, top, right, bottom = at_the_edge
    other: Box = (left + 5, top + 5, right + 5, bottom + 5)
    fragments.see([track(1, other, at_s=9.1)])
    assert not unproven(fragments, [track(1, other, at_s=9.2), track(2, at_the_edge, at_s=9.2)])


def test_a_piece_is_somebody_after_three_seconds_in_view(fragments: Fragments) -> None:
    fragments.see([track(1, MIDDLE, at_s=10.0), track(2, BESIDE, at_s=10.0, began_s=10.0)])
    assert unproven(fragments, [track(2, FAR, at_s=12.9, began_s=10.0)]) == {2}
    assert not unproven(fragments, [track(2, FAR, at_s=13.0, began_s=10.0)])


def test_a_piece_that_is_hidden_gains_nothing_by_it(fragments: Fragments) -> None:
    fragments.see([track(1, MIDDLE, at_s=10.0), track(2, BESIDE, at_s=10.0, began_s=10.0)])
    hidden = track(2, (2.0, 200.0, 40.0, 300.0), at_s=10.0, began_s=6.0, seen=False)
    assert unproven(fragments, [hidden]) == {2}


def test_a_piece_that_reaches_the_edge_is_somebody_who_leaves(fragments: Fragments) -> None:
    fragments.see([track(1, MIDDLE, at_s=10.0), track(2, BESIDE, at_s=10.0, began_s=10.0)])
    assert not unproven(fragments, [track(2, (600.0, 200.0, 638.0, 300.0), at_s=10.5, began_s=10.0)])


def test_the_rest_of_a_track_may_be_a_piece_wherever_it_is(fragments: Fragments) -> None:
    fragments.cut_off(3, since_s=9.0)
    assert unproven(fragments, [track(3, FAR, at_s=9.5)]) == {3}
    assert not unproven(fragments, [track(3, FAR, at_s=12.0)])


def test_a_track_that_goes_on_as_a_known_one_is_who_that_was(fragments: Fragments) -> None:
    fragments.cut_off(1, since_s=9.0)
    assert not fragments.unproven


def test_what_has_ended_is_forgotten(fragments: Fragments) -> None:
    fragments.see([track(1, MIDDLE, at_s=9.1), track(2, BESIDE, at_s=9.1)])
    fragments.forget([1, 2, 7])
    assert not fragments.unproven
    assert not fragments.followed
