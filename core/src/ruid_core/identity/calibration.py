"""From similarity to probability, without a threshold set by hand.

Nearly all pairs of tracks that are not linked show different people, so their similarities tell how alike
strangers look at this site. The tail of that distribution is close to exponential (peaks over a threshold,
Pickands 1975; Balkema and de Haan 1974), and a newcomer is compared with everybody, so the price at which "the
same" and "somebody new" are equally probable is where the strangers among N people who would look at least
that alike come to `strangers_at_price`. More people means a higher price.

While few people are known the tail says little; then the price leans on how alike the crops of one track are
(certainly one person), between that and the average stranger. It always stays within `largest_drop` of that, as
much as changing the camera may cost, and below `largest_share` of the way to it. Where links across cameras are
seen to cost more than `largest_drop`, it may go down to the lower edge of those: their median less
`link_quartiles` times what lies between it and the lower quartile (3 are two standard deviations of a bell).

Links that are missed look like strangers, so a price that starts too high finds itself confirmed. It therefore
starts low, at `start_spreads` standard deviations of the strangers above their median.
"""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from ruid_core.identity.arrays import F32, Ints

FIRST_SCALE = 0.05
LEAST_SCALE = 0.02
MOST_FAR = 0.5
MOST_NEAR = 0.2
BINS = 1 << 15
BELOW_ONE_SPREAD = 0.158655  # of a normal distribution


@dataclass(frozen=True, slots=True)
class CalibrationPriors:
    """Where calibration starts; none of it is a similarity threshold for a site that has been running."""

    strangers_at_price: float = 0.25
    tail_from: float = 10.0
    tail_to: float = 2.0
    free_label_people: float = 8.0
    free_label_share: float = 0.35
    largest_share: float = 0.6
    largest_drop: float = 0.45
    start_spreads: float = 4.5
    link_quartiles: float = 3.0
    least_links: int = 8


@dataclass(frozen=True, slots=True)
class Calibration:
    """Odds of "same" against "new" are exp((similarity - price) / scale)."""

    price: float
    scale: float

    def log_odds(self, similarity: float) -> float:
        """Natural logarithm of the odds of "the same person" against "somebody new"."""
        return (similarity - self.price) / self.scale


@dataclass(frozen=True, slots=True)
class FreeLabels:
    """Mean similarity between crops of one track, and between tracks of different people."""

    same: float
    different: float

    def between(self, share: float) -> float:
        """So far on the way from `different` to `same`."""
        return self.different + share * (self.same - self.different)


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How often which similarity occurs: `counts` (BINS,) from -1 to 1."""

    counts: Ints

    @classmethod
    def of(cls, similarities: F32) -> "Histogram":
        """Count similarities of any shape."""
        return cls(np.bincount(binned(similarities).ravel(), minlength=BINS))

    def __len__(self) -> int:
        return int(self.counts.sum())

    def quantile(self, share: float) -> float:
        """The similarity below which a share of them lies."""
        reached = np.cumsum(self.counts)
        wanted = share * float(reached[-1] - 1) + 0.5
        index = int(np.searchsorted(reached, wanted))
        within = (wanted - float(reached[index] - self.counts[index])) / float(self.counts[index])
        return 2.0 * (index + within - 0.5) / (BINS - 1) - 1.0


def binned(similarities: F32) -> NDArray[np.uint16]:
    """The bin of each similarity in a `Histogram`."""
    return np.rint((np.clip(similarities, -1.0, 1.0) + 1.0) * np.float32((BINS - 1) / 2)).astype(np.uint16)


def calibrate(
    strangers: Histogram, people: int, labels: FreeLabels, priors: CalibrationPriors, *, floor: float
) -> Calibration:
    """Learn from the similarities of pairs that are not linked, among `people` people; `floor` is a `least_price`."""
    if len(strangers) < 2:
        return Calibration(labels.between(priors.free_label_share), FIRST_SCALE)
    far, near = min(MOST_FAR, priors.tail_from / people), min(MOST_NEAR, priors.tail_to / people)
    low, high = strangers.quantile(1.0 - far), strangers.quantile(1.0 - near)
    scale = max(LEAST_SCALE, (high - low) / log(far / near))
    tail = high + scale * log(near * people / priors.strangers_at_price)
    lean = priors.free_label_people
    price = (people * tail + lean * labels.between(priors.free_label_share)) / (people + lean)
    price = max(price, floor)
    return Calibration(min(price, labels.between(priors.largest_share)), scale)


def first_price(everybody: Histogram, labels: FreeLabels, priors: CalibrationPriors) -> float:
    """The price to start at: hardly any stranger reaches it, to tell from the similarities of all pairs.

    Pairs of one person are the upper part of all, so how far strangers spread shows below the median.
    """
    middle = everybody.quantile(0.5)
    price = middle + priors.start_spreads * (middle - everybody.quantile(BELOW_ONE_SPREAD))
    return max(labels.different, min(price, labels.between(priors.largest_share)))


def least_price(across: Histogram, labels: FreeLabels, first: float, priors: CalibrationPriors) -> float:
    """What `calibrate` never goes below where there are strangers; `across` are links made at the `first` price.

    `largest_drop` below the crops of one track, or less where changing the camera is seen to cost more.
    """
    floor = labels.same - priors.largest_drop
    if len(across) < priors.least_links:
        return floor
    middle, quarter = across.quantile(0.5), across.quantile(0.25)
    return min(floor, max(first, middle - priors.link_quartiles * (middle - quarter)))
