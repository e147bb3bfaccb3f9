"""RuID's own engine as a River clusterer."""

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import base
from river.base.typing import FeatureName

from ruid_core.identity import (
    Decision,
    Evidence,
    IdentitySettings,
    Revision,
    TrackletEngine,
    UniqueEstimate,
)

ONE_CROP = np.ones(1, np.float32)


class RuidClusterer(base.Clusterer):
    """Joins tracks into identities; an `IdentityEngine`, and a `river.base.Clusterer` over single embeddings.

    As a clusterer every `learn_one(x)` is a track of its own with one crop, one second after the last, in a
    camera without a name; `predict_one(x)` is the number of the most similar identity, 0 before the first. The
    features of the first `x` are the embedding's dimensions; later ones may lack some and bring others.
    """

    def __init__(
        self, next_identity_id: Callable[[], str] | None = None, settings: IdentitySettings | None = None
    ) -> None:
        self.next_identity_id = next_identity_id
        self.settings = settings
        self._samples = 0
        self._columns: dict[FeatureName, int] = {}
        self._numbers: dict[str, int] = {}
        self._engine = TrackletEngine(next_identity_id=next_identity_id or _Numbers(), settings=settings)

    # --- as a clusterer ----------------------------------------------------------------------------------------

    def learn_one(self, x: dict[FeatureName, Any]) -> None:
        """Take one embedding in; one without length teaches nothing."""
        if not self._columns:
            self._columns = {name: column for column, name in enumerate(sorted(x, key=str))}
        row = self._row(x)
        if not np.isfinite(row).all() or not row.any():
            return
        self._samples += 1
        at_s = float(2 * self._samples)
        self._engine.observe(Evidence("", str(self._samples), 0, at_s, at_s, row[None], ONE_CROP, ""))

    def predict_one(self, x: dict[FeatureName, Any]) -> int:
        """The number of the identity that looks most alike; learns nothing."""
        row = self._row(x)
        found = self._engine.search(row) if np.isfinite(row).all() else ()
        return self._numbers.setdefault(found[0].identity_id, len(self._numbers)) if found else 0

    def _row(self, x: dict[FeatureName, Any]) -> NDArray[np.float32]:
        row = np.zeros(len(self._columns), np.float32)
        for name, value in x.items():
            column = self._columns.get(name)
            if column is not None:
                row[column] = value
        return row

    @property
    def tracklets(self) -> TrackletEngine:
        """The engine itself: what can be corrected and explained."""
        return self._engine

    # --- as an engine ------------------------------------------------------------------------------------------

    def observe(self, evidence: Evidence) -> Decision:
        """See `IdentityEngine.observe`."""
        return self._engine.observe(evidence)

    def end_track(self, track: str, at_s: float) -> None:
        """See `IdentityEngine.end_track`."""
        self._engine.end_track(track, at_s)

    def consolidate(self, at_s: float) -> tuple[Revision, ...]:
        """See `IdentityEngine.consolidate`."""
        return self._engine.consolidate(at_s)

    def restore(self, evidence: Evidence, identity_id: str) -> None:
        """See `IdentityEngine.restore`."""
        self._engine.restore(evidence, identity_id)

    def begin_anew(self) -> None:
        """See `IdentityEngine.begin_anew`."""
        self._engine.begin_anew()

    def estimate(self) -> UniqueEstimate:
        """See `IdentityEngine.estimate`."""
        return self._engine.estimate()

    def identity_of(self, track: str) -> str:
        """See `IdentityEngine.identity_of`."""
        return self._engine.identity_of(track)

    def state_bytes(self) -> int:
        """See `IdentityEngine.state_bytes`."""
        return self._engine.state_bytes()


class _Numbers:
    """Ids for a clusterer that nobody gave a factory; can be pickled."""

    def __init__(self) -> None:
        self._next = count()

    def __call__(self) -> str:
        return str(next(self._next))
