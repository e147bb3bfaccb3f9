import numpy as np
import pytest

from ruid_core.tracking.resemblance import buffered_iou, pair_costs, repeats

STANDING = np.array([[100.0, 100.0, 40.0, 100.0]])
RIGHT = np.array([1.0, 0.0, 0.0, 0.0])


def test_the_same_box_costs_nothing() -> None:
    assert pair_costs(STANDING, STANDING, margin=0.2, shape_weight=0.5) == pytest.approx(0)


def test_a_margin_lets_neighbours_overlap() -> None:
    """50 px apart, 40 px wide: with a fifth on each side both are 56 wide and share 6 of 106."""
    beside = STANDING + RIGHT * 50

    assert buffered_iou(STANDING, beside) == pytest.approx(0)
    assert buffered_iou(STANDING, beside, margin=0.2) == pytest.approx(6 / 106)


def test_another_height_costs_extra() -> None:
    """Half the height at the same centre: half the area is shared, and the logarithm of 2 comes on top."""
    half = STANDING * np.array([1, 1, 1, 0.5])

    costs = pair_costs(STANDING, half, margin=0, shape_weight=0.4)

    assert costs == pytest.approx(0.5 + 0.4 * np.log(2))


def test_a_box_repeats_one_that_it_mostly_covers() -> None:
    boxes = np.concatenate((STANDING, STANDING + RIGHT * 4, STANDING + RIGHT * 200))

    assert repeats(boxes, of=np.array([0]), overlap=0.6).tolist() == [True, True, False]


def test_nothing_repeats_nothing() -> None:
    assert repeats(STANDING, of=np.empty(0, np.intp), overlap=0.6).tolist() == [False]
