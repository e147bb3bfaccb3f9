"""How far a crop can be trusted."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ruid_core.vision import crop_quality

_PICTURE = {"width_px": 1000, "height_px": 1000}


def _score(*boxes: tuple[float, float, float, float]) -> NDArray[np.float32]:
    return crop_quality(np.array(boxes, np.float32), **_PICTURE)


def test_a_tall_person_alone_in_the_middle_can_be_trusted_fully() -> None:
    assert _score((400, 300, 500, 600))[0] == 1.0


@given(st.floats(10, 500), st.floats(1.05, 1.5))
def test_a_taller_person_is_trusted_no_less(height: float, factor: float) -> None:
    small, large = ((400, 300, 440, 300 + height), (400, 300, 440, 300 + min(height * factor, 600)))
    assert _score(small)[0] <= _score(large)[0]


def test_half_the_full_height_gives_half_the_score() -> None:
    np.testing.assert_allclose(_score((400, 300, 415, 332)), [0.5])


@given(st.floats(0, 90))
def test_the_more_a_neighbour_covers_the_less_a_person_is_trusted(shift: float) -> None:
    person = (400.0, 300.0, 500.0, 600.0)
    nearer = _score(person, (400 + shift, 310, 500 + shift, 620))[0]
    farther = _score(person, (400 + shift + 5, 310, 500 + shift + 5, 620))[0]
    assert nearer < farther <= 1


def test_a_neighbour_in_front_hides_more_than_one_behind() -> None:
    front, behind = (400.0, 320.0, 500.0, 620.0), (450.0, 300.0, 550.0, 600.0)
    scores = _score(front, behind)
    assert scores[1] < scores[0] < 1


def test_two_people_in_one_place_are_trusted_not_at_all() -> None:
    np.testing.assert_array_equal(_score((400, 300, 500, 600), (400, 300, 500, 600)), [0, 0])


def test_every_edge_of_the_picture_that_a_box_touches_costs() -> None:
    inside = _score((400, 300, 500, 600))[0]
    left = _score((0, 300, 100, 600))[0]
    corner = _score((0, 700, 100, 1000))[0]
    assert inside > left > corner > 0


def test_a_box_without_area_scores_nothing_and_breaks_nothing() -> None:
    scores = _score((400, 300, 400, 300), (400, 300, 500, 600))
    assert scores[0] == 0
    assert scores[1] == 1


def test_nobody_gives_no_scores() -> None:
    assert crop_quality(np.zeros((0, 4), np.float32), **_PICTURE).shape == (0,)


@given(st.lists(st.tuples(*[st.integers(-50, 1050)] * 4), min_size=1, max_size=8))
def test_a_score_is_always_a_fraction(rows: list[tuple[int, ...]]) -> None:
    corners = np.sort(np.array(rows, np.float32).reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    scores = crop_quality(corners, **_PICTURE)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
