"""Polygons: closed, without a repeated last corner, wound either way; inputs are never changed."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(N, 2) float64, rows x, y."""


def contains(polygon_xy: Points, points_xy: Points) -> NDArray[np.bool_]:
    """Return (N,) whether each point lies inside (even-odd rule); a point on the outline may count either way."""
    x, y = points_xy[:, 0, None], points_xy[:, 1, None]
    x1, y1 = polygon_xy[:, 0], polygon_xy[:, 1]
    x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
    spans = (y1 <= y) != (y2 <= y)
    # Where the ray to the right of the point meets the edge; level edges are never spanned.
    meets_x = x1 + (y - y1) * (x2 - x1) / np.where(y2 == y1, 1.0, y2 - y1)
    return np.count_nonzero(spans & (x < meets_x), axis=1) % 2 == 1


def outline_distances(polygon_xy: Points, points_xy: Points) -> NDArray[np.float64]:
    """Return (N,) distances from each point to the nearest place on the outline."""
    start = polygon_xy[None]
    along = np.roll(polygon_xy, -1, axis=0)[None] - start
    reached = points_xy[:, None] - start
    lengths = np.sum(along * along, axis=2)
    share = np.clip(np.sum(reached * along, axis=2) / np.where(lengths > 0, lengths, 1.0), 0, 1)
    gaps = reached - share[..., None] * along
    return np.sqrt(np.sum(gaps * gaps, axis=2)).min(axis=1)


def depths(polygon_xy: Points, points_xy: Points) -> NDArray[np.float64]:
    """Return (N,) how far inside each point lies, negative outside."""
    return np.where(contains(polygon_xy, points_xy), 1.0, -1.0) * outline_distances(polygon_xy, points_xy)


def area(polygon_xy: Points) -> float:
    """Return the area that a polygon without crossing edges encloses."""
    x, y = polygon_xy[:, 0], polygon_xy[:, 1]
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def crosses_itself(polygon_xy: Points) -> bool:
    """Return whether two edges that are not neighbours touch or cross: nobody could say what is inside."""
    count = len(polygon_xy)
    edges = [(polygon_xy[k], polygon_xy[(k + 1) % count]) for k in range(count)]
    return any(
        segments_meet(*edges[left], *edges[right])
        for left in range(count)
        for right in range(left + 2, count)
        if (right + 1) % count != left
    )


def segments_meet(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], d: NDArray[np.float64]
) -> bool:
    """Return whether the segments a-b and c-d share a point."""
    turns = (_turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b))
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    touching = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(turn == 0 and _spans(*points) for turn, points in zip(turns, touching, strict=True))


def _turn(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> float:
    """Return 1 where a, b, c turn right (y points down), -1 left, 0 for one line."""
    return float(np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])))


def _spans(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> bool:
    """Return whether c, on the line through a and b, lies between them."""
    return bool(np.all(np.minimum(a, b) <= c) and np.all(c <= np.maximum(a, b)))
