"""Pictures written into a network's input as its family wants them."""

import numpy as np
import pytest

from ruid_core.vision import Family, Size
from ruid_edge.inference.pictures import InputLayout, PictureTensor, preparation_for

_BGR = (10, 20, 200)


def _layout(*, channels_last: bool = False, dtype: type[np.generic] = np.float32) -> InputLayout:
    return InputLayout(channels_last=channels_last, dtype=np.dtype(dtype), batch=1, height=8, width=8)


def _pictured(family: Family, layout: InputLayout) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """A flat picture, half as high as wide, in an 8×8 input: as rows × columns × channels of floats."""
    picture = np.full((8, 16, 3), _BGR, np.uint8)
    tensor, _ = PictureTensor(layout, Size(8, 8), preparation_for(family, layout)).load(picture)
    planes = tensor[0] if layout.channels_last else tensor[0].transpose(1, 2, 0)
    return planes.astype(np.float64)


def test_yolox_takes_pixels_as_they_are_in_the_upper_left_corner() -> None:
    planes = _pictured(Family.YOLOX, _layout())
    assert planes[0, 0].tolist() == list(_BGR)
    assert planes[3, 7].tolist() == list(_BGR)
    assert planes[4, 0].tolist() == [114, 114, 114]


@pytest.mark.parametrize("family", [Family.YOLOV8, Family.END_TO_END])
def test_yolov8_takes_red_first_and_fractions_in_the_middle(family: Family) -> None:
    planes = _pictured(family, _layout())
    np.testing.assert_allclose(planes[2, 0], [200 / 255, 20 / 255, 10 / 255], rtol=1e-6)
    np.testing.assert_allclose(planes[1, 0], [114 / 255] * 3, rtol=1e-6)


@pytest.mark.parametrize("family", [Family.NANODET, Family.NANODET_PLUS])
def test_nanodet_in_float_takes_normalised_pixels(family: Family) -> None:
    planes = _pictured(family, _layout())
    expected = [(10 - 103.53) / 57.375, (20 - 116.28) / 57.12, (200 - 123.675) / 58.395]
    np.testing.assert_allclose(planes[4, 4], expected, rtol=1e-5)


@pytest.mark.parametrize("channels_last", [True, False])
def test_a_uint8_input_takes_pixels_as_they_are(channels_last: bool) -> None:
    planes = _pictured(Family.NANODET, _layout(channels_last=channels_last, dtype=np.uint8))
    assert planes[3, 3].tolist() == list(_BGR)
    assert planes[0, 0].tolist() == [112, 112, 112]


def test_channels_last_in_float_holds_the_same_numbers() -> None:
    last = _pictured(Family.YOLOV8, _layout(channels_last=True))
    first = _pictured(Family.YOLOV8, _layout())
    np.testing.assert_array_equal(last, first)


def test_nothing_of_a_larger_picture_shines_through_a_smaller_one() -> None:
    layout = _layout(channels_last=True, dtype=np.uint8)
    pictures = PictureTensor(layout, Size(8, 8), preparation_for(Family.NANODET, layout))
    pictures.load(np.full((8, 8, 3), 255, np.uint8))
    tensor, letterbox = pictures.load(np.full((4, 8, 3), 7, np.uint8))
    assert (tensor[0, :2] == 112).all()
    assert (tensor[0, 2:6] == 7).all()
    assert letterbox.top_px == 2
