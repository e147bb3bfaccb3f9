"""What those whom one camera follows look like: enough to know somebody again who was hidden for a moment."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_RESEMBLANCE = 0.7
"""Cosine from which on crops taken near each other within seconds show one person; docs/tracking.md has figures."""
_NEWEST = 0.3


class Appearances:
    """One embedding for each live track: a mean of its crops in which the newest weighs most."""

    def __init__(self) -> None:
        self._means: dict[int, NDArray[np.float32]] = {}

    def note(self, track_id: int, embedding: NDArray[np.float32]) -> None:
        """Take in a (D,) unit embedding of a track."""
        before = self._means.get(track_id, embedding)
        mean = before + _NEWEST * (embedding - before)
        self._means[track_id] = (mean / max(float(np.linalg.norm(mean)), 1e-6)).astype(np.float32)

    def recognise(self, embedding: NDArray[np.float32], *, among: Iterable[int]) -> int | None:
        """Return the track whom a (D,) unit embedding shows: the most alike of all, if it is one of these."""
        if not self._means:
            return None
        track_id = max(self._means, key=lambda known: float(self._means[known] @ embedding))
        alike = float(self._means[track_id] @ embedding) >= _RESEMBLANCE
        return track_id if alike and track_id in among else None

    def forget(self, track_ids: Iterable[int]) -> None:
        """Drop what is known of tracks that have ended."""
        for track_id in track_ids:
            self._means.pop(track_id, None)
