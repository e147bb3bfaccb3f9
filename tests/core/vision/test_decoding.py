"""Each family's decoder against answers worked out by hand.

The input is 64×64: 8×8, 4×4 and 2×2 cells at strides 8, 16 and 32, which makes 84; with stride 64 one more.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_core.vision import DecodeSettings, Detections, Family, Size, UnknownOutputsError, decode

_SIZE = Size(64, 64)
_CELLS = 84
_SETTINGS = DecodeSettings(confidence_min=0.4, iou_max=0.5)

Floats = NDArray[np.float32]


def _tables(*, cells: int = _CELLS, classes: int = 2, bins: int = 11) -> tuple[Floats, Floats]:
    return np.zeros((1, cells, classes), np.float32), np.zeros((1, cells, 4 * bins), np.float32)


def _put_distances(boxes: Floats, cell: int, sides: tuple[int, int, int, int], *, bins: int = 11) -> None:
    """Make each side's distribution a certainty: all weight on one bin."""
    for side, steps in enumerate(sides):
        boxes[0, cell, side * bins + steps] = 100.0


def _assert_found(found: Detections, boxes: list[list[float]], confidences: list[float]) -> None:
    assert found.boxes_xyxy_px.dtype == found.confidences.dtype == np.float32
    np.testing.assert_allclose(found.boxes_xyxy_px, np.array(boxes, np.float32).reshape(-1, 4), atol=1e-4)
    np.testing.assert_allclose(found.confidences, confidences, atol=1e-6)


def test_nanodet_measures_from_the_middle_of_a_cell_in_strides() -> None:
    # Cell 2 of row 1 at stride 8 has its middle at (20, 12): one left, one up, two right, three down.
    people, boxes = _tables()
    people[0, 1 * 8 + 2, 0] = 0.9
    _put_distances(boxes, 1 * 8 + 2, (1, 1, 2, 3))
    found = decode(Family.NANODET, [people, boxes], _SIZE, _SETTINGS)
    _assert_found(found, [[12, 4, 36, 36]], [0.9])


def test_nanodet_takes_the_mean_of_a_distribution() -> None:
    # Half of the weight on 1 and half on 2 is a distance of 1.5 strides; the cell's middle is (4, 4).
    people, boxes = _tables()
    people[0, 0, 0] = 0.8
    for side in range(4):
        boxes[0, 0, side * 11 + 1] = boxes[0, 0, side * 11 + 2] = 100.0
    found = decode(Family.NANODET, [people, boxes], _SIZE, _SETTINGS)
    _assert_found(found, [[4 - 12, 4 - 12, 4 + 12, 4 + 12]], [0.8])


def test_nanodet_reads_six_maps_in_any_order() -> None:
    # The last of 2×2 cells at stride 32 has its middle at (48, 48).
    maps: list[Floats] = []
    for cells in (64, 16, 4):
        maps += _tables(cells=cells)
    maps[4][0, 3, 0] = 0.7
    _put_distances(maps[5], 3, (1, 1, 0, 0))
    for order in ([0, 1, 2, 3, 4, 5], [5, 2, 1, 4, 0, 3]):
        found = decode(Family.NANODET, [maps[place] for place in order], _SIZE, _SETTINGS)
        _assert_found(found, [[16, 16, 48, 48]], [0.7])


def test_nanodet_reads_classes_and_boxes_joined_when_told_so() -> None:
    people, boxes = _tables(classes=1)
    people[0, 0, 0] = 0.9
    _put_distances(boxes, 0, (0, 0, 1, 2))
    found = decode(Family.NANODET, [np.concatenate([people, boxes], axis=2)], _SIZE, _SETTINGS)
    _assert_found(found, [[4, 4, 12, 20]], [0.9])


def test_nanodet_plus_measures_from_the_corner_of_a_cell() -> None:
    # Cell 1 of row 2 at stride 16 comes after the 64 cells of stride 8; its corner is (16, 32).
    people, boxes = _tables(cells=85, bins=8)
    cell = 64 + 2 * 4 + 1
    people[0, cell, 0] = 0.6
    _put_distances(boxes, cell, (1, 2, 1, 1), bins=8)
    found = decode(Family.NANODET_PLUS, [np.concatenate([people, boxes], axis=2)], _SIZE, _SETTINGS)
    _assert_found(found, [[0, 0, 32, 48]], [0.6])


def test_picodet_has_four_strides_and_points_in_the_cells_middles() -> None:
    # Cell 1 of row 0 at stride 16 has its point at (24, 8).
    counts = (64, 16, 4, 1)
    people = [np.zeros((1, count, 80), np.float32) for count in counts]
    boxes = [np.zeros((1, count, 32), np.float32) for count in counts]
    people[1][0, 1, 0] = 0.7
    _put_distances(boxes[1], 1, (1, 0, 1, 2), bins=8)
    found = decode(Family.PICODET, [*people, *boxes], _SIZE, _SETTINGS)
    _assert_found(found, [[8, 8, 40, 40]], [0.7])


