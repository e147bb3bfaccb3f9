"""Notices when a camera no longer looks at the world as it did: a new light, a knocked mount, another frame rate.

Two numbers are watched per camera with River's ADWIN (Bifet and Gavaldà 2007), which needs no rate set: how alike
tracks are to what the camera used to show (a drift there moves everybody's embedding at once), and the time
between the looks of one track (the node's frame rate as the hub feels it).
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from river import drift, stats

from ruid_core.identity import Evidence

MOST_CAMERAS = 1024
MOST_TRACKS = 64
USUAL_SHARE = 0.01
LEAST_LOOKS = 100


class DriftKind(Enum):
    """What has changed about a camera."""

    APPEARANCE = "appearance"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class DriftAlarm:
    """A camera has changed; `before` and `now` are the watched number's means on either side."""

    camera: str
    kind: DriftKind
    at_s: float
    before: float
    now: float


@dataclass(slots=True)
class _Watched:
    """One number of one camera."""

    adwin: drift.ADWIN = field(default_factory=lambda: drift.ADWIN(delta=1e-4))
    mean: stats.Mean = field(default_factory=stats.Mean)

    def change(self, value: float) -> tuple[float, float] | None:
        """Take a value in; the means before and after when they differ."""
        before = float(self.mean.get())
        self.mean.update(value)
        self.adwin.update(value)
        if not self.adwin.drift_detected or self.mean.n < LEAST_LOOKS:
            return None
        now = float(self.adwin.estimation)
        self.mean = stats.Mean()
        return before, now


@dataclass(slots=True)
class _Camera:
    """What a camera used to show, and when each of its last tracks was last seen."""

    usual: NDArray[np.float32]
    appearance: _Watched = field(default_factory=_Watched)
    rate: _Watched = field(default_factory=_Watched)
    seen_s: OrderedDict[str, float] = field(default_factory=OrderedDict[str, float])


class DriftWatch:
    """Watches every camera; give it all accepted evidence. At most `MOST_CAMERAS` are remembered."""

    def __init__(self) -> None:
        self._cameras: OrderedDict[str, _Camera] = OrderedDict()

    def notice(self, evidence: Evidence) -> tuple[DriftAlarm, ...]:
        """Take a look in; returns what has changed about its camera, usually nothing."""
        mean = evidence.embeddings.mean(axis=0)
        camera = self._cameras.get(evidence.camera)
        if camera is None:
            camera = self._cameras[evidence.camera] = _Camera(mean)
        self._cameras.move_to_end(evidence.camera)
        if len(self._cameras) > MOST_CAMERAS:
            self._cameras.popitem(last=False)
        changes = (
            (DriftKind.APPEARANCE, camera.appearance.change(_likeness(mean, camera.usual))),
            (DriftKind.RATE, _rate_change(camera, evidence)),
        )
        camera.usual = camera.usual + np.float32(USUAL_SHARE) * (mean - camera.usual)
        return tuple(DriftAlarm(evidence.camera, kind, evidence.at_s, *change) for kind, change in changes if change)


def _likeness(mean: NDArray[np.float32], usual: NDArray[np.float32]) -> float:
    return float(mean @ usual) / max(float(np.linalg.norm(mean) * np.linalg.norm(usual)), 1e-9)


def _rate_change(camera: _Camera, evidence: Evidence) -> tuple[float, float] | None:
    last_s = camera.seen_s.pop(evidence.track, None)
    camera.seen_s[evidence.track] = evidence.at_s
    if len(camera.seen_s) > MOST_TRACKS:
        camera.seen_s.popitem(last=False)
    if last_s is None or evidence.at_s <= last_s:
        return None
    return camera.rate.change(evidence.at_s - last_s)
