"""Telling a detector's family from the shapes of its outputs."""

import pytest

from ruid_core.vision import Family, Size, UnknownOutputsError, VisionError, recognise

_SQUARE = Size(416, 416)
_CELLS = (52 * 52, 26 * 26, 13 * 13)
_ALL = sum(_CELLS)
_MAPS = [(1, cells, columns) for cells in _CELLS for columns in (80, 44)]


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        ([(1, _ALL, 1), (1, _ALL, 44)], Family.NANODET),
        ([(1, _ALL, 44), (1, _ALL, 80)], Family.NANODET),
        ([(1, _ALL, 80), (1, _ALL, 32)], Family.NANODET),
        (_MAPS, Family.NANODET),
        (_MAPS[::-1], Family.NANODET),
        ([(1, _ALL + 49, 80 + 32)], Family.NANODET_PLUS),
        ([(1, cells, columns) for cells in (*_CELLS, 49) for columns in (80, 32)], Family.PICODET),
        ([(1, _ALL, 85)], Family.YOLOX),
        ([(1, _ALL, 6)], Family.YOLOX),
        ([(1, 84, _ALL)], Family.YOLOV8),
        ([(1, 5, _ALL)], Family.YOLOV8),
        ([(1, 300, 6)], Family.END_TO_END),
    ],
)
def test_recognises_each_family(shapes: list[tuple[int, ...]], family: Family) -> None:
    assert recognise(shapes, _SQUARE) is family


def test_counts_cells_that_an_input_only_begins() -> None:
    assert recognise([(1, 7 * 4 + 4 * 2 + 2 * 1, 85)], Size(50, 30)) is Family.YOLOX


@pytest.mark.parametrize(
    "shapes",
    [
        [],
        [()],
        [(1, 1000)],
        [(2, 300, 6)],
        [(1, 1000, 85)],
        [(1, _ALL, 5)],
        [(1, 4, _ALL)],
        [(1, _ALL + 49, 32)],
        [(1, _ALL, 80), (1, 44)],
        [(1, _ALL, 80), (1, _ALL, 80)],
        [(1, _ALL, 80), (1, _ALL - 1, 44)],
        [(1, 10, 80), (1, 10, 44)],
        [(1, _ALL, 80), (1, _ALL, 44), (1, _ALL, 4)],
    ],
)
def test_says_what_it_expected_of_outputs_that_fit_nothing(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(UnknownOutputsError) as caught:
        recognise(shapes, _SQUARE)
    assert isinstance(caught.value, VisionError)
    text = str(caught.value)
    assert "416×416" in text
    assert all(family.value in text for family in Family)


def test_names_the_shapes_it_was_given() -> None:
    with pytest.raises(UnknownOutputsError, match=r"1×1000, a scalar"):
        recognise([(1, 1000), ()], _SQUARE)
    with pytest.raises(UnknownOutputsError, match=r"input: none;"):
        recognise([], _SQUARE)
