"""Greedy non-maximum suppression."""

import numpy as np
from numpy.typing import NDArray

from ruid_core.geometry.boxes import Boxes, iou_matrix


def suppress(
    boxes_xyxy_px: Boxes, confidences: NDArray[np.float32], *, iou_max: float, most: int = 300
) -> NDArray[np.intp]:
    """Return the indices of the boxes that stay, the surest first.

    A box goes when a surer one that stays overlaps it by more than `iou_max`. Only the `most` surest are looked
    at, which bounds time and memory on a crowded or broken picture. Equal confidences keep their order.
    """
    order = np.argsort(-confidences, kind="stable")[:most]
    clashes = iou_matrix(boxes_xyxy_px[order], boxes_xyxy_px[order]) > iou_max
    stays = np.ones(len(order), bool)
    for rank in range(len(order)):
        if stays[rank]:
            stays[rank + 1 :] &= ~clashes[rank, rank + 1 :]
    return order[stays]
