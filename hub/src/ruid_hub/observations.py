"""A tracklet that the hub accepted, and what was decided about it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class TrackKey:
    """Names one track of one camera for ever.

    `camera` is `node_id/camera_id`; track numbers start anew with every boot of the node.
    """

    camera: str
    boot_epoch: int
    track_id: int

    def __str__(self) -> str:
        return f"{self.camera}/{self.boot_epoch}/{self.track_id}"

    @classmethod
    def from_text(cls, text: str) -> "TrackKey":
        """The key that `str` wrote; raises ValueError for anything else."""
        camera, boot_epoch, track_id = text.rsplit("/", 2)
        return cls(camera, int(boot_epoch), int(track_id))


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One accepted tracklet. Times are seconds since the Unix epoch, corrected to the hub's clock.

    `embeddings` is (K, D) float32 with unit rows, `qualities` (K,) float32 in 0..1; `seq` and `boot_epoch`
    are the node's, and with `node_id` they are unique.
    """

    node_id: str
    boot_epoch: int
    seq: int
    track: TrackKey
    part: int
    final: bool
    started_at_s: float
    ended_at_s: float
    grabbed_at_s: float
    received_at_s: float
    box_rel: Box
    frames: int
    embedding_model_id: str
    embeddings: NDArray[np.float32]
    qualities: NDArray[np.float32]
    thumbnail_jpeg: bytes


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who the hub believes an observation's track to be, and how sure it is (0..1)."""

    identity_id: str
    state: str
    probability: float


@dataclass(frozen=True, slots=True)
class HealthSample:
    """How a camera and its node did at one moment; None where the node did not say."""

    at_s: float
    fps: float
    temperature_c: float | None
    cpu_percent: float | None
    latency_p50_ms: int | None
    spool_items: int | None
    up: bool = True


@dataclass(frozen=True, slots=True)
class CoverageGap:
    """From when to when a camera did not see or could not be heard."""

    camera: str
    from_s: float
    to_s: float
    reason: str
