"""From similarity to probability, without a threshold set by hand.

Nearly all pairs of tracks that are not linked show different people, so their similarities tell how alike
strangers look at this site. The tail of that distribution is close to exponential (peaks over a threshold,
Pickands 1975; Balkema and de Haan 1974), and a newcomer is compared with everybody, so the price at which "the
same" and "somebody new" are equally probable is where the strangers among N people who would look at least
that alike come to `strangers_at_price`. More people means a higher price.

While few people are known the tail says little; then the price leans on how alike the crops of one track are
(certainly one person), between that and the average stranger.
"""

from dataclasses import dataclass
from math import exp, log

import numpy as np

from ruid_core.identity.arrays import F32


@dataclass(frozen=True, slots=True)
class CalibrationPriors:
    """Where calibration starts; none of it is a similarity threshold for a site that has been running."""

    strangers_at_price: float = 0.35
    tail_from: float = 10.0
    tail_to: float = 2.0
    free_label_people: float = 8.0
    free_label_share: float = 0.35
    largest_share: float = 0.6


@dataclass(frozen=True, slots=True)
class Calibration:
    """Odds of "same" against "new" are exp((similarity - price) / scale)."""

    price: float
    scale: float

    def log_odds(self, similarity: float) -> float:
        """Natural logarithm of the odds of "the same person" against "somebody new"."""
        return (similarity - self.price) / self.scale

    def probability(self, similarity: float) -> float:
        """Probability of "the same person" when nobody else comes into question."""
        return 1.0 / (1.0 + exp(-max(-60.0, min(60.0, self.log_odds(similarity)))))


@dataclass(frozen=True, slots=True)
class FreeLabels:
    """Mean similarity between crops of one track, and between tracks of different people."""

    same: float
    different: float


def calibrate(stranger_similarities: F32, people: int, labels: FreeLabels, priors: CalibrationPriors) -> Calibration:
    """Learn from similarities (M,) of pairs that are not linked, among `people` people."""
    span = labels.same - labels.different
    leaning = labels.different + priors.free_label_share * span
    if len(stranger_similarities) < 2:
        return Calibration(leaning, 0.05)
    far, near = min(0.5, priors.tail_from / people), min(0.2, priors.tail_to / people)
    low, high = np.quantile(stranger_similarities, (1.0 - far, 1.0 - near))
    scale = max(0.02, float(high - low) / log(far / near))
    tail = float(high) + scale * log(near * people / priors.strangers_at_price)
    lean = priors.free_label_people
    return Calibration(min(labels.different + priors.largest_share * span, (people * tail + lean * leaning) / (people + lean)), scale)
