"""From scores to a decision that can be explained."""

from math import exp, inf
from typing import NamedTuple

from ruid_core.identity.arrays import F32
from ruid_core.identity.calibration import Calibration
from ruid_core.identity.timekeeper import NO_CAMERA, NO_WAY_KNOWN, Way
from ruid_core.identity.values import Alternative, IdentityState, Reason

MOST_ALTERNATIVES = 3
SURE = 0.75
FEW_CROPS = 2


class Candidate(NamedTuple):
    """Somebody that a track may be, how alike the two are, and how the way there fits."""

    identity: int
    similarity: float
    way: Way = NO_WAY_KNOWN

    def log_odds(self, calibration: Calibration) -> float:
        """What looks and time together say for "the same" against "somebody new"."""
        return calibration.log_odds(self.similarity) + self.way.log_odds


def best_candidates(similarities: F32, most: int = MOST_ALTERNATIVES + 1) -> list[Candidate]:
    """The nearest few of (rows,) that are possible at all, the most alike first."""
    found: list[Candidate] = []
    left = similarities.copy()
    for _ in range(min(most, len(left))):
        row = int(left.argmax())
        if left[row] == -inf:
            break
        found.append(Candidate(row, float(left[row])))
        left[row] = -inf
    return found


def probabilities(candidates: list[Candidate], calibration: Calibration) -> tuple[list[float], float]:
    """Probability of each candidate, and of somebody new: together they make one."""
    odds = [exp(min(60.0, candidate.log_odds(calibration))) for candidate in candidates]
    total = 1.0 + sum(odds)
    return [one / total for one in odds], 1.0 / total


def state_of(*, matched: bool, probability: float, crops: int) -> IdentityState:
    """The state of an answer given with a probability after so many crops."""
    if probability < SURE:
        return IdentityState.PENDING if crops < FEW_CROPS else IdentityState.UNCERTAIN
    return IdentityState.MATCHED if matched else IdentityState.NEW


def alternatives(candidates: list[Candidate], chances: list[float], names: list[str]) -> tuple[Alternative, ...]:
    """The candidates as they are told."""
    return tuple(
        Alternative(names[candidate.identity], candidate.similarity, chance)
        for candidate, chance in zip(candidates, chances, strict=True)
    )


def reasons(
    candidates: list[Candidate], calibration: Calibration, cameras: list[str], *, rivals: int, crops: int
) -> tuple[Reason, ...]:
    """What spoke, the weightiest first."""
    price = Reason("price", calibration.price, f"a newcomer's price here is {calibration.price:.2f}")
    told = [price, Reason("crops", float(crops), f"{crops} crops of this track")]
    if candidates:
        nearest = candidates[0]
        alike = f"the nearest known person is {nearest.similarity:.2f} alike"
        told.insert(0, Reason("similarity", nearest.similarity, alike))
        if nearest.way.camera != NO_CAMERA:
            told.insert(1, Reason("time", nearest.way.log_odds, _told(nearest.way, cameras[nearest.way.camera])))
    if rivals:
        told.append(Reason("in view", float(rivals), f"{rivals} others in view of this camera at the same time"))
    return tuple(told)


def _told(way: Way, camera: str) -> str:
    when = "at the same time" if way.gap_s <= 0 else f"{way.gap_s:.0f} s apart"
    return f"in view of camera {camera} {when}, which speaks {way.log_odds:+.1f} for the same person"
