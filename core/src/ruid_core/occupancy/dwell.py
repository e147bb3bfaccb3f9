"""How long people stay."""

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from ruid_core.occupancy.values import Estimate, Real

NORMAL_95 = 1.96
BIN_EDGES_S = (0.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, inf)
"""Bounds of the distribution's bins; each holds its lower bound."""


@dataclass(frozen=True, slots=True)
class Dwell:
    """Dwell of some visits in seconds; `visits_by_bin` runs beside the pairs of BIN_EDGES_S."""

    visits: int
    median_s: Estimate
    mean_s: float
    p90_s: float
    visits_by_bin: tuple[int, ...]


def dwell_of(dwell_s: Real) -> Dwell:
    """The distribution of (M,) durations; all zero where there are none.

    The median's interval is that of the binomial order statistics.
    """
    if not len(dwell_s):
        return Dwell(0, Estimate(0.0, 0.0, 0.0), 0.0, 0.0, (0,) * (len(BIN_EDGES_S) - 1))
    in_order = np.sort(dwell_s)
    bins = np.searchsorted(in_order, BIN_EDGES_S[:-1], side="left")
    return Dwell(
        visits=len(in_order),
        median_s=_median(in_order),
        mean_s=float(in_order.mean()),
        p90_s=float(np.percentile(in_order, 90)),
        visits_by_bin=tuple(int(count) for count in np.diff(np.append(bins, len(in_order)))),
    )


def _median(in_order_s: Real) -> Estimate:
    last = len(in_order_s) - 1
    margin = NORMAL_95 * sqrt(len(in_order_s)) / 2.0
    low = in_order_s[max(0, int(last / 2 - margin))]
    high = in_order_s[min(last, int(last / 2 + margin + 1.0))]
    return Estimate(float(np.median(in_order_s)), float(low), float(high))
