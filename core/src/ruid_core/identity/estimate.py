"""How many different people have been seen: an estimate with an interval, not a count of identities.

Within one camera the same person is found again easily; across cameras many links are missed, because only
those at or above the price are made. So the links that were made are the upper part of a bell of which the
price cut off the rest (a truncated normal distribution; the correction for selection of Heckman 1979). Which share
of the bell was seen is weighed over all bells: one person's links spread about as much as they do elsewhere; how far
the links that were made lie above the price, and how they spread there, speaks for so many links at most, because
real ones are no exact bell; and a link that was missed leaves two identities that are nearly alike enough, so where
few identities have anybody that near below the price, few links were missed.

With G pairs of identity and camera, K identities, and a share r of the cross-camera links found, N people leave
K = N + (G - N)(1 - r) identities behind.
"""

from dataclasses import dataclass
from math import erfc, exp, log, sqrt

import numpy as np

from ruid_core.identity.arrays import F32, F64, TINY, Ints, group_sums
from ruid_core.identity.steps import IN_PRODUCT, Steps, blocks
from ruid_core.identity.values import UniqueEstimate

LINK_SPREAD = 0.18  # of one person's similarity between two cameras: .11 to .19 where no link is missed
SPREAD_DOUBT = 0.45  # how far sites differ from it (in logarithms)
MOST_TOLD = 40.0  # as many links as their shape may speak for
LEFT_BY_MISSED = 2.0  # identities that are nearly alike enough
SAMPLED_IDENTITIES = 512
USUAL_PEOPLE = 0.65  # people per identity, and how far sites differ from it (in logarithms)
USUAL_SPREAD = 0.25
LEAST_ERROR = 0.03
ONE_ERROR = 0.25  # by wrong joins and splits of one person, which even out among many
COUNT_ERROR = 0.11  # from replays: of identities by joins and splits that do not
NORMAL_95 = 1.96
NOBODY_YET = UniqueEstimate(0.0, 0.0, 0.0)


def _above(cuts: F64) -> F64:
    return np.array([erfc(cut / sqrt(2.0)) / 2.0 for cut in cuts.ravel()]).reshape(cuts.shape)


# All bells: where the price cuts them, in spreads from the middle (C, 1), and how wide they are (1, S).
CUTS: F64 = np.linspace(-4.0, 1.0, 51)[:, None]
WIDTHS: F64 = np.linspace(-3.0, 3.0, 25)[None] * SPREAD_DOUBT
SPREADS: F64 = LINK_SPREAD * np.exp(WIDTHS)
FOUND: F64 = _above(CUTS)
JUST_MISSED: F64 = _above(CUTS - LINK_SPREAD / SPREADS) - FOUND


@dataclass(frozen=True, slots=True)
class Links:
    """What a consolidation says about links across cameras.

    `appearances` counts pairs of identity and camera; `share` is the part of the cross-camera links that was found,
    `doubt` its standard error.
    """

    identities: int
    appearances: int
    share: float
    doubt: float

    def estimate(self, identities: int) -> UniqueEstimate:
        """The people behind so many identities, if links are missed as they were at the consolidation."""
        people = max(1.0, (self.identities - self.appearances * (1.0 - self.share)) / self.share)
        slope = (self.appearances - self.identities) / self.share**2
        variance = LEAST_ERROR**2 + (self.doubt * slope / people) ** 2 + ONE_ERROR**2 / people
        trust = 1.0 / variance, 1.0 / USUAL_SPREAD**2
        usual = max(1.0, USUAL_PEOPLE * self.identities)
        middle = (trust[0] * log(people) + trust[1] * log(usual)) / sum(trust)
        value = exp(middle) * identities / self.identities
        margin = exp(NORMAL_95 * sqrt(1.0 / sum(trust) + COUNT_ERROR**2))
        return UniqueEstimate(value, value / margin, value * margin)


def measure_links(vectors: F32, identities: Ints, cameras: Ints, price: float) -> Steps[Links]:
    """Measure from node vectors (N, D), whose they are (N,) and which camera saw them (N,)."""
    most = int(cameras.max()) + 1
    appearances, of_appearance, sizes = np.unique(identities * most + cameras, return_inverse=True, return_counts=True)
    means = group_sums(vectors, of_appearance, len(appearances)) / sizes[:, None].astype(np.float32)
    yield 8 * vectors.size
    people, of_person = np.unique(appearances // most, return_inverse=True)
    links = np.einsum("nd,nd->n", means[:-1], means[1:])[of_person[:-1] == of_person[1:]]
    if not len(links):
        return Links(len(people), len(appearances), 1.0, 0.0)
    neighbours = yield from _neighbours(vectors, identities, price - LINK_SPREAD)
    share, doubt = share_found(np.maximum(links.astype(np.float64) - price, 0.0), neighbours)
    return Links(len(people), len(appearances), share, doubt)


def share_found(excesses: F64, neighbours: float) -> tuple[float, float]:
    """The share of links that was found, and its standard error.

    `excesses` (N,) is how far those that were found lie above the price; `neighbours` of the identities have somebody
    who is less than `LINK_SPREAD` short of it, or nearer.
    """
    mean, square, count = float(excesses.mean()), float((excesses**2).mean()), len(excesses)
    fit = -0.5 * (square / SPREADS**2 + 2.0 * CUTS * mean / SPREADS + CUTS**2) - np.log(SPREADS * FOUND)
    left = LEFT_BY_MISSED * count * JUST_MISSED / FOUND
    crowd = np.maximum(left, neighbours)
    room = neighbours * np.log(crowd / max(neighbours, TINY)) - (crowd - neighbours)
    likely = fit * count / (1.0 + count / MOST_TOLD) + room - 0.5 * (WIDTHS / SPREAD_DOUBT) ** 2
    weights = np.exp(likely - likely.max())
    weights /= weights.sum()
    share = float((weights * FOUND).sum())
    return share, sqrt(float((weights * (FOUND - share) ** 2).sum()))


def _neighbours(vectors: F32, identities: Ints, edge: float) -> Steps[float]:
    """How many identities have another that is on average more alike than `edge`; of many, told from some."""
    _, owners, sizes = np.unique(identities, return_inverse=True, return_counts=True)
    means = group_sums(vectors, owners, len(sizes)) / sizes[:, None].astype(np.float32)
    sampled = min(len(means), SAMPLED_IDENTITIES)
    rows: Ints = np.arange(sampled, dtype=np.int64) * (len(means) - 1) // max(1, sampled - 1)
    each = len(means) * (4 + vectors.shape[1] // IN_PRODUCT)
    near = 0
    for block in blocks(sampled, each):
        alike = means[rows[block]] @ means.T
        alike[np.arange(len(alike)), rows[block]] = -np.inf
        near += int((alike.max(axis=1) > edge).sum())
        yield len(alike) * each
    return near * len(means) / sampled
