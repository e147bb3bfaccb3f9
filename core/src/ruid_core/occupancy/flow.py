"""How many are inside, from who went in and out. Misses make it drift: people adjust it, and it is reset daily."""

from dataclasses import dataclass

import numpy as np

from ruid_core.occupancy.values import Real, Whole


@dataclass(frozen=True, slots=True)
class Level:
    """How many were inside at a moment."""

    at_s: float
    people: int


def levels(at_s: Real, direction: Whole, *, start: Level) -> tuple[Level, ...]:
    """The level after each crossing later than the start, from `start.people` on; never below nobody.

    `at_s` (N,) in order, `direction` (N,) is 1 for in and -1 for out. A crossing out while nobody is inside tells of
    somebody who was missed on the way in: it leaves the level at zero.
    """
    people = inside(at_s, direction, start=start)
    return tuple(
        Level(float(moment_s), int(count)) for moment_s, count in zip(at_s[at_s > start.at_s], people, strict=True)
    )


def inside(at_s: Real, direction: Whole, *, start: Level) -> Whole:
    """The people of those `levels` alone, (M,)."""
    walk = np.cumsum(np.concatenate(([start.people], direction[at_s > start.at_s])))
    return (walk - np.minimum(0, np.minimum.accumulate(walk)))[1:]