def test_yolox_places_a_centre_and_grows_it_by_a_power() -> None:
    # Cell 3 of row 2 at stride 8 begins at (24, 16): centre (24 + 4, 16 + 2), sides e^0·8 and e^ln2·8.
    table = np.zeros((1, _CELLS, 7), np.float32)
    table[0, 2 * 8 + 3] = [0.5, 0.25, 0.0, np.log(2), 0.9, 0.8, 0.1]
    found = decode(Family.YOLOX, [table], _SIZE, _SETTINGS)
    _assert_found(found, [[24, 10, 32, 26]], [0.72])


def test_yolov8_has_centres_and_sides_in_pixels() -> None:
    table = np.zeros((1, 6, _CELLS), np.float32)
    table[0, :, 40] = [30, 20, 10, 16, 0.75, 0.1]
    found = decode(Family.YOLOV8, [table], _SIZE, _SETTINGS)
    _assert_found(found, [[25, 12, 35, 28]], [0.75])


def test_an_end_to_end_network_has_chosen_already() -> None:
    # Two people who overlap stay two; a dog and a faint person go; the surest comes first.
    rows = [[10, 10, 20, 30, 0.5, 0], [11, 10, 21, 30, 0.8, 0], [0, 0, 9, 9, 0.9, 16], [40, 40, 50, 60, 0.3, 0]]
    found = decode(Family.END_TO_END, [np.array([rows], np.float32)], _SIZE, _SETTINGS)
    _assert_found(found, [[11, 10, 21, 30], [10, 10, 20, 30]], [0.8, 0.5])


def test_another_class_can_be_the_person() -> None:
    table = np.zeros((1, 6, _CELLS), np.float32)
    table[0, :, 40] = [30, 20, 10, 16, 0.1, 0.75]
    found = decode(Family.YOLOV8, [table], _SIZE, DecodeSettings(person_class=1))
    _assert_found(found, [[25, 12, 35, 28]], [0.75])


def test_boxes_of_one_person_become_one() -> None:
    table = np.zeros((1, 6, _CELLS), np.float32)
    table[0, :, 40] = [30, 20, 10, 16, 0.75, 0]
    table[0, :, 41] = [31, 20, 10, 16, 0.85, 0]
    found = decode(Family.YOLOV8, [table], _SIZE, _SETTINGS)
    _assert_found(found, [[26, 12, 36, 28]], [0.85])


@pytest.mark.parametrize(
    ("family", "shapes"),
    [
        (Family.NANODET, [(1, _CELLS, 2), (1, _CELLS, 44)]),
        (Family.NANODET_PLUS, [(1, 85, 34)]),
        (Family.PICODET, [(1, count, columns) for count in (64, 16, 4, 1) for columns in (80, 32)]),
        (Family.YOLOX, [(1, _CELLS, 6)]),
        (Family.YOLOV8, [(1, 5, _CELLS)]),
        (Family.END_TO_END, [(1, 300, 6)]),
    ],
)
def test_an_empty_picture_gives_nobody(family: Family, shapes: list[tuple[int, ...]]) -> None:
    found = decode(family, [np.zeros(shape, np.float32) for shape in shapes], _SIZE, _SETTINGS)
    assert len(found) == 0
    assert found.boxes_xyxy_px.shape == (0, 4)


def test_outputs_of_another_family_are_refused_by_name() -> None:
    with pytest.raises(UnknownOutputsError, match="expected yolov8: 1×"):
        decode(Family.YOLOV8, [np.zeros((1, _CELLS, 85), np.float32)], _SIZE, _SETTINGS)


def test_outputs_of_no_family_are_refused() -> None:
    with pytest.raises(UnknownOutputsError, match="expected yolox"):
        decode(Family.YOLOX, [np.zeros((1, 10), np.float32)], _SIZE, _SETTINGS)


def test_a_yolox_table_too_narrow_for_boxes_in_bins_is_not_nanodet() -> None:
    with pytest.raises(UnknownOutputsError):
        decode(Family.NANODET, [np.zeros((1, _CELLS, 6), np.float32)], _SIZE, _SETTINGS)


def test_the_outputs_are_left_as_they_were() -> None:
    people, boxes = _tables()
    people[0, 3, 0] = 0.9
    before = people.copy(), boxes.copy()
    decode(Family.NANODET, [people, boxes], _SIZE, _SETTINGS)
    np.testing.assert_array_equal(people, before[0])
    np.testing.assert_array_equal(boxes, before[1])


def test_nobody_is_no_detections() -> None:
    assert len(Detections.none()) == 0
