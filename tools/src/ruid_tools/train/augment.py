"""Augmentation of one crop: what differs between cameras, simulated.

Boxes differ (shift, zoom, cut legs), optics differ (resolution, blur), encoders differ (JPEG), light and sensors
differ (gain per channel, contrast, saturation, gamma), and something stands in front of people (random erasing:
Zhong et al., AAAI 2020). All colour changes but gamma are affine in BGR, so they are one 3×4 matrix.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

_LUMA_BGR = np.array([0.114, 0.587, 0.299])
_MID_GREY = 128.0


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Probabilities (of 1) and strengths (half-ranges about no change)."""

    mirror: float = 0.5
    zoom: float = 0.1
    shift: float = 0.06
    cut_legs: float = 0.1
    low_resolution: float = 0.35
    blur: float = 0.1
    jpeg: float = 0.2
    colour: float = 0.85
    channel_gain: float = 0.15
    brightness: float = 0.2
    contrast: float = 0.25
    saturation: float = 0.4
    grey: float = 0.04
    gamma: float = 0.3
    erase: float = 0.4


MILD = Augmentation(
    zoom=0.05,
    shift=0.04,
    cut_legs=0.0,
    low_resolution=0.25,
    jpeg=0.1,
    grey=0.0,
    erase=0.2,
)
"""Light changes as it does between cameras, but hardly anything of the person is lost: the teacher stays right."""


def augment(crop: Pixels, *, height_px: int, width_px: int, how: Augmentation, rng: Generator) -> Pixels:
    """Return a changed copy of a BGR crop (any size) as (height_px, width_px, 3)."""
    changed = _reframe(crop, height_px=height_px, width_px=width_px, how=how, rng=rng)
    changed = _degrade(changed, how=how, rng=rng)
    if rng.random() < how.colour:
        changed = _recolour(changed, how=how, rng=rng)
    if rng.random() < how.erase:
        _erase(changed, rng=rng)
    return changed


def _reframe(crop: Pixels, *, height_px: int, width_px: int, how: Augmentation, rng: Generator) -> Pixels:
    """Scale to the target size with a random mirror, zoom and shift, in one interpolation."""
    height, width = crop.shape[:2]
    kept = rng.uniform(0.55, 0.95) if rng.random() < how.cut_legs else 1.0
    scale_y = height_px / (height * kept) * (1 + rng.uniform(-how.zoom, how.zoom))
    scale_x = width_px / width * (1 + rng.uniform(-how.zoom, how.zoom))
    shift_y, shift_x = rng.uniform(-how.shift, how.shift, size=2)
    centre_x = width_px / 2 + shift_x * width_px - scale_x * width / 2
    centre_y = height_px / 2 + shift_y * height_px - scale_y * height * kept / 2
    matrix = np.array([[scale_x, 0, centre_x], [0, scale_y, centre_y]])
    if rng.random() < how.mirror:
        matrix[0] = -matrix[0]
        matrix[0, 2] += width_px - 1
    return _pixels(cv2.warpAffine(crop, matrix, (width_px, height_px), borderMode=cv2.BORDER_REPLICATE))


def _degrade(crop: Pixels, *, how: Augmentation, rng: Generator) -> Pixels:
    height, width = crop.shape[:2]
    if rng.random() < how.low_resolution:
        factor = rng.uniform(0.25, 0.9)
        size = (max(8, round(width * factor)), max(16, round(height * factor)))
        small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
        crop = _pixels(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))
    if rng.random() < how.blur:
        crop = _pixels(cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.6)))
    if rng.random() < how.jpeg:
        _, encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))])
        crop = _pixels(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    return crop


def _recolour(crop: Pixels, *, how: Augmentation, rng: Generator) -> Pixels:
    saturation = 0.0 if rng.random() < how.grey else 1 + rng.uniform(-how.saturation, how.saturation)
    contrast = 1 + rng.uniform(-how.contrast, how.contrast)
    gains = 1 + rng.uniform(-how.channel_gain, how.channel_gain, size=3)
    mixing = saturation * np.eye(3) + (1 - saturation) * np.tile(_LUMA_BGR, (3, 1))
    mixing = contrast * gains[:, None] * mixing
    offset = _MID_GREY * (1 - contrast) + 255 * rng.uniform(-how.brightness, how.brightness)
    changed = _pixels(cv2.transform(crop, np.hstack([mixing, np.full((3, 1), offset)])))
    return _pixels(cv2.LUT(changed, _gamma_table(rng))) if rng.random() < how.gamma else changed


def _gamma_table(rng: Generator) -> Pixels:
    exponent = float(np.exp(rng.uniform(-0.5, 0.5)))
    return (255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)


def _erase(crop: Pixels, *, rng: Generator) -> None:
    """Fill a random rectangle of the (fresh) crop with noise about a random colour."""
    height, width = crop.shape[:2]
    area = rng.uniform(0.03, 0.3) * height * width
    aspect = float(np.exp(rng.uniform(-1.2, 1.2)))
    tall, wide = int(min(height, np.sqrt(area * aspect))), int(min(width, np.sqrt(area / aspect)))
    top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
    noise = rng.integers(0, 256, size=3) + rng.integers(-40, 41, size=(tall, wide, 3))
    crop[top : top + tall, left : left + wide] = np.clip(noise, 0, 255).astype(np.uint8)


def _pixels(array: NDArray[np.generic] | cv2.typing.MatLike) -> Pixels:
    return np.asarray(array, dtype=np.uint8)
