"""Directed lines: sides and meetings."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ruid_core.geometry.lines import Meeting, Point, half_turned, meeting, side

UP: tuple[Point, Point] = ((5, 10), (5, 0))
"""From the bottom of the picture to its top: the right side is on the right."""
POINT = st.tuples(st.floats(-100, 100, width=16), st.floats(-100, 100, width=16))


@pytest.mark.parametrize(("point", "distance"), [((8, 5), 3), ((1, 5), -4), ((5, 99), 0), ((8, -50), 3)])
def test_the_right_side_is_positive(point: Point, distance: float) -> None:
    assert side(point, start=UP[0], end=UP[1]) == distance


def test_a_line_of_no_length_has_no_sides() -> None:
    assert side((3, 4), start=(1, 1), end=(1, 1)) == 0


def test_a_path_meets_a_line_between_its_ends_or_beyond() -> None:
    assert meeting((2, 5), (6, 5), start=UP[0], end=UP[1]) == Meeting(0.75, between_ends=True)
    assert meeting((2, 25), (6, 25), start=UP[0], end=UP[1]) == Meeting(0.75, between_ends=False)
    assert meeting((2, -1), (6, -1), start=UP[0], end=UP[1]) == Meeting(0.75, between_ends=False)
    assert meeting((2, 5), (4, 5), start=UP[0], end=UP[1]) is None


def test_a_point_on_the_line_is_on_its_right() -> None:
    assert meeting((5, 5), (8, 5), start=UP[0], end=UP[1]) is None
    assert meeting((2, 5), (5, 5), start=UP[0], end=UP[1]) == Meeting(1.0, between_ends=True)


@settings(deadline=None)
@given(POINT, POINT, POINT, POINT)
def test_the_way_back_meets_the_line_where_the_way_there_did(a: Point, b: Point, start: Point, end: Point) -> None:
    assume(start != end and side(a, start=start, end=end) != 0 and side(b, start=start, end=end) != 0)
    there, back = meeting(a, b, start=start, end=end), meeting(b, a, start=start, end=end)
    assert (there is None) == (back is None)
    if there is not None and back is not None:
        assert 0 <= there.share <= 1
        assert there.share == pytest.approx(1 - back.share, abs=1e-6)


def test_half_a_turn_takes_corners_to_the_opposite_ones_and_twice_it_is_nothing() -> None:
    points = ((0.0, 0.0), (1.0, 0.0), (0.25, 0.5))
    assert half_turned(*points) == ((1.0, 1.0), (0.0, 1.0), (0.75, 0.5))
    assert half_turned(*half_turned(*points)) == points
