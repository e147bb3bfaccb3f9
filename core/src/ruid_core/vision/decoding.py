"""A network's raw outputs become `Detections` of people in input pixels, one decoder per family."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ruid_core.geometry.boxes import Boxes, empty_boxes
from ruid_core.vision.detections import Detections
from ruid_core.vision.errors import UnknownOutputsError
from ruid_core.vision.family import (
    BOX_BINS,
    FOUR_STRIDES_PX,
    THREE_STRIDES_PX,
    Family,
    expected_outputs,
    recognise,
)
from ruid_core.vision.grid import Size, make_grid
from ruid_core.vision.nms import suppress

Floats = NDArray[np.floating[Any]]
Outputs = Sequence[Floats]


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """What counts as a person.

    `confidence_min` and `iou_max` are fractions of 1; `person_class` is the column of the class person (0 in
    COCO's order); at most `most` people are returned.
    """

    confidence_min: float = 0.4
    iou_max: float = 0.6
    person_class: int = 0
    most: int = 300


def decode(family: Family, outputs: Outputs, size: Size, settings: DecodeSettings) -> Detections:
    """Return the people in one input of `size`, in input pixels, overlapping boxes suppressed.

    `outputs` are the network's arrays in any order. Raises `UnknownOutputsError` where they do not fit `family`.
    """
    shapes = tuple(output.shape for output in outputs)
    if not _fits(family, shapes, size):
        raise UnknownOutputsError(
            shapes, width_px=size.width_px, height_px=size.height_px, expected=expected_outputs(family)
        )
    boxes, confidences = _DECODERS[family](outputs, size, settings)
    if len(confidences) == 0:
        return Detections.none()
    iou_max = 1.0 if family is Family.END_TO_END else settings.iou_max
    kept = suppress(boxes, confidences, iou_max=iou_max, most=settings.most)
    return Detections(boxes[kept], confidences[kept])


@lru_cache(maxsize=16)
def _fits(family: Family, shapes: tuple[tuple[int, ...], ...], size: Size) -> bool:
    """Whether the outputs can be read as this family: NanoDet's joined table looks like YOLOX's."""
    try:
        likely = recognise(shapes, size)
    except UnknownOutputsError:
        return False
    joined = family is Family.NANODET and likely is Family.YOLOX and shapes[0][2] > 4 * min(BOX_BINS)
    return joined or likely is family


def _decode_nanodet(outputs: Outputs, size: Size, settings: DecodeSettings) -> tuple[Boxes, NDArray[np.float32]]:
    """Read generalised focal loss heads (Li et al. 2020, section 3.2) with the point in the cell's middle."""
    classes, boxes = _class_and_box_tables(outputs, default_bins=11)
    return _decode_distances(classes, boxes, size, settings, strides_px=THREE_STRIDES_PX, point=0.5)


def _decode_nanodet_plus(outputs: Outputs, size: Size, settings: DecodeSettings) -> tuple[Boxes, NDArray[np.float32]]:
    """Read NanoDet-Plus, whose points are the cells' upper left corners."""
    classes, boxes = _class_and_box_tables(outputs, default_bins=8)
    return _decode_distances(classes, boxes, size, settings, strides_px=FOUR_STRIDES_PX, point=0.0)


def _decode_picodet(outputs: Outputs, size: Size, settings: DecodeSettings) -> tuple[Boxes, NDArray[np.float32]]:
    """Read PicoDet (Yu et al. 2021) without its own suppression: four strides, the point in the cell's middle."""
    classes, boxes = _class_and_box_tables(outputs, default_bins=8)
    return _decode_distances(classes, boxes, size, settings, strides_px=FOUR_STRIDES_PX, point=0.5)


def _class_and_box_tables(outputs: Outputs, *, default_bins: int) -> tuple[Floats, Floats]:
    """Return (cells, classes) and (cells, 4·bins); maps of several strides are joined, finest first."""
    if len(outputs) == 1:
        columns = 4 * default_bins
        return outputs[0][0, :, :-columns], outputs[0][0, :, -columns:]
    by_cells = sorted(outputs, key=lambda output: -output.shape[1])
    box_columns = {4 * bins for bins in BOX_BINS}
    boxes = [output[0] for output in by_cells if output.shape[2] in box_columns]
    classes = [output[0] for output in by_cells if output.shape[2] not in box_columns]
    return _joined(classes), _joined(boxes)


def _joined(tables: list[Floats]) -> Floats:
    return tables[0] if len(tables) == 1 else np.concatenate(tables)


def _decode_distances(
    classes: Floats,
    boxes: Floats,
    size: Size,
    settings: DecodeSettings,
    *,
    strides_px: tuple[int, ...],
    point: float,
) -> tuple[Boxes, NDArray[np.float32]]:
    """Distances from a point to a box's four sides are expected values over bins, in strides."""
    confidences = classes[:, settings.person_class]
    cells = np.flatnonzero(confidences > settings.confidence_min)
    if len(cells) == 0:
        return empty_boxes(), confidences[:0]
    grid = make_grid(size, strides_px)
    strides = grid.strides_px[cells, None]
    points = grid.corners_px[cells] + point * strides
    logits = boxes[cells].reshape(len(cells), 4, boxes.shape[1] // 4)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    expected_bins = weights @ np.arange(logits.shape[2], dtype=np.float32) / weights.sum(axis=2)
    distances = expected_bins * strides
    corners = np.concatenate([points - distances[:, :2], points + distances[:, 2:]], axis=1)
    return corners.astype(np.float32), confidences[cells].astype(np.float32)


def _decode_yolox(outputs: Outputs, size: Size, settings: DecodeSettings) -> tuple[Boxes, NDArray[np.float32]]:
    """Read raw YOLOX (Ge et al. 2021): centre in strides from the cell's corner, log of the sides in strides."""
    table = outputs[0][0]
    confidences = table[:, 4] * table[:, 5 + settings.person_class]
    cells = np.flatnonzero(confidences > settings.confidence_min)
    grid = make_grid(size, THREE_STRIDES_PX)
    strides = grid.strides_px[cells, None]
    centres = table[cells, :2] * strides + grid.corners_px[cells]
    return _around(centres, np.exp(table[cells, 2:4]) * strides), confidences[cells].astype(np.float32)


def _decode_yolov8(outputs: Outputs, size: Size, settings: DecodeSettings) -> tuple[Boxes, NDArray[np.float32]]:
    """Read YOLOv8 and YOLO11: centre and sides in input pixels, classes without objectness."""
    del size
    table = outputs[0][0]
    confidences = table[4 + settings.person_class]
    cells = np.flatnonzero(confidences > settings.confidence_min)
    return _around(table[:2, cells].T, table[2:4, cells].T), confidences[cells].astype(np.float32)


def _decode_end_to_end(outputs: Outputs, size: Size, settings: DecodeSettings) -> tuple[Boxes, NDArray[np.float32]]:
    """Read rows that the network has already chosen: corners in input pixels, confidence, class."""
    del size
    table = outputs[0][0]
    people = (table[:, 5].round() == settings.person_class) & (table[:, 4] > settings.confidence_min)
    return table[people, :4].astype(np.float32), table[people, 4].astype(np.float32)


def _around(centres_px: Floats, sides_px: Floats) -> Boxes:
    return np.concatenate([centres_px - sides_px / 2, centres_px + sides_px / 2], axis=1).astype(np.float32)


_DECODERS: dict[Family, Callable[[Outputs, Size, DecodeSettings], tuple[Boxes, NDArray[np.float32]]]] = {
    Family.NANODET: _decode_nanodet,
    Family.NANODET_PLUS: _decode_nanodet_plus,
    Family.PICODET: _decode_picodet,
    Family.YOLOX: _decode_yolox,
    Family.YOLOV8: _decode_yolov8,
    Family.END_TO_END: _decode_end_to_end,
}
