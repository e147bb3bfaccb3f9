"""Cells in the order in which networks write them."""

import numpy as np
import pytest

from ruid_core.vision.grid import Size, make_grid


def test_cells_come_stride_by_stride_and_row_by_row() -> None:
    grid = make_grid(Size(32, 16), (8, 16))
    assert grid.corners_px.tolist() == [
        *[[0, 0], [8, 0], [16, 0], [24, 0], [0, 8], [8, 8], [16, 8], [24, 8]],
        *[[0, 0], [16, 0]],
    ]
    assert grid.strides_px.tolist() == [8] * 8 + [16] * 2


def test_a_shared_grid_cannot_be_changed() -> None:
    grid = make_grid(Size(32, 16), (8,))
    with pytest.raises(ValueError, match="read-only"):
        grid.corners_px[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        np.add(grid.strides_px, 1, out=grid.strides_px)
