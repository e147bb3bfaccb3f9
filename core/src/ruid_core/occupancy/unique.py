"""How many different people: the identities, and how far the scores behind them leave that open.

An answer "this is somebody new" that was wrong counts one person twice; an answer "this is somebody known" that was
wrong hides one. Each goes wrong by chance with the probability that the identity engine left open, so the number of
wrong ones is a sum of trials: its mean, and 1.96 standard deviations beyond, bound the interval. The trials are not
quite independent, because whoever is hard to recognise is so time and again: the variance counts double.
"""

from dataclasses import dataclass
from math import ceil, floor, sqrt

import numpy as np

from ruid_core.occupancy.values import UNKNOWN, Appearances, Estimate, Real, Whole

NORMAL_95 = 1.96
TOGETHER = 2.0  # by how much the variance exceeds that of independent trials


@dataclass(frozen=True, slots=True)
class Tally:
    """What the scores of some answers come to; the tallies of the parts add up to that of the whole.

    Of each kind of answer ("somebody new", "somebody known") the number that is wrong has a mean and a variance.
    """

    answers: int = 0
    new_wrong: float = 0.0
    new_variance: float = 0.0
    known_wrong: float = 0.0
    known_variance: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.answers + other.answers,
            self.new_wrong + other.new_wrong,
            self.new_variance + other.new_variance,
            self.known_wrong + other.known_wrong,
            self.known_variance + other.known_variance,
        )


def tally_of(appearances: Appearances) -> Tally:
    """The tally of the answers behind the appearances."""
    told_new = appearances.newcomer & (appearances.who != UNKNOWN)
    new, known = appearances.doubt[told_new], appearances.doubt[~told_new]
    return Tally(len(appearances), float(new.sum()), _variance(new), float(known.sum()), _variance(known))


def people_of(who: Whole) -> Whole:
    """The different people among (N,), each once and in order; who could not be told is left out."""
    known = np.sort(who[who != UNKNOWN])
    return known[np.concatenate((np.ones(min(len(known), 1), np.bool_), known[1:] != known[:-1]))]


def unique_people(appearances: Appearances) -> Estimate:
    """The people behind the appearances; somebody who could not be told only widens the interval."""
    return estimate_around(len(people_of(appearances.who)), tally_of(appearances))


def estimate_around(count: int, tally: Tally) -> Estimate:
    """An interval around a count of what follows from who it was."""
    if not count and not tally.answers:
        return Estimate(0.0, 0.0, 0.0)
    low = max(min(count, 1), floor(count - _most(tally.new_wrong, tally.new_variance) + 1e-9))
    high = ceil(count + _most(tally.known_wrong, tally.known_variance) - 1e-9)
    return Estimate(float(count), float(low), float(high))


def _variance(doubt: Real) -> float:
    return float((doubt * (1.0 - doubt)).sum())


def _most(wrong: float, variance: float) -> float:
    """How many of these answers are wrong, at most, 19 times in 20."""
    return wrong + NORMAL_95 * sqrt(TOGETHER * max(variance, 0.0))
