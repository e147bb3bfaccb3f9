"""Where a picture lies inside a network's input: scaled with its aspect kept or nearly kept, the rest padding."""

from dataclasses import dataclass

import numpy as np

from ruid_core.geometry.boxes import Boxes, clip_boxes
from ruid_core.vision.grid import Size

SQUEEZE_MAX = 0.08
"""How much of its short side a picture may lose, so that its long side still fills the input."""

_FOUR_TO_THREE = 4 / 3
_ASPECT_SLACK = 0.02


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A picture of size `picture`, scaled to `scaled`, its upper left corner at (`left_px`, `top_px`) of the input."""

    picture: Size
    scaled: Size
    left_px: int
    top_px: int

    def to_picture(self, boxes_xyxy_px: Boxes) -> Boxes:
        """Return (N, 4) boxes given in input pixels in picture pixels, cut at the picture's edges."""
        moved = (boxes_xyxy_px - self._offsets()) / self._scales()
        return clip_boxes(moved.astype(np.float32), width_px=self.picture.width_px, height_px=self.picture.height_px)

    def to_input(self, boxes_xyxy_px: Boxes) -> Boxes:
        """Return (N, 4) boxes given in picture pixels in input pixels."""
        return (boxes_xyxy_px * self._scales() + self._offsets()).astype(np.float32)

    def _scales(self) -> Boxes:
        across = self.scaled.width_px / self.picture.width_px
        down = self.scaled.height_px / self.picture.height_px
        return np.array([across, down, across, down], np.float32)

    def _offsets(self) -> Boxes:
        return np.array([self.left_px, self.top_px, self.left_px, self.top_px], np.float32)


def fit(picture: Size, network_input: Size, *, centred: bool = True) -> Letterbox:
    """Return the largest fit of a picture into an input, in the middle or in the upper left corner.

    A picture whose short side does not fit by `SQUEEZE_MAX` at most is squeezed to fill the input.
    """
    across, down = network_input.width_px / picture.width_px, network_input.height_px / picture.height_px
    scale = min(across, down)
    if _is_squeezed(network_input, across, down):
        return Letterbox(picture, network_input, 0, 0)
    scaled = Size(max(1, round(picture.width_px * scale)), max(1, round(picture.height_px * scale)))
    if not centred:
        return Letterbox(picture, scaled, 0, 0)
    left_px = (network_input.width_px - scaled.width_px) // 2
    top_px = (network_input.height_px - scaled.height_px) // 2
    return Letterbox(picture, scaled, left_px, top_px)


def _is_squeezed(network_input: Size, across: float, down: float) -> bool:
    wide = network_input.width_px > network_input.height_px
    along, over = (across, down) if wide else (down, across)
    square = network_input.width_px == network_input.height_px
    return not square and (1 - SQUEEZE_MAX) * along <= over < along


def input_size_for(
    picture: Size, *, long_side_px: int, multiple_px: int = 32, short_side_4_3_px: int | None = None
) -> Size:
    """Return the input that wastes least on padding: long side as given, short side just holding the picture
    (to half a pixel: for less than that no further row of cells is spent).

    Sides are multiples of `multiple_px`, the coarsest stride; `long_side_px` must be one. `short_side_4_3_px` is the
    short side for pictures of 4:3, upright or not, where another one is wanted for them.
    """
    scale = long_side_px / max(picture.width_px, picture.height_px)
    sides = (picture.width_px * scale, picture.height_px * scale)
    if short_side_4_3_px and abs(max(sides) / min(sides) / _FOUR_TO_THREE - 1) <= _ASPECT_SLACK:
        wide = picture.width_px > picture.height_px
        return Size(long_side_px, short_side_4_3_px) if wide else Size(short_side_4_3_px, long_side_px)
    width_px, height_px = (max(1, -(-round(side) // multiple_px)) * multiple_px for side in sides)
    return Size(width_px, height_px)
