"""What an engine over somebody else's labels must remember of each track, in NumPy-free and bounded form."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_SIGHTINGS = 4096


@dataclass(slots=True)
class Sighting:
    """One track: where and when, its mean embedding (D,) of unit length, and what it was called."""

    track: str
    camera: str
    started_at_s: float
    at_s: float
    total: NDArray[np.float32]
    label: int
    identity_id: str = ""

    def overlaps(self, other: "Sighting") -> bool:
        """Whether both were in view of one camera at one time, so that they are two people."""
        return (
            self.track != other.track
            and self.camera == other.camera
            and self.started_at_s <= other.at_s
            and other.started_at_s <= self.at_s
        )


class Sightings:
    """The last `MOST_SIGHTINGS` tracks, and the tracks of each identity."""

    def __init__(self) -> None:
        self.by_track: OrderedDict[str, Sighting] = OrderedDict()
        self.by_identity: dict[str, dict[str, Sighting]] = {}

    def add(self, sighting: Sighting) -> None:
        """Remember a new track, forgetting the oldest if need be."""
        self.by_track[sighting.track] = sighting
        if len(self.by_track) > MOST_SIGHTINGS:
            _, oldest = self.by_track.popitem(last=False)
            self._leave(oldest)

    def assign(self, sighting: Sighting, identity_id: str) -> None:
        """The track belongs to the identity from now on."""
        self._leave(sighting)
        sighting.identity_id = identity_id
        self.by_identity.setdefault(identity_id, {})[sighting.track] = sighting

    def possible(self, sighting: Sighting, identity_id: str) -> bool:
        """Whether no track of the identity was in view together with this one."""
        return not any(sighting.overlaps(other) for other in self.by_identity.get(identity_id, {}).values())

    def _leave(self, sighting: Sighting) -> None:
        tracks = self.by_identity.get(sighting.identity_id, {})
        tracks.pop(sighting.track, None)
        if not tracks:
            self.by_identity.pop(sighting.identity_id, None)
