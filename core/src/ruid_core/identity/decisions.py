"""From scores to a decision that can be explained."""

from dataclasses import dataclass
from math import exp, inf

from ruid_core.identity.arrays import F32
from ruid_core.identity.calibration import Calibration
from ruid_core.identity.values import Alternative, IdentityState, Reason

MOST_ALTERNATIVES = 3
SURE = 0.75
FEW_CROPS = 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody that a track may be, and how alike the two are."""

    identity: int
    similarity: float


def best_candidates(similarities: F32) -> list[Candidate]:
    """The nearest few of (rows,) that are possible at all, the most alike first."""
    found: list[Candidate] = []
    left = similarities.copy()
    for _ in range(min(MOST_ALTERNATIVES + 1, len(left))):
        row = int(left.argmax())
        if left[row] == -inf:
            break
        found.append(Candidate(row, float(left[row])))
        left[row] = -inf
    return found


def probabilities(candidates: list[Candidate], calibration: Calibration) -> tuple[list[float], float]:
    """Probability of each candidate, and of somebody new: together they make one."""
    odds = [exp(min(60.0, calibration.log_odds(candidate.similarity))) for candidate in candidates]
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


def reasons(candidates: list[Candidate], calibration: Calibration, *, rivals: int, crops: int) -> tuple[Reason, ...]:
    """What spoke, the weightiest first."""
    price = Reason("price", calibration.price, f"a newcomer's price here is {calibration.price:.2f}")
    told = [price, Reason("crops", float(crops), f"{crops} crops of this track")]
    if candidates:
        nearest = candidates[0].similarity
        told.insert(0, Reason("similarity", nearest, f"the nearest known person is {nearest:.2f} alike"))
    if rivals:
        told.append(Reason("in view", float(rivals), f"{rivals} others in view of this camera at the same time"))
    return tuple(told)
