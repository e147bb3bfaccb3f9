"""Box arithmetic against worked examples and a plain reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ruid_core.geometry import boxes

LEFT = np.array([[0, 0, 10, 10], [5, 5, 5, 9]], np.float32)
RIGHT = np.array([[5, 0, 15, 10], [20, 20, 30, 30], [0, 0, 10, 10]], np.float32)


def boxes_of(count: int) -> st.SearchStrategy[NDArray[np.float32]]:
    corners = arrays(np.float32, (count, 2, 2), elements=st.floats(-100, 100, width=16))
    return corners.map(lambda pairs: np.sort(pairs, axis=1).reshape(count, 4))


def test_worked_example() -> None:
    assert boxes.areas(LEFT).tolist() == [100, 0]
    assert boxes.intersections(LEFT, RIGHT).tolist() == [[50, 0, 100], [0, 0, 0]]
    assert boxes.iou_matrix(LEFT, RIGHT).tolist() == [[pytest.approx(1 / 3), 0, 1], [0, 0, 0]]


def test_no_boxes_at_all() -> None:
    assert boxes.empty_boxes().shape == (0, 4)
    assert boxes.iou_matrix(boxes.empty_boxes(), RIGHT).shape == (0, 3)


def test_clipping_and_scaling() -> None:
    outside = np.array([[-5, -5, 700, 500]], np.float32)
    assert boxes.clip_boxes(outside, width_px=640, height_px=480).tolist() == [[0, 0, 640, 480]]
    half = np.array([[0, 0, 320, 480]], np.float32)
    assert boxes.to_relative(half, width_px=640, height_px=480).tolist() == [[0, 0, 0.5, 1]]


@given(boxes_of(3), boxes_of(2))
def test_overlap_is_symmetric_and_a_fraction(left: NDArray[np.float32], right: NDArray[np.float32]) -> None:
    before = left.copy(), right.copy()
    overlap = boxes.iou_matrix(left, right)
    assert overlap.dtype == np.float32
    assert np.allclose(overlap, boxes.iou_matrix(right, left).T)
    assert ((overlap >= 0) & (overlap <= 1 + 1e-5)).all()
    assert (left == before[0]).all()
    assert (right == before[1]).all()
