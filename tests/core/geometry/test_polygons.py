"""Polygons against worked examples and a plain reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ruid_core.geometry import polygons

SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float64)
HOOK = np.array([[0, 0], [10, 0], [10, 10], [6, 10], [6, 4], [4, 4], [4, 10], [0, 10]], np.float64)
COORDINATES = st.floats(-20, 20, width=32)
POINTS = arrays(np.float64, (7, 2), elements=COORDINATES)


def points(*rows: tuple[float, float]) -> NDArray[np.float64]:
    return np.array(rows, np.float64)


def test_worked_example() -> None:
    asked = points((5, 2), (5, 8), (2, 8), (8, 8), (11, 5), (-1, 5), (5, -3))
    assert polygons.contains(SQUARE, asked).tolist() == [True, True, True, True, False, False, False]
    assert polygons.contains(HOOK, asked).tolist() == [True, False, True, True, False, False, False]
    assert polygons.depths(SQUARE, asked).tolist() == [2, 2, 2, 2, -1, -1, -3]
    assert polygons.depths(HOOK, points((5, 8), (5, 2))).tolist() == [-1, 2]


def test_no_points_at_all() -> None:
    assert polygons.contains(SQUARE, np.zeros((0, 2))).shape == (0,)
    assert polygons.depths(SQUARE, np.zeros((0, 2))).shape == (0,)


@settings(deadline=None)
@given(POINTS, st.integers(0, 7), st.booleans())
def test_it_does_not_matter_where_a_polygon_begins_or_which_way_it_is_wound(
    asked: NDArray[np.float64], shift: int, turned: bool
) -> None:
    same = np.roll(HOOK[::-1] if turned else HOOK, shift, axis=0)
    off_outline = polygons.outline_distances(HOOK, asked) > 1e-6
    assert np.array_equal(polygons.contains(same, asked)[off_outline], polygons.contains(HOOK, asked)[off_outline])
    assert polygons.outline_distances(same, asked) == pytest.approx(polygons.outline_distances(HOOK, asked))


@settings(deadline=None)
@given(POINTS, COORDINATES, COORDINATES)
def test_a_polygon_that_is_moved_takes_its_points_along(asked: NDArray[np.float64], x: float, y: float) -> None:
    moved = polygons.depths(HOOK + np.array([x, y]), asked + np.array([x, y]))
    assert np.abs(moved) == pytest.approx(np.abs(polygons.depths(HOOK, asked)), abs=1e-4)


@settings(deadline=None)
@given(POINTS)
def test_a_square_contains_what_lies_between_its_sides(asked: NDArray[np.float64]) -> None:
    inside = np.all((asked > 0) & (asked < 10), axis=1)
    off_outline = polygons.outline_distances(SQUARE, asked) > 1e-6
    assert np.array_equal(polygons.contains(SQUARE, asked)[off_outline], inside[off_outline])


def test_the_area_of_a_polygon() -> None:
    assert polygons.area(SQUARE) == polygons.area(SQUARE[::-1]) == 100
    assert polygons.area(HOOK) == 88
    assert polygons.area(points((0, 0), (5, 5), (10, 10))) == 0


@pytest.mark.parametrize(
    ("corners", "crosses"),
    [
        (SQUARE, False),
        (HOOK, False),
        (points((0, 0), (10, 10), (10, 0), (0, 10)), True),
        (points((0, 0), (10, 0), (10, 10), (5, 0), (0, 10)), True),
        (points((0, 0), (4, 0), (2, 3)), False),
    ],
)
def test_a_polygon_that_crosses_or_touches_itself_is_found(corners: NDArray[np.float64], crosses: bool) -> None:
    assert polygons.crosses_itself(corners) is crosses


@pytest.mark.parametrize(
    ("a", "b", "c", "d", "meet"),
    [
        ((0, 0), (10, 0), (5, -5), (5, 5), True),
        ((0, 0), (10, 0), (5, 1), (5, 5), False),
        ((0, 0), (10, 0), (12, 0), (15, 0), False),
        ((0, 0), (10, 0), (8, 0), (15, 0), True),
        ((0, 0), (10, 0), (11, -5), (11, 5), False),
    ],
)
def test_segments_that_meet(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float], meet: bool
) -> None:
    ends = [np.array(end, np.float64) for end in (a, b, c, d)]
    assert polygons.segments_meet(*ends) is meet
    assert polygons.segments_meet(*ends[2:], *ends[:2]) is meet
