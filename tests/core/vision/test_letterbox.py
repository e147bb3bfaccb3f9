"""A picture inside a network's input."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ruid_core.vision import Size, fit, input_size_for

sizes = st.builds(Size, st.integers(8, 4000), st.integers(8, 4000))
inputs = st.builds(Size, st.integers(2, 20).map(lambda n: 32 * n), st.integers(2, 20).map(lambda n: 32 * n))
boxes_in_eighths = st.lists(st.tuples(*[st.integers(0, 8)] * 4), max_size=5)


@given(sizes, inputs, st.booleans(), boxes_in_eighths)
def test_boxes_come_back_from_the_input_as_they_went_in(
    picture: Size, network: Size, centred: bool, rows: list[tuple[int, ...]]
) -> None:
    whole = np.array([picture.width_px, picture.height_px] * 2, np.float32)
    boxes = (np.array(rows, np.float32).reshape(-1, 4) / 8 * whole).astype(np.float32)
    letterbox = fit(picture, network, centred=centred)
    back = letterbox.to_picture(letterbox.to_input(boxes))
    np.testing.assert_allclose(back, boxes, atol=whole.max() * 1e-5)


@given(sizes, inputs, st.booleans())
def test_the_scaled_picture_lies_inside_the_input_and_touches_two_of_its_sides(
    picture: Size, network: Size, centred: bool
) -> None:
    letterbox = fit(picture, network, centred=centred)
    scaled = letterbox.scaled
    assert 0 <= letterbox.left_px <= network.width_px - scaled.width_px
    assert 0 <= letterbox.top_px <= network.height_px - scaled.height_px
    assert scaled.width_px == network.width_px or scaled.height_px == network.height_px


def test_a_wide_picture_has_equal_bars_above_and_below() -> None:
    letterbox = fit(Size(640, 320), Size(416, 416))
    assert (letterbox.scaled, letterbox.left_px, letterbox.top_px) == (Size(416, 208), 0, 104)


def test_a_picture_in_the_corner_starts_at_zero() -> None:
    letterbox = fit(Size(640, 320), Size(416, 416), centred=False)
    assert (letterbox.left_px, letterbox.top_px) == (0, 0)


def test_boxes_are_cut_at_the_pictures_edges() -> None:
    letterbox = fit(Size(640, 320), Size(416, 416))
    beyond = np.array([[-10, 0, 500, 416]], np.float32)
    np.testing.assert_array_equal(letterbox.to_picture(beyond), [[0, 0, 640, 320]])


def test_the_input_has_the_shape_of_the_camera() -> None:
    assert input_size_for(Size(640, 480), long_side_px=416) == Size(416, 320)
    assert input_size_for(Size(1920, 1080), long_side_px=416) == Size(416, 256)
    assert input_size_for(Size(372, 576), long_side_px=416) == Size(288, 416)
    assert input_size_for(Size(500, 500), long_side_px=352) == Size(352, 352)


def test_cameras_of_four_to_three_can_have_a_short_side_of_their_own() -> None:
    assert input_size_for(Size(640, 480), long_side_px=416, short_side_4_3_px=288) == Size(416, 288)
    assert input_size_for(Size(972, 1296), long_side_px=416, short_side_4_3_px=288) == Size(288, 416)
    assert input_size_for(Size(640, 512), long_side_px=416, short_side_4_3_px=288) == Size(416, 352)


def test_a_picture_that_just_does_not_fit_is_squeezed_into_the_input() -> None:
    letterbox = fit(Size(640, 480), Size(416, 288))
    assert (letterbox.scaled, letterbox.left_px, letterbox.top_px) == (Size(416, 288), 0, 0)
    assert fit(Size(480, 640), Size(288, 416)).scaled == Size(288, 416)
    np.testing.assert_allclose(
        letterbox.to_picture(np.array([[104, 72, 208, 144]], np.float32)), [[160, 120, 320, 240]]
    )


def test_nothing_is_squeezed_that_fits_or_that_would_be_hurt() -> None:
    assert fit(Size(640, 448), Size(416, 320)).scaled == Size(416, 291)
    assert fit(Size(640, 480), Size(416, 256)).scaled == Size(341, 256)
    assert fit(Size(640, 600), Size(416, 416)).scaled == Size(416, 390)


@given(sizes, st.integers(1, 20).map(lambda n: 32 * n))
def test_an_input_holds_its_picture_to_half_a_pixel_and_wastes_less_than_a_stride(
    picture: Size, long_side_px: int
) -> None:
    network = input_size_for(picture, long_side_px=long_side_px)
    scaled = fit(picture, network).scaled
    assert max(network.width_px, network.height_px) == long_side_px
    assert max(scaled.width_px, scaled.height_px) >= long_side_px * 0.98  # half a pixel of a short side of 32
    assert network.width_px - scaled.width_px < 32
    assert network.height_px - scaled.height_px < 32
