"""Pictures become a network's input, written into tensors that are made once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ruid_core.vision import Family, Letterbox, Size, fit
from ruid_edge.inference.errors import WrongInputError
from ruid_edge.inference.runtimes import TensorSpec

PictureBgr = NDArray[np.uint8]
Canvas = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class InputLayout:
    """A picture tensor: where its axes are and what its numbers are."""

    channels_last: bool
    dtype: np.dtype[Any]
    batch: int | str
    height: int | str
    width: int | str

    def shape(self, count: int, size: Size) -> tuple[int, int, int, int]:
        """Return the shape of a batch of `count` pictures of `size`."""
        if self.channels_last:
            return (count, size.height_px, size.width_px, 3)
        return (count, 3, size.height_px, size.width_px)


def read_layout(path: Path, inputs: tuple[TensorSpec, ...]) -> InputLayout:
    """Return the layout of a network's only input; raise `WrongInputError` when it is no picture."""
    expected = "one input of 1×3×height×width or 1×height×width×3, float32 or uint8"
    found = ", ".join(f"{spec.name} {'×'.join(map(str, spec.shape))} {spec.dtype}" for spec in inputs) or "nothing"
    if len(inputs) != 1 or inputs[0].dtype is None or len(inputs[0].shape) != 4:
        raise WrongInputError(str(path), found, expected)
    shape, dtype = inputs[0].shape, inputs[0].dtype
    if shape[1] == 3:
        return InputLayout(channels_last=False, dtype=dtype, batch=shape[0], height=shape[2], width=shape[3])
    if shape[3] == 3:
        return InputLayout(channels_last=True, dtype=dtype, batch=shape[0], height=shape[1], width=shape[2])
    raise WrongInputError(str(path), found, expected)


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a family wants its pictures: padding grey, place, channel order, and `(pixel - mean) · scale`."""

    padding: int = 112
    centred: bool = True
    rgb: bool = False
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)


_NANODET = Preparation(mean=(103.53, 116.28, 123.675), scale=(1 / 57.375, 1 / 57.12, 1 / 58.395))
_IMAGENET_RGB = Preparation(rgb=True, mean=(103.53, 116.28, 123.675), scale=(1 / 57.375, 1 / 57.12, 1 / 58.395))
_UNIT_RGB = Preparation(padding=114, rgb=True, scale=(1 / 255, 1 / 255, 1 / 255))
_PREPARATIONS = {
    Family.NANODET: _NANODET,
    Family.NANODET_PLUS: _NANODET,
    Family.PICODET: _IMAGENET_RGB,
    Family.YOLOX: Preparation(padding=114, centred=False),
    Family.YOLOV8: _UNIT_RGB,
    Family.END_TO_END: _UNIT_RGB,
}


def preparation_for(family: Family, layout: InputLayout) -> Preparation:
    """Return how the family's published models take pictures; a uint8 input takes pixels as they are."""
    return Preparation() if layout.dtype == np.uint8 else _PREPARATIONS[family]


class PictureTensor:
    """A batch of one that holds a picture fitted into an input of a fixed size. Reused from picture to picture."""

    def __init__(self, layout: InputLayout, size: Size, preparation: Preparation) -> None:
        self._preparation = preparation
        self._size = size
        self._tensor = np.zeros(layout.shape(1, size), layout.dtype)
        direct = layout.channels_last and layout.dtype == np.uint8
        self._canvas: Canvas = self._tensor[0] if direct else np.zeros((size.height_px, size.width_px, 3), np.uint8)
        self._direct = direct
        self._channels_last = layout.channels_last
        self._letterbox: Letterbox | None = None

    def load(self, picture_bgr: PictureBgr) -> tuple[NDArray[Any], Letterbox]:
        """Return the tensor with the picture in it, valid until the next call, and where the picture lies."""
        letterbox = self._letterbox_for(picture_bgr)
        scaled = letterbox.scaled
        rows = slice(letterbox.top_px, letterbox.top_px + scaled.height_px)
        columns = slice(letterbox.left_px, letterbox.left_px + scaled.width_px)
        cv2.resize(picture_bgr, (scaled.width_px, scaled.height_px), dst=self._canvas[rows, columns])
        if not self._direct:
            self._write_planes()
        return self._tensor, letterbox

    def _letterbox_for(self, picture_bgr: PictureBgr) -> Letterbox:
        height_px, width_px = picture_bgr.shape[:2]
        picture = Size(width_px, height_px)
        if self._letterbox is None or self._letterbox.picture != picture:
            self._letterbox = fit(picture, self._size, centred=self._preparation.centred)
            self._canvas[:] = self._preparation.padding
        return self._letterbox

    def _write_planes(self) -> None:
        preparation = self._preparation
        for channel, (mean, scale) in enumerate(zip(preparation.mean, preparation.scale, strict=True)):
            place = 2 - channel if preparation.rgb else channel
            plane = self._tensor[0, ..., place] if self._channels_last else self._tensor[0, place]
            np.subtract(self._canvas[..., channel], np.float32(mean), out=plane, casting="unsafe")
            if scale != 1.0:
                plane *= np.float32(scale)
