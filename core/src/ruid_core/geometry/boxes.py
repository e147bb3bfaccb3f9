"""Arithmetic on arrays of boxes; inputs are never changed."""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""(N, 4) float32, rows x1, y1, x2, y2."""


def empty_boxes() -> Boxes:
    """Return a (0, 4) array."""
    return np.zeros((0, 4), np.float32)


def areas(boxes_xyxy: Boxes) -> NDArray[np.float32]:
    """Return (N,) areas in squared units of the boxes."""
    widths = boxes_xyxy[:, 2] - boxes_xyxy[:, 0]
    heights = boxes_xyxy[:, 3] - boxes_xyxy[:, 1]
    return np.multiply(widths, heights, dtype=np.float32)


def intersections(left_xyxy: Boxes, right_xyxy: Boxes) -> NDArray[np.float32]:
    """Return (N, M) areas shared by each of N boxes with each of M."""
    x1 = np.maximum(left_xyxy[:, None, 0], right_xyxy[None, :, 0])
    y1 = np.maximum(left_xyxy[:, None, 1], right_xyxy[None, :, 1])
    x2 = np.minimum(left_xyxy[:, None, 2], right_xyxy[None, :, 2])
    y2 = np.minimum(left_xyxy[:, None, 3], right_xyxy[None, :, 3])
    return np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)


def iou_matrix(left_xyxy: Boxes, right_xyxy: Boxes) -> NDArray[np.float32]:
    """Return (N, M) intersection over union; two empty boxes overlap by 0."""
    shared = intersections(left_xyxy, right_xyxy)
    union = areas(left_xyxy)[:, None] + areas(right_xyxy)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def clip_boxes(boxes_xyxy_px: Boxes, *, width_px: int, height_px: int) -> Boxes:
    """Return the boxes cut to a picture of the given size."""
    limits = np.array([width_px, height_px, width_px, height_px], np.float32)
    return np.clip(boxes_xyxy_px, 0, limits).astype(np.float32)


def to_relative(boxes_xyxy_px: Boxes, *, width_px: int, height_px: int) -> Boxes:
    """Return the boxes as fractions of the picture's width and height."""
    return (boxes_xyxy_px / np.array([width_px, height_px, width_px, height_px], np.float32)).astype(np.float32)
