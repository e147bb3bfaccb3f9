"""Non-maximum suppression."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ruid_core.geometry.boxes import Boxes, iou_matrix
from ruid_core.vision import suppress

_scenes = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 15), st.integers(1, 15), st.integers(0, 9)),
    max_size=30,
)


def _scene(rows: list[tuple[int, int, int, int, int]]) -> tuple[Boxes, NDArray[np.float32]]:
    table = np.array(rows, np.float32).reshape(-1, 5)
    return np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1), (table[:, 4] / 10).astype(np.float32)


def _one_by_one(boxes: Boxes, confidences: NDArray[np.float32], iou_max: float) -> list[int]:
    """Take the surest box left, drop what it overlaps too much, again and again."""
    left = sorted(range(len(boxes)), key=lambda index: (-confidences[index], index))
    kept: list[int] = []
    while left:
        best, *rest = left
        kept.append(best)
        left = [other for other in rest if iou_matrix(boxes[[best]], boxes[[other]])[0, 0] <= iou_max]
    return kept


@given(_scenes, st.sampled_from([0.2, 0.5, 0.7]))
def test_keeps_what_the_one_by_one_way_keeps(rows: list[tuple[int, int, int, int, int]], iou_max: float) -> None:
    boxes, confidences = _scene(rows)
    assert suppress(boxes, confidences, iou_max=iou_max).tolist() == _one_by_one(boxes, confidences, iou_max)


def test_of_two_that_overlap_the_surer_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], np.float32)
    kept = suppress(boxes, np.array([0.5, 0.9, 0.1], np.float32), iou_max=0.5)
    assert kept.tolist() == [1, 2]


def test_looks_at_no_more_than_the_surest_it_is_told_to() -> None:
    boxes = np.array([[x, 0, x + 1, 1] for x in range(0, 100, 2)], np.float32)
    kept = suppress(boxes, np.linspace(0, 1, 50, dtype=np.float32), iou_max=0.5, most=3)
    assert kept.tolist() == [49, 48, 47]


def test_no_boxes_stay_no_boxes() -> None:
    assert len(suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), iou_max=0.5)) == 0
