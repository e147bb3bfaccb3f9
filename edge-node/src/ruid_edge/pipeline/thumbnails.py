"""Small pictures of people, as far as the privacy policy allows."""

from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

_SIZE_PX = (64, 128)
_BLURRED_PX = (6, 12)
_LARGEST_BYTES = 8 * 1024


class ThumbnailPolicy(Enum):
    """What may leave the node: nothing, a mosaic in which nobody can be recognised, or a small picture."""

    OFF = "off"
    BLURRED = "blurred"
    ON = "on"


def cut_crop(
    picture_bgr: NDArray[np.uint8], box_xyxy_px: tuple[float, float, float, float], policy: ThumbnailPolicy
) -> NDArray[np.uint8] | None:
    """Return a 64 × 128 crop of a person, blurred at once where policy says so; None where it says off."""
    height, width = picture_bgr.shape[:2]
    x1, y1 = max(0, int(box_xyxy_px[0])), max(0, int(box_xyxy_px[1]))
    x2, y2 = min(width, round(box_xyxy_px[2])), min(height, round(box_xyxy_px[3]))
    if policy is ThumbnailPolicy.OFF or x2 <= x1 or y2 <= y1:
        return None
    crop = picture_bgr[y1:y2, x1:x2]
    if policy is ThumbnailPolicy.BLURRED:
        crop = cv2.resize(crop, _BLURRED_PX, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(crop, _SIZE_PX, interpolation=cv2.INTER_LINEAR), np.uint8)


def encode_thumbnail(crop_bgr: NDArray[np.uint8] | None) -> bytes:
    """Return the crop as JPEG of at most 8 KiB, b"" for None."""
    if crop_bgr is None:
        return b""
    for quality in (85, 60, 35):
        encoded, jpeg = cv2.imencode(".jpg", crop_bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if encoded and jpeg.size <= _LARGEST_BYTES:
            return jpeg.tobytes()
    return b""
