"""Boxes for unlabelled street pictures: one detector's at several scales, of the picture and its mirror image, fused.

Fusion follows weighted boxes fusion (Solovyev et al. 2019). A person is sure where the mean confidence is high and
most looks agree; everybody else who was seen is left out of the training, neither person nor background.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ruid_core.geometry.boxes import Boxes, empty_boxes, iou_matrix
from ruid_core.vision import Detections, Size, input_size_for
from ruid_edge.inference import PersonDetector, load_detector
from ruid_edge.inference.pictures import PictureBgr

LONG_SIDES_PX = (320, 416, 512)
_FAINT = 0.05
_SEEN_MIN = 0.06
_SURE_MIN = 0.5
_AGREEING_MIN = 0.8
_SAME_IOU = 0.55
_LOADED_MOST = 48


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """People of a picture: (N, 4) boxes in its pixels, and which of them are sure."""

    boxes_xyxy_px: Boxes
    sure: NDArray[np.bool_]


@dataclass(slots=True, eq=False)
class _Cluster:
    boxes: list[Any]
    confidences: list[float]
    looks: set[int]
    fused: Any


class Labeller:
    """Labels pictures with a YOLOX network; it is loaded once for each input size."""

    def __init__(self, teacher: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._open = folder / "teacher.onnx"
        onnx.save(_of_any_size(onnx.load(teacher)), self._open)
        self._loaded: dict[Size, PersonDetector] = {}

    def label(self, picture: PictureBgr) -> Labels:
        """Return the people in a picture."""
        looks = [self._look(picture, long_side_px, mirrored) for long_side_px in LONG_SIDES_PX for mirrored in (0, 1)]
        boxes, confidences, agreeing = fuse(looks)
        seen = confidences > _SEEN_MIN
        sure = (confidences >= _SURE_MIN) & (agreeing >= _AGREEING_MIN)
        return Labels(boxes[seen], sure[seen])

    def _look(self, picture: PictureBgr, long_side_px: int, mirrored: int) -> Detections:
        height_px, width_px = picture.shape[:2]
        detector = self._detector(long_side_px, width_px, height_px)
        if not mirrored:
            return detector.detect(picture)
        found = detector.detect(np.ascontiguousarray(picture[:, ::-1]))
        boxes = found.boxes_xyxy_px.copy()
        boxes[:, [0, 2]] = width_px - boxes[:, [2, 0]]
        return Detections(boxes, found.confidences)

    def _detector(self, long_side_px: int, width_px: int, height_px: int) -> PersonDetector:
        size = input_size_for(Size(width_px, height_px), long_side_px=long_side_px)
        if size not in self._loaded:
            self._loaded.clear() if len(self._loaded) >= _LOADED_MOST else None
            self._loaded[size] = load_detector(
                str(self._open),
                threads=1,
                width_px=size.width_px,
                height_px=size.height_px,
                confidence_min=_FAINT,
                long_side_px=long_side_px,
            )
        return self._loaded[size]


def fuse(looks: Sequence[Detections]) -> tuple[Boxes, NDArray[np.float64], NDArray[np.float64]]:
    """Return fused boxes (N, 4), their mean confidence over all looks, and the share of looks that saw them."""
    seen = [
        (float(confidence), look, box)
        for look, found in enumerate(looks)
        for box, confidence in zip(found.boxes_xyxy_px, found.confidences, strict=True)
    ]
    clusters: list[_Cluster] = []
    for confidence, look, box in sorted(seen, key=lambda one: -one[0]):
        _join(clusters, confidence, look, box)
    if not clusters:
        return empty_boxes(), np.zeros(0), np.zeros(0)
    boxes = np.array([cluster.fused for cluster in clusters], np.float32)
    confidences = np.array([sum(cluster.confidences) / len(looks) for cluster in clusters])
    return boxes, confidences, np.array([len(cluster.looks) / len(looks) for cluster in clusters])


def _join(clusters: list[_Cluster], confidence: float, look: int, box: Any) -> None:
    """Put a box into the cluster that it overlaps most and that has none of its look yet, or begin one with it."""
    free = [cluster for cluster in clusters if look not in cluster.looks]
    overlaps = iou_matrix(box[None], np.array([cluster.fused for cluster in free], np.float32).reshape(-1, 4))[0]
    if not free or overlaps.max() <= _SAME_IOU:
        clusters.append(_Cluster([box], [confidence], {look}, box))
        return
    cluster = free[int(overlaps.argmax())]
    cluster.boxes.append(box)
    cluster.confidences.append(confidence)
    cluster.looks.add(look)
    cluster.fused = np.average(np.array(cluster.boxes), axis=0, weights=cluster.confidences).astype(np.float32)


def _of_any_size(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a network whose input and cells are left open; YOLOX's constants fit every size."""
    sides = model.graph.input[0].type.tensor_type.shape.dim
    sides[2].dim_param, sides[3].dim_param = "height", "width"
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "cells"
    del model.graph.value_info[:]
    return model
