"""How unlike a predicted track and a detection are, and how much detections repeat each other."""

import numpy as np
from numpy.typing import NDArray

from ruid_core.tracking.motion import Array, corner_boxes


def pair_costs(tracks_cxcywh_px: Array, detections_cxcywh_px: Array, *, margin: float, shape_weight: float) -> Array:
    """Return the (T, D) costs of taking each detection for each track: 0 for the same box, 1 for no common area.

    Boxes are compared with a margin around them (buffered IoU, Yang et al. 2023, C-BIoU 3.1), so that a small person
    who moved by a body's width between two frames still has something in common with the prediction. A difference in
    height comes on top: upright people change theirs slowly, and a group or a half hidden person shows by it.
    """
    overlap = buffered_iou(tracks_cxcywh_px, detections_cxcywh_px, margin=margin)
    heights = np.log(tracks_cxcywh_px[:, 3])[:, None] - np.log(detections_cxcywh_px[:, 3])
    return 1 - overlap + shape_weight * np.abs(heights)


def buffered_iou(left_cxcywh_px: Array, right_cxcywh_px: Array, *, margin: float = 0.0) -> Array:
    """Return (N, M) intersection over union, each box with `margin` of its width and height added on each side."""
    left, right = left_cxcywh_px.copy(), right_cxcywh_px.copy()
    left[:, 2:] *= 1 + 2 * margin
    right[:, 2:] *= 1 + 2 * margin
    left_corners, right_corners = corner_boxes(left), corner_boxes(right)
    sides = np.minimum(left_corners[:, None, 2:], right_corners[:, 2:])
    sides -= np.maximum(left_corners[:, None, :2], right_corners[:, :2])
    np.maximum(sides, 0, out=sides)
    shared = sides[:, :, 0] * sides[:, :, 1]
    return shared / ((left[:, 2] * left[:, 3])[:, None] + right[:, 2] * right[:, 3] - shared)


def repeats(detections_cxcywh_px: Array, *, of: NDArray[np.intp], overlap: float) -> NDArray[np.bool_]:
    """Return (D,) whether each detection shares more than `overlap` (IoU) with one of the detections `of`."""
    if not of.size:
        return np.zeros(len(detections_cxcywh_px), np.bool_)
    shared: Array = buffered_iou(detections_cxcywh_px, detections_cxcywh_px[of]).max(axis=1)
    return shared > overlap
