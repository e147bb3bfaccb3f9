"""Make new people for a teacher to describe: the upper half of one crop over the lower half of another, recoloured.

Imitation learns from whatever the teacher is shown, whether or not it exists (Beyer et al., "Knowledge distillation: A
good teacher is patient and consistent", CVPR 2022). A few thousand people give far more combinations of clothes.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ruid_tools.evaluation.reid_networks import read_crop
from ruid_tools.train.pixels import CACHE_HEIGHT_PX, CACHE_WIDTH_PX, listing_key

Pixels = NDArray[np.uint8]

_JOINED_SHARE = 0.75
_RECOLOURED_SHARE = 0.5
_WAIST = (0.35, 0.6)
_SEAM_PX = 8
_JPEG_QUALITY = 95


def kept_composites(pictures: list[Path], *, count: int, cache: Path, seed: int) -> list[Path]:
    """Return `count` composites of these pictures, made once and kept in the `cache` folder."""
    folder = cache / f"composites-{listing_key(pictures)}-{count}-{seed}"
    if not folder.is_dir():
        partial = folder.with_suffix(".partial")
        write_composites(pictures, count=count, out=partial, rng=np.random.default_rng(seed))
        partial.rename(folder)
    return sorted(folder.iterdir())


def write_composites(pictures: list[Path], *, count: int, out: Path, rng: Generator) -> None:
    """Write `count` composites of randomly drawn pictures of persons into `out`, as JPEG of the cache's resolution."""
    out.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        upper, lower = (_crop(pictures[position]) for position in rng.integers(len(pictures), size=2))
        crop = join_at_waist(upper, lower, rng=rng) if rng.random() < _JOINED_SHARE else upper
        if rng.random() < _RECOLOURED_SHARE:
            crop = turn_hues(crop, rng=rng)
        cv2.imwrite(str(out / f"{index:06d}.jpg"), crop, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])


def join_at_waist(upper: Pixels, lower: Pixels, *, rng: Generator) -> Pixels:
    """Return the upper part of one crop (H, W, 3) over the lower part of another of the same size, with a soft seam."""
    height = len(upper)
    waist = rng.uniform(*_WAIST) * height
    share = np.clip((np.arange(height) - waist) / _SEAM_PX + 0.5, 0, 1)[:, None, None]
    mirrored = lower[:, ::-1] if rng.random() < 0.5 else lower
    return np.rint(upper * (1 - share) + mirrored * share).astype(np.uint8)


def turn_hues(crop: Pixels, *, rng: Generator) -> Pixels:
    """Return the crop with its hues turned and its saturation and brightness changed above and below a height."""
    colours = cv2.cvtColor(crop, cv2.COLOR_BGR2HSV).astype(np.int16)
    waist = int(rng.uniform(*_WAIST) * len(crop))
    for part in (colours[:waist], colours[waist:]):
        part[..., 0] = (part[..., 0] + rng.integers(0, 180)) % 180
        part[..., 1:] = np.clip(part[..., 1:] * rng.uniform(0.7, 1.3, size=2), 0, 255)
    return np.asarray(cv2.cvtColor(colours.astype(np.uint8), cv2.COLOR_HSV2BGR), np.uint8)


def _crop(path: Path) -> Pixels:
    return read_crop(path, height_px=CACHE_HEIGHT_PX, width_px=CACHE_WIDTH_PX)
