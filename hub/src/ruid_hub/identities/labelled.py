"""Any River clusterer as an identity engine: a stable identity layer over labels that move.

River's labels are renumbered whenever a clusterer thinks its micro-clusters over, so a label means nothing a
minute later. Here a label only says who is in one group *now*: the newest track of each identity is its witness,
and somebody new belongs to the identity whose witness has the same label at this moment. Consolidation asks for
the labels of all remembered tracks at once. Identity ids are ours, and tracks in view together in one camera
are kept apart whatever the labels say.
"""

import pickle
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import base
from river.base.typing import FeatureName

from ruid_core.identity import (
    Alternative,
    CameraClocks,
    Decision,
    Evidence,
    IdentityState,
    Reason,
    Revision,
    TrackMoved,
    UniqueEstimate,
    UnknownTrack,
    WrongDimension,
    WrongModel,
    check_evidence,
)
from ruid_hub.identities.sightings import MOST_SIGHTINGS, Sighting, Sightings

MOST_WITNESSES = 3
RELABEL_GROWTH = 1.33
CLOCK_TOLERANCE_S = 60.0


class LabelledEngine:
    """An `IdentityEngine` over a River clusterer that has learned one unit embedding per piece of evidence."""

    def __init__(self, clusterer: base.Clusterer, *, next_identity_id: Callable[[], str]) -> None:
        self._next_identity_id = next_identity_id
        self._begin_with(clusterer)

    def _begin_with(self, clusterer: base.Clusterer) -> None:
        self._clusterer = clusterer
        self._sightings = Sightings()
        self._clocks = CameraClocks(CLOCK_TOLERANCE_S)
        self._relabel_at = 0
        self._model_id = ""
        self._dim = 0

    def observe(self, evidence: Evidence) -> Decision:
        """See `IdentityEngine.observe`."""
        sighting = self._learn(evidence)
        before = sighting.identity_id
        sighting.label = self._label(sighting)
        matched = self._witnessed(sighting)
        stay = before and self._sightings.possible(sighting, before)
        name = matched or (before if stay else "") or self._next_identity_id()
        self._sightings.assign(sighting, name)
        state = IdentityState.MATCHED if matched else IdentityState.NEW
        return Decision(
            name,
            state,
            1.0,
            (Reason("label", float(sighting.label), f"the clusterer's label {sighting.label}"),),
            (Alternative(before, 0.0, 0.0),) if before and before != name else (),
            (Revision(sighting.track, before, name),) if before and before != name else (),
        )

    def end_track(self, track: str, at_s: float) -> None:
        """See `IdentityEngine.end_track`; River's clusterers have no use for it."""

    def consolidate(self, at_s: float) -> tuple[Revision, ...]:
        """Ask for every track's label anew; tracks of one label become one identity as far as they can.

        River's labels take milliseconds each, so this waits until the tracks have grown by a third.
        """
        if len(self._sightings.by_track) < self._relabel_at:
            return ()
        self._relabel_at = min(MOST_SIGHTINGS, int(len(self._sightings.by_track) * RELABEL_GROWTH) + 1)
        sightings = list(self._sightings.by_track.values())
        for sighting in sightings:
            sighting.label = self._label(sighting)
        by_label: dict[int, list[Sighting]] = {}
        for sighting in sightings:
            by_label.setdefault(sighting.label, []).append(sighting)
        taken: set[str] = set()
        revisions: list[Revision] = []
        for members in sorted(by_label.values(), key=len, reverse=True):
            revisions.extend(self._gather(members, taken))
        return tuple(revisions)

    def restore(self, evidence: Evidence, identity_id: str) -> None:
        """See `IdentityEngine.restore`."""
        self._sightings.assign(self._learn(evidence), identity_id)

    def begin_anew(self) -> None:
        """See `IdentityEngine.begin_anew`."""
        self._begin_with(self._clusterer.clone())

    def estimate(self) -> UniqueEstimate:
        """The number of identities; River's clusterers give no probability to estimate from."""
        found = float(len(self._sightings.by_identity))
        return UniqueEstimate(found, found, found)

    def identity_of(self, track: str) -> str:
        """See `IdentityEngine.identity_of`."""
        sighting = self._sightings.by_track.get(track)
        if sighting is None:
            raise UnknownTrack(track)
        return sighting.identity_id

    def state_bytes(self) -> int:
        """See `IdentityEngine.state_bytes`."""
        tracks = sum(sighting.total.nbytes for sighting in self._sightings.by_track.values())
        return len(pickle.dumps(self._clusterer)) + tracks

    # --- learning ----------------------------------------------------------------------------------------------

    def _learn(self, evidence: Evidence) -> Sighting:
        check_evidence(evidence)
        self._check_fits(evidence)
        self._dim, self._model_id = evidence.embeddings.shape[1], evidence.model_id
        self._clocks.advance(evidence.camera, evidence.at_s)
        total = evidence.embeddings.sum(axis=0)
        sighting = self._sightings.by_track.get(evidence.track)
        if sighting is None:
            sighting = Sighting(evidence.track, evidence.camera, evidence.started_at_s, evidence.at_s, total, 0)
            self._sightings.add(sighting)
        else:
            sighting.total = sighting.total + total
            sighting.at_s = max(sighting.at_s, evidence.at_s)
        self._clusterer.learn_one(_features(sighting.total))
        return sighting

    def _check_fits(self, evidence: Evidence) -> None:
        if self._dim and evidence.model_id != self._model_id:
            raise WrongModel(self._model_id, evidence.model_id)
        if self._dim and evidence.embeddings.shape[1] != self._dim:
            raise WrongDimension(self._dim, evidence.embeddings.shape[1])
        sighting = self._sightings.by_track.get(evidence.track)
        if sighting is not None and sighting.camera != evidence.camera:
            raise TrackMoved(evidence.track, sighting.camera, evidence.camera)
        self._clocks.check(evidence.camera, evidence.at_s)

    def _label(self, sighting: Sighting) -> int:
        return self._clusterer.predict_one(_features(sighting.total))

    # --- naming ------------------------------------------------------------------------------------------------

    def _witnessed(self, sighting: Sighting) -> str:
        """The identity whose newest track has this label right now; empty when there is none."""
        asked = 0
        for other in reversed(self._sightings.by_track.values()):
            if other is sighting or other.label != sighting.label or not other.identity_id:
                continue
            asked += 1
            other.label = self._label(other)
            if other.label == sighting.label and self._sightings.possible(sighting, other.identity_id):
                return other.identity_id
            if asked == MOST_WITNESSES:
                break
        return ""

    def _gather(self, members: list[Sighting], taken: set[str]) -> list[Revision]:
        """Give the tracks of one label one name, the commonest that is free; who cannot join keeps apart."""
        free = Counter(member.identity_id for member in members if member.identity_id not in taken)
        name = free.most_common(1)[0][0] if free else self._next_identity_id()
        taken.add(name)
        revisions: list[Revision] = []
        for member in members:
            if member.identity_id == name:
                continue
            if self._sightings.possible(member, name):
                revisions.append(Revision(member.track, member.identity_id, name))
                self._sightings.assign(member, name)
        return revisions


def _features(total: NDArray[np.float32]) -> dict[FeatureName, Any]:
    unit = total / max(float(np.linalg.norm(total)), 1e-9)
    return {column: float(value) for column, value in enumerate(unit)}
