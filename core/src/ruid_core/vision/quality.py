"""How far the crop of a person can be trusted, from numbers that cost microseconds.

The score is a product of three fractions, so that any single fault is enough to pull it down: how tall the person
is, how much of the box no neighbour hides, and whether the picture's edge cuts it off. The constants were chosen by how
well the score ranks crops by their likeness to the same person elsewhere; sharpness added nothing to it.
"""

import numpy as np
from numpy.typing import NDArray

from ruid_core.geometry.boxes import Boxes, areas, intersections

_FULL_HEIGHT_PX = 64.0
"""The height from which on a small embedder gains little by more."""

_BEHIND_WEIGHT = 0.25
"""A neighbour who stands behind disturbs a crop less than one who stands in front."""

_CUT_FACTOR = 0.6
_EDGE_FRACTION = 0.01


def crop_quality(boxes_xyxy_px: Boxes, *, width_px: int, height_px: int) -> NDArray[np.float32]:
    """Return (N,) scores in 0..1 for (N, 4) boxes of people seen in one picture of the given size."""
    scores = _size_scores(boxes_xyxy_px) * _clear_shares(boxes_xyxy_px)
    return (scores * _whole_scores(boxes_xyxy_px, width_px, height_px)).astype(np.float32)


def _size_scores(boxes_xyxy_px: Boxes) -> NDArray[np.float32]:
    heights_px = boxes_xyxy_px[:, 3] - boxes_xyxy_px[:, 1]
    return np.clip(heights_px / _FULL_HEIGHT_PX, 0, 1)


def _clear_shares(boxes_xyxy_px: Boxes) -> NDArray[np.float32]:
    """Return (N,) shares of each box that its neighbours leave free, as if their overlaps were independent.

    Of two people on one floor, the one whose feet are lower in the picture stands in front.
    """
    own_areas = np.maximum(areas(boxes_xyxy_px), 1e-6)
    covered = np.clip(intersections(boxes_xyxy_px, boxes_xyxy_px) / own_areas[:, None], 0, 1)
    np.fill_diagonal(covered, 0)
    feet_px = boxes_xyxy_px[:, 3]
    weights = np.where(feet_px[None, :] >= feet_px[:, None], 1.0, _BEHIND_WEIGHT)
    return np.prod(1 - covered * weights, axis=1).astype(np.float32)


def _whole_scores(boxes_xyxy_px: Boxes, width_px: int, height_px: int) -> NDArray[np.float32]:
    """Return (N,) scores that fall with every edge of the picture that a box touches."""
    margins = np.array([width_px, height_px], np.float32) * _EDGE_FRACTION
    limits = np.array([width_px, height_px], np.float32) - margins
    cut_edges = (boxes_xyxy_px[:, :2] < margins).sum(axis=1) + (boxes_xyxy_px[:, 2:] > limits).sum(axis=1)
    return np.power(np.float32(_CUT_FACTOR), cut_edges).astype(np.float32)
