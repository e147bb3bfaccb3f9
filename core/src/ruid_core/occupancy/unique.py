"""How many different people: the identities, and how far the scores behind them leave that open.

An answer "this is somebody new" that was wrong counts one person twice; an answer "this is somebody known" that was
wrong hides one. Each goes wrong by chance with the probability that the identity engine left open, so the number of
wrong ones is a sum of independent trials: its mean, and 1.96 standard deviations beyond, bound the interval.
"""

from math import ceil, floor

import numpy as np

from ruid_core.occupancy.values import UNKNOWN, Appearances, Estimate, Real

NORMAL_95 = 1.96


def unique_people(appearances: Appearances) -> Estimate:
    """The people behind the appearances; somebody who could not be told only widens the interval."""
    known = appearances.who != UNKNOWN
    people = len(np.unique(appearances.who[known]))
    return estimate_around(people, appearances)


def estimate_around(count: int, appearances: Appearances) -> Estimate:
    """An interval around a count of what follows from who it was."""
    if not count and not len(appearances):
        return Estimate(0.0, 0.0, 0.0)
    told_new = appearances.newcomer & (appearances.who != UNKNOWN)
    too_many = _most_wrong(appearances.doubt[told_new])
    too_few = _most_wrong(appearances.doubt[~told_new])
    low = max(min(count, 1), floor(count - too_many + 1e-9))
    return Estimate(float(count), float(low), float(ceil(count + too_few - 1e-9)))


def _most_wrong(doubt: Real) -> float:
    """How many of these answers (N,) are wrong, at most, 19 times in 20."""
    return float(doubt.sum() + NORMAL_95 * np.sqrt((doubt * (1.0 - doubt)).sum()))
