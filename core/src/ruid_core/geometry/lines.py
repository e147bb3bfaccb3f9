"""Directed lines from a start to an end: which side a point is on, and where a path meets them.

Seen by somebody who looks from start to end, the right side is positive (y points down).
"""

from dataclasses import dataclass
from math import hypot

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where a straight path meets an endless line: after which share of the path (0..1), and whether that is
    between the line's two ends.
    """

    share: float
    between_ends: bool


def half_turned(*points_rel: Point) -> tuple[Point, ...]:
    """Return where points of a picture, in fractions of it, are once it is turned by half a turn."""
    return tuple((1 - x, 1 - y) for x, y in points_rel)


def side(point: Point, *, start: Point, end: Point) -> float:
    """Return the distance of a point from the endless line, positive to its right; 0 for a line of no length."""
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    length = hypot(along_x, along_y)
    if length == 0:
        return 0.0
    return (along_x * (point[1] - start[1]) - along_y * (point[0] - start[0])) / length


def meeting(before: Point, after: Point, *, start: Point, end: Point) -> Meeting | None:
    """Return where the path from `before` to `after` goes through the line, None where it stays on one side.

    A point on the line itself counts as being on its right.
    """
    from_side, to_side = side(before, start=start, end=end), side(after, start=start, end=end)
    if (from_side >= 0) == (to_side >= 0):
        return None
    share = from_side / (from_side - to_side)
    x = before[0] + share * (after[0] - before[0])
    y = before[1] + share * (after[1] - before[1])
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    reached = (x - start[0]) * along_x + (y - start[1]) * along_y
    return Meeting(share, 0 <= reached <= along_x * along_x + along_y * along_y)
