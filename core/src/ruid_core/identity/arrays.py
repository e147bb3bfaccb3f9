"""The arrays that identity works on, and their few common operations."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

TINY = 1e-9


def unit_rows(rows: F32) -> F32:
    """Scale every row of (N, D) to length one; a row of zeros stays zero."""
    norms = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    return rows / np.maximum(norms, TINY)[:, None]


def unit_row(row: F32) -> F32:
    """Scale a vector (D,) to length one; zeros stay zero."""
    return row / np.float32(max(sqrt(float(row @ row)), TINY))


def group_sums(rows: F32, groups: Ints, count: int) -> F32:
    """Add up the rows (N, D) of each group: (count, D). `groups` (N,) names each row's group."""
    sums = np.zeros((count, rows.shape[1]), np.float32)
    order = np.argsort(groups, kind="stable")
    firsts = np.flatnonzero(np.r_[len(order) > 0, np.diff(groups[order]) != 0][: len(order)])
    sizes = np.diff(np.r_[firsts, len(order)])[: len(firsts)]
    alone, several = order[firsts[sizes == 1]], order[np.repeat(sizes > 1, sizes)]
    sums[groups[alone]] = rows[alone]
    starts = np.cumsum(sizes[sizes > 1]) - sizes[sizes > 1]
    sums[groups[several[starts]]] = np.add.reduceat(rows[several], starts, axis=0)
    return sums


def grown(array: NDArray[np.generic], rows: int) -> NDArray[np.generic]:
    """A copy with room for `rows` rows, the new ones zero."""
    room = np.zeros((rows, *array.shape[1:]), array.dtype)
    room[: len(array)] = array
    return room
