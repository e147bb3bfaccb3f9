"""The cells of a detector's feature maps, in the order in which networks write them: strides, rows, columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """N cells: `corners_px` (N, 2) is each cell's upper left corner in input pixels, `strides_px` (N,) its side."""

    corners_px: NDArray[np.float32]
    strides_px: NDArray[np.float32]


def cells_per_stride(size: Size, strides_px: Sequence[int]) -> list[int]:
    """Return the number of cells on each feature map; a map holds every cell that the input begins."""
    return [-(-size.height_px // stride) * -(-size.width_px // stride) for stride in strides_px]


@lru_cache(maxsize=16)
def make_grid(size: Size, strides_px: tuple[int, ...]) -> Grid:
    """Return the grid; its arrays are shared between callers and read-only."""
    corners = [_corners(size, stride) for stride in strides_px]
    strides = np.repeat(np.array(strides_px, np.float32), [len(block) for block in corners])
    stacked = np.concatenate(corners)
    stacked.flags.writeable = False
    strides.flags.writeable = False
    return Grid(stacked, strides)


def _corners(size: Size, stride_px: int) -> NDArray[np.float32]:
    rows, columns = np.mgrid[0 : size.height_px : stride_px, 0 : size.width_px : stride_px]
    return np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32)
