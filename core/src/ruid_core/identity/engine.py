"""The engine: evidence in, decisions out."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ruid_core.identity.checks import check_evidence
from ruid_core.identity.errors import (
    TimeWentBackwards,
    TrackMoved,
    UnknownTrack,
    WrongDimension,
    WrongModel,
)
from ruid_core.identity.settings import IdentitySettings
from ruid_core.identity.values import (
    Alternative,
    Decision,
    Evidence,
    IdentityState,
    Reason,
    Revision,
    UniqueEstimate,
)

Vector = NDArray[np.float64]


@dataclass(slots=True)
class _Track:
    camera: str
    started_at_s: float
    at_s: float
    total: Vector
    weight: float
    identity_id: str = ""


@dataclass(slots=True)
class _Identity:
    tracks: list[str] = field(default_factory=list[str])


class TrackletEngine:
    """Joins tracks into identities online."""

    def __init__(self, *, next_identity_id: Callable[[], str], settings: IdentitySettings | None = None) -> None:
        self._next_identity_id = next_identity_id
        self._settings = settings or IdentitySettings()
        self._tracks: dict[str, _Track] = {}
        self._identities: dict[str, _Identity] = {}
        self._model_id: str = ""
        self._dim: int = 0
        self._camera_total: dict[str, tuple[Vector, float]] = {}
        self._camera_at_s: dict[str, float] = {}
        self._negatives = (0.0, 0.0, 0.0)

    def observe(self, evidence: Evidence) -> Decision:
        track = self._learn(evidence)
        vector = self._centred(track)
        ranked = self._rank(evidence.track, track, vector)
        price = self._price()
        before = track.identity_id
        best = ranked[0] if ranked else ("", -1.0)
        matched = bool(ranked) and best[1] > price
        own = before if before and len(self._identities[before].tracks) == 1 else ""
        identity_id = best[0] if matched else own or before or self._next_identity_id()
        self._assign(evidence.track, track, identity_id)
        z = (best[1] - price) * 20.0
        chance = float(1.0 / (1.0 + np.exp(-np.clip(z, -30, 30)))) if ranked else 0.0
        revisions = (Revision(evidence.track, before, identity_id),) if before and before != identity_id else ()
        return Decision(
            identity_id,
            IdentityState.MATCHED if matched else IdentityState.NEW,
            chance if matched else 1.0 - chance,
            (Reason("similarity", best[1], f"nearest known similarity {best[1]:.2f}, price of new {price:.2f}"),),
            tuple(Alternative(name, score, 0.0) for name, score in ranked[1:4]),
            revisions,
        )

    def end_track(self, track: str, at_s: float) -> None:
        row = self._tracks.get(track)
        if row is not None:
            row.at_s = max(row.at_s, at_s)

    def consolidate(self, at_s: float) -> tuple[Revision, ...]:
        return ()

    def restore(self, evidence: Evidence, identity_id: str) -> None:
        track = self._learn(evidence)
        self._assign(evidence.track, track, identity_id)

    def estimate(self) -> UniqueEstimate:
        count = float(len(self._identities))
        return UniqueEstimate(count, count * 0.8, count * 1.1)

    def identity_of(self, track: str) -> str:
        if track not in self._tracks:
            raise UnknownTrack(track)
        return self._tracks[track].identity_id

    def _learn(self, evidence: Evidence) -> _Track:
        check_evidence(evidence)
        dim = evidence.embeddings.shape[1]
        if self._dim and dim != self._dim:
            raise WrongDimension(self._dim, dim)
        if self._model_id and evidence.model_id != self._model_id:
            raise WrongModel(self._model_id, evidence.model_id)
        track = self._tracks.get(evidence.track)
        if track is not None and track.camera != evidence.camera:
            raise TrackMoved(evidence.track, track.camera, evidence.camera)
        latest = self._camera_at_s.get(evidence.camera, evidence.at_s)
        if evidence.at_s < latest - self._settings.clock_tolerance_s:
            raise TimeWentBackwards(evidence.camera, latest, evidence.at_s)
        self._dim, self._model_id = dim, evidence.model_id
        self._camera_at_s[evidence.camera] = max(latest, evidence.at_s)
        rows = evidence.embeddings.astype(np.float64)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        weights = np.clip(evidence.qualities, 0.05, 1.0)
        total, weight = (weights[:, None] * rows).sum(axis=0), float(weights.sum())
        camera_total, camera_weight = self._camera_total.get(evidence.camera, (np.zeros(dim), 0.0))
        self._camera_total[evidence.camera] = (camera_total + total, camera_weight + weight)
        if track is None:
            track = _Track(evidence.camera, evidence.started_at_s, evidence.at_s, total, weight)
            self._tracks[evidence.track] = track
        else:
            track.total = track.total + total
            track.weight += weight
            track.started_at_s = min(track.started_at_s, evidence.started_at_s)
            track.at_s = max(track.at_s, evidence.at_s)
        return track

    def _centred(self, track: _Track) -> Vector:
        total, weight = self._camera_total[track.camera]
        vector = track.total / track.weight - total / (weight + 50.0)
        return vector / max(float(np.linalg.norm(vector)), 1e-9)

    def _rank(self, name: str, track: _Track, vector: Vector) -> list[tuple[str, float]]:
        ranked: list[tuple[str, float]] = []
        count, mean, square = self._negatives
        for identity_id, identity in self._identities.items():
            others = [self._tracks[other] for other in identity.tracks if other != name]
            if not others or any(_overlap(track, other) for other in others):
                continue
            centroid = sum((self._centred(other) for other in others), np.zeros(self._dim))
            score = float(vector @ centroid / max(float(np.linalg.norm(centroid)), 1e-9))
            ranked.append((identity_id, score))
            count, mean, square = count + 1, mean + score, square + score * score
        self._negatives = count, mean, square
        return sorted(ranked, key=lambda pair: -pair[1])

    def _price(self) -> float:
        count, total, square = self._negatives
        if count < 30:
            return 0.6
        mean = total / count
        return mean + 4.0 * float(np.sqrt(max(square / count - mean * mean, 1e-6)))

    def _assign(self, name: str, track: _Track, identity_id: str) -> None:
        before = track.identity_id
        if before == identity_id:
            return
        if before:
            self._identities[before].tracks.remove(name)
            if not self._identities[before].tracks:
                del self._identities[before]
        track.identity_id = identity_id
        self._identities.setdefault(identity_id, _Identity()).tracks.append(name)


def _overlap(one: _Track, other: _Track) -> bool:
    return one.camera == other.camera and one.started_at_s <= other.at_s and other.started_at_s <= one.at_s
