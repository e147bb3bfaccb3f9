"""How many different people have been seen: an estimate with an interval, not a count of identities.

Within one camera the same person is found again easily; across cameras many links are missed, because only
those at or above the price are made. So the links that were made are the upper part of a bell of which the
price cut off the rest: how far their mean lies above the price tells which share of the bell was seen (the mean
of a truncated normal distribution; the correction for selection of Heckman 1979). How wide the bell is, is taken as
known, because the few links of a site do not tell; but where they all lie well above the price for their own spread,
as they do where cameras see alike, nothing can have been cut off, however wide the bell is elsewhere. With G pairs
of identity and camera, K identities, and a share r of the cross-camera links found, N people leave
K = N + (G - N)(1 - r) identities behind.
"""

from dataclasses import dataclass
from math import erfc, exp, log, pi, sqrt

import numpy as np

from ruid_core.identity.arrays import F32, Ints, group_sums
from ruid_core.identity.values import UniqueEstimate

LINK_SPREAD = 0.13  # of one person's similarity between two cameras; .11 to .17 where links are missed
LEAST_SHARE = 0.2
SHAPE_DOUBT = 0.6  # of mean above the cut over spread: real links are no exact bell
SHARE_ERROR = 0.05  # standard errors, from replays: of the share found, and of identities by wrong joins and splits
COUNT_ERROR = 0.11
USUAL_PEOPLE = 0.75  # people per identity, and how far sites differ from it (in logarithms)
USUAL_SPREAD = 0.25
LEAST_MODEL_ERROR = 0.03
NORMAL_95 = 1.96
MOST_STRAYS = 0.03  # of all tracks
NOBODY_YET = UniqueEstimate(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Links:
    """What a consolidation says about links across cameras.

    `appearances` counts pairs of identity and camera, `strays` the identities of a single track beyond what the
    identities of two and three tracks let expect, `share` is the part of the cross-camera links that was found.
    """

    identities: int
    appearances: int
    strays: float
    share: float

    def estimate(self, identities: int) -> UniqueEstimate:
        """The people behind so many identities, if links are missed as they were at the consolidation."""
        kept, appearances = self.identities - self.strays, self.appearances - self.strays
        people = max(1.0, (kept - appearances * (1.0 - self.share)) / self.share)
        slope = (appearances - kept) / self.share**2
        doubt = 2.0 * SHARE_ERROR * sqrt(self.share * (1.0 - self.share))
        error = max(LEAST_MODEL_ERROR, doubt * slope / people)
        trust = 1.0 / error**2, 1.0 / USUAL_SPREAD**2
        middle = (trust[0] * log(people) + trust[1] * log(max(1.0, USUAL_PEOPLE * kept))) / sum(trust)
        value = exp(middle) * identities / self.identities
        margin = exp(NORMAL_95 * sqrt(1.0 / sum(trust) + COUNT_ERROR**2))
        return UniqueEstimate(value, value / margin, value * margin)


def measure_links(vectors: F32, identities: Ints, cameras: Ints, price: float) -> Links:
    """Measure from node vectors (N, D), whose they are (N,) and which camera saw them (N,)."""
    most = int(cameras.max()) + 1
    appearances, of_appearance, sizes = np.unique(identities * most + cameras, return_inverse=True, return_counts=True)
    means = group_sums(vectors, of_appearance, len(appearances)) / sizes[:, None].astype(np.float32)
    people, of_person, camera_counts = np.unique(appearances // most, return_inverse=True, return_counts=True)
    sums = group_sums(means, of_person, len(people))
    alike = float(np.einsum("nd,nd->", sums, sums) - np.einsum("nd,nd->", means, means))
    pairs = int((camera_counts * (camera_counts - 1)).sum())
    neighbours = np.einsum("nd,nd->n", means[:-1], means[1:])[of_person[:-1] == of_person[1:]]
    share = max(share_found(alike / pairs - price), share_shown(neighbours, price)) if pairs else 1.0
    return Links(len(people), len(appearances), stray_identities(identities), share)


def stray_identities(identities: Ints) -> float:
    """Identities of one track too many, from whose the tracks are (N,); after Chiu and Chao (2016).

    Frequencies of people seen once, twice and three times fall together; a track too poor to be recognised
    stands alone, and shows as a surplus of people seen once. No more than a few in a hundred tracks are that poor, so
    that where everybody really was seen once nothing is taken off.
    """
    sizes = np.unique(identities, return_counts=True)[1]
    once, twice, thrice = (int((sizes == size).sum()) for size in (1, 2, 3))
    surplus = once - 4.0 * (twice + 1) ** 2 / (3.0 * (thrice + 1))
    return max(0.0, min(surplus, MOST_STRAYS * len(identities)))


def share_found(mean_excess: float) -> float:
    """The share of a normal distribution above a cut, from how far the mean of that part lies above the cut."""
    wanted = mean_excess / LINK_SPREAD
    low, high = -6.0, 3.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if _excess(middle) > wanted else (low, middle)
    return max(LEAST_SHARE, _above(low))


def share_shown(links: F32, cut: float) -> float:
    """The share above the cut that the shape of links (N,) shows at least, or 0 where it shows none.

    The mean above the cut over the spread above it is 1 far out in a normal distribution and grows with the share.
    """
    ratio = (float(links.mean()) - cut) / max(float(links.std()), 1e-6) - SHAPE_DOUBT - 2.0 / sqrt(len(links))
    low, high = -6.0, 3.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if _excess_over_spread(middle) > ratio else (low, middle)
    return _above(low) if ratio > _excess_over_spread(3.0) else 0.0


def _excess_over_spread(cut: float) -> float:
    excess = _excess(cut)
    beyond = excess + cut
    return excess / sqrt(1.0 - beyond * excess)


def _above(cut: float) -> float:
    return erfc(cut / sqrt(2.0)) / 2.0


def _excess(cut: float) -> float:
    """Mean of a standard normal variable above `cut`, less the cut."""
    return exp(-cut * cut / 2.0) / sqrt(2.0 * pi) / _above(cut) - cut
