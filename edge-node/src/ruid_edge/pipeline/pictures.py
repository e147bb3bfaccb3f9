"""What happens to a camera's picture before and beside inference: masks over it, samples and stills of it."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ruid_core.geometry.lines import Point

Picture = NDArray[np.uint8]

_GREY = (112, 112, 112)
_SAMPLE_PX = 192 * 144
_STILL_LONG_SIDE_PX = 1280
_STILL_JPEG_QUALITY = 80


def hide(picture_bgr: Picture, masks_rel: Sequence[Sequence[Point]]) -> Picture:
    """Return the picture with the masks painted over it, in place unless it is read-only.

    A mask covers every pixel that it touches, and one more around.
    """
    if not masks_rel:
        return picture_bgr
    shown = picture_bgr if picture_bgr.flags.writeable else picture_bgr.copy()
    height, width = shown.shape[:2]
    for mask in masks_rel:
        corners = np.rint(np.array(mask) * (width, height)).astype(np.int32)
        cv2.fillPoly(shown, [corners], _GREY)
        cv2.polylines(shown, [corners], isClosed=True, color=_GREY, thickness=3)
    return shown


def turn(picture_bgr: Picture) -> Picture:
    """Return the picture turned by half a turn."""
    return np.asarray(cv2.rotate(picture_bgr, cv2.ROTATE_180), np.uint8)


def sample(picture_bgr: Picture) -> Picture:
    """Return a small grey picture (every few pixels of the green channel), in microseconds."""
    height, width = picture_bgr.shape[:2]
    step = max(1, round((height * width / _SAMPLE_PX) ** 0.5))
    return np.ascontiguousarray(picture_bgr[step // 2 :: step, step // 2 :: step, 1])


def encode_still(picture_bgr: Picture, masks_rel: Sequence[Sequence[Point]]) -> bytes:
    """Return a JPEG of the picture, masked, its long side at most 1280 pixels; the picture is not changed."""
    scale = min(1.0, _STILL_LONG_SIDE_PX / max(picture_bgr.shape[:2]))
    still = np.asarray(cv2.resize(hide(picture_bgr.copy(), masks_rel), None, fx=scale, fy=scale), np.uint8)
    _, jpeg = cv2.imencode(".jpg", hide(still, masks_rel), [cv2.IMWRITE_JPEG_QUALITY, _STILL_JPEG_QUALITY])
    return jpeg.tobytes()
