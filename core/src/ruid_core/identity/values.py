"""The values that go into identity and come out of it."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """One stretch of one track: what a camera saw of somebody.

    `track` names the track for ever; `part` counts its stretches from 0. `embeddings` is (K, D) float32 with
    unit rows, `qualities` (K,) in 0..1. Times are seconds; they never run backwards within one camera's tracks,
    but cameras may be hours apart from one another (a camera that was cut off replays what it saw).
    """

    camera: str
    track: str
    part: int
    started_at_s: float
    at_s: float
    embeddings: NDArray[np.float32]
    qualities: NDArray[np.float32]
    model_id: str


class IdentityState(Enum):
    """How far the answer about a track has got."""

    PENDING = "pending"  # too little seen to say more than a guess
    MATCHED = "matched"  # somebody who was here before
    NEW = "new"  # nobody known
    UNCERTAIN = "uncertain"  # two answers are about as probable


@dataclass(frozen=True, slots=True)
class Alternative:
    """Somebody else the track could have been."""

    identity_id: str
    similarity: float
    probability: float


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that spoke: what kind, how strongly (log-odds, or a similarity), and in words."""

    kind: str
    weight: float
    text: str


@dataclass(frozen=True, slots=True)
class Revision:
    """An earlier answer corrected: the whole track moves from one identity to another."""

    track: str
    from_identity_id: str
    to_identity_id: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Who a track is believed to be, how sure that is (0..1), and why.

    `revisions` corrects earlier answers, of this track and of others; apply them in order.
    """

    identity_id: str
    state: IdentityState
    probability: float
    reasons: tuple[Reason, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    revisions: tuple[Revision, ...] = ()


@dataclass(frozen=True, slots=True)
class UniqueEstimate:
    """How many different people were seen: an estimate and its 95 % interval."""

    value: float
    low: float
    high: float


class IdentityEngine(Protocol):
    """What every identity engine can do. Engines are not thread-safe; give each one owner."""

    def observe(self, evidence: Evidence) -> Decision:
        """Say who the track is, given everything seen of it so far.

        Raises an `EvidenceRefused`, and then nothing was learned.
        """
        ...

    def end_track(self, track: str, at_s: float) -> None:
        """The camera has lost the track; a track that is unknown is ignored."""
        ...

    def consolidate(self, at_s: float) -> tuple[Revision, ...]:
        """Think everything over again; returns the answers that changed."""
        ...

    def restore(self, evidence: Evidence, identity_id: str) -> None:
        """Take a recorded answer as it stands: how a hub rebuilds the state after a restart."""
        ...

    def begin_anew(self) -> None:
        """Forget everybody; the next evidence may be of another model. No identity id is used again."""
        ...

    def estimate(self) -> UniqueEstimate:
        """How many different people have been seen."""
        ...

    def identity_of(self, track: str) -> str:
        """The present answer for a track; raises `UnknownTrack`."""
        ...

    def state_bytes(self) -> int:
        """About how many bytes the state takes."""
        ...
