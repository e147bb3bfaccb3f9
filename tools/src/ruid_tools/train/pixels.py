"""Decode every training picture once into one memory-mapped array, so that augmentation starts from pixels.

The cache is keyed by the list of files, their sizes and the resolution: change any of them and it is built anew.
"""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ruid_tools.evaluation.reid_networks import read_crop

Pixels = NDArray[np.uint8]

CACHE_HEIGHT_PX = 192
CACHE_WIDTH_PX = 80


class PixelStore:
    """Several pixel arrays seen as one: position i counts through them in order."""

    def __init__(self, parts: list[Pixels]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def crop(self, position: int) -> Pixels:
        """Return one BGR crop (192, 80, 3)."""
        part = int(np.searchsorted(self._starts, position, side="right")) - 1
        return self._parts[part][position - self._starts[part]]


def cached_pixels(paths: list[Path], *, cache: Path) -> Pixels:
    """Return all pictures as BGR (N, 192, 80, 3), read-only and memory-mapped from the `cache` folder."""
    cache.mkdir(parents=True, exist_ok=True)
    stored = cache / f"pixels-{listing_key(paths)}.npy"
    if not stored.exists():
        _decode_into(stored, paths)
    return np.load(stored, mmap_mode="r")


def listing_key(paths: list[Path]) -> str:
    """Return a short key of a list of files: their names, sizes and order, and the cache's resolution."""
    digest = hashlib.sha256(f"{CACHE_HEIGHT_PX}x{CACHE_WIDTH_PX}".encode())
    for path in paths:
        digest.update(f"{path.parent.parent.name}/{path.name}:{path.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


def _decode_into(stored: Path, paths: list[Path]) -> None:
    partial = stored.with_suffix(".partial.npy")
    shape = (len(paths), CACHE_HEIGHT_PX, CACHE_WIDTH_PX, 3)
    pixels = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    for index, path in enumerate(paths):
        pixels[index] = read_crop(path, height_px=CACHE_HEIGHT_PX, width_px=CACHE_WIDTH_PX)
    pixels.flush()
    partial.rename(stored)
