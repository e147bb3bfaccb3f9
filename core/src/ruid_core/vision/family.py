"""Which decoder fits a network's outputs: told from their shapes alone, for a given input size."""

from collections.abc import Sequence
from enum import Enum

from ruid_core.vision.errors import UnknownOutputsError
from ruid_core.vision.grid import Size, cells_per_stride

THREE_STRIDES_PX = (8, 16, 32)
FOUR_STRIDES_PX = (8, 16, 32, 64)
BOX_BINS = (8, 11, 17)
"""Bins per side of the distribution focal loss in published models; a box has four times as many columns."""

Shape = tuple[int, ...]


class Family(Enum):
    """A way of writing boxes down; the value is its name on the command line."""

    NANODET = "nanodet"
    NANODET_PLUS = "nanodet-plus"
    PICODET = "picodet"
    YOLOX = "yolox"
    YOLOV8 = "yolov8"
    END_TO_END = "end-to-end"


_LAYOUTS = {
    Family.NANODET: "class and box maps at strides 8, 16, 32: 1×cells×classes and 1×cells×4·bins, joined or one each",
    Family.NANODET_PLUS: "1×cells×(classes + 4·bins) at strides 8, 16, 32, 64",
    Family.PICODET: "class and box maps at strides 8, 16, 32, 64: 1×cells×classes and 1×cells×4·bins, one each",
    Family.YOLOX: "1×cells×(5 + classes) at strides 8, 16, 32",
    Family.YOLOV8: "1×(4 + classes)×cells at strides 8, 16, 32",
    Family.END_TO_END: "1×N×6 rows of x1, y1, x2, y2, confidence, class",
}


def expected_outputs(family: Family | None = None) -> str:
    """Return in words what a family's outputs look like; without a family, what any does."""
    if family is not None:
        return f"{family.value}: {_LAYOUTS[family]}"
    return "one of " + "; ".join(f"{known.value}: {layout}" for known, layout in _LAYOUTS.items())


def recognise(shapes: Sequence[Shape], size: Size) -> Family:
    """Return the family whose outputs have these shapes; raise `UnknownOutputsError` that lists what would fit.

    One output of 1×cells×45 could be YOLOX with 40 classes or NanoDet with one: YOLOX is assumed, because
    NanoDet's own exports keep classes and boxes apart.
    """
    for family, fits in _TESTS.items():
        if fits(shapes, size):
            return family
    raise UnknownOutputsError(shapes, width_px=size.width_px, height_px=size.height_px, expected=expected_outputs())


def _is_nanodet(shapes: Sequence[Shape], size: Size) -> bool:
    cells = cells_per_stride(size, THREE_STRIDES_PX)
    return _are_maps(shapes, cells) or _are_maps(shapes, [sum(cells)])


def _is_picodet(shapes: Sequence[Shape], size: Size) -> bool:
    return _are_maps(shapes, cells_per_stride(size, FOUR_STRIDES_PX))


def _are_maps(shapes: Sequence[Shape], cells: Sequence[int]) -> bool:
    """Whether these are a class table and a box table for each number of cells."""
    if not all(_is_table(shape) for shape in shapes):
        return False
    boxes = sorted(shape[1] for shape in shapes if shape[2] in _box_columns())
    classes = sorted(shape[1] for shape in shapes if shape[2] not in _box_columns())
    return boxes == classes == sorted(cells)


def _is_nanodet_plus(shapes: Sequence[Shape], size: Size) -> bool:
    return _is_single(shapes, rows=sum(cells_per_stride(size, FOUR_STRIDES_PX))) and shapes[0][2] > min(_box_columns())


def _is_yolox(shapes: Sequence[Shape], size: Size) -> bool:
    return _is_single(shapes, rows=sum(cells_per_stride(size, THREE_STRIDES_PX))) and shapes[0][2] > 5


def _is_yolov8(shapes: Sequence[Shape], size: Size) -> bool:
    cells = sum(cells_per_stride(size, THREE_STRIDES_PX))
    return len(shapes) == 1 and _is_table(shapes[0]) and shapes[0][2] == cells and shapes[0][1] > 4


def _is_end_to_end(shapes: Sequence[Shape], size: Size) -> bool:
    del size
    return len(shapes) == 1 and _is_table(shapes[0]) and shapes[0][2] == 6


_TESTS = {
    Family.NANODET: _is_nanodet,
    Family.NANODET_PLUS: _is_nanodet_plus,
    Family.PICODET: _is_picodet,
    Family.YOLOX: _is_yolox,
    Family.YOLOV8: _is_yolov8,
    Family.END_TO_END: _is_end_to_end,
}


def _is_table(shape: Shape) -> bool:
    return len(shape) == 3 and shape[0] == 1


def _is_single(shapes: Sequence[Shape], *, rows: int) -> bool:
    return len(shapes) == 1 and _is_table(shapes[0]) and shapes[0][1] == rows


def _box_columns() -> tuple[int, ...]:
    return tuple(4 * bins for bins in BOX_BINS)
