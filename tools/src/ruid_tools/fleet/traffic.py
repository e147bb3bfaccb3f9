"""What the cameras of a world would send: tracklets of its people, and who is in view."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ruid_core.wire.messages import Box, LiveTrack, Tracklet
from ruid_core.wire.vectors import pack_embeddings
from ruid_tools.fleet.world import Look, World

MODEL_ID = "synthetic"
CAMERA_ID = "cam0"
_MOST_EMBEDDINGS = 5
_FRAMES_PER_LOOK = 5


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """Somebody walks past one camera: when, on the camera's clock, and the best few crops (K, D) with qualities."""

    track: int
    at_s: tuple[float, ...]
    embeddings: bytes
    qualities: tuple[float, ...]

    def tracklet(self, *, track_id: int, ended_at_s: float, took_s: float) -> Tracklet:
        """The passage as a durable item that ended at `ended_at_s`."""
        return Tracklet(
            camera_id=CAMERA_ID,
            track_id=track_id,
            part=0,
            final=True,
            started_at_s=ended_at_s - took_s,
            ended_at_s=ended_at_s,
            grabbed_at_s=ended_at_s,
            box_rel=box_at(1.0),
            frames=_FRAMES_PER_LOOK * len(self.at_s),
            embedding_model_id=MODEL_ID,
            embeddings=self.embeddings,
            qualities=self.qualities,
        )


def passages_of(world: World) -> list[list[Passage]]:
    """Everything that each camera of the world saw, in the order in which it ended."""
    tracks: list[dict[int, list[Look]]] = [defaultdict(list) for _ in range(world.settings.cameras)]
    for look in world.looks():
        tracks[look.camera][look.track].append(look)
    return [sorted(map(_passage, camera.values()), key=lambda passage: passage.at_s[-1]) for camera in tracks]


def live_track(track_id: int, *, progress: float, started_at_s: float) -> LiveTrack:
    """Somebody in view who has come as far as `progress` (0 to 1) of the way."""
    return LiveTrack(track_id, box_at(progress), 0.9, started_at_s)


def box_at(progress: float) -> Box:
    """Where somebody is in the picture who walks through it from left to right."""
    left = 0.05 + 0.7 * progress
    return (left, 0.3, left + 0.15, 0.9)


def _passage(looks: Sequence[Look]) -> Passage:
    best = sorted(looks, key=lambda look: -look.quality)[:_MOST_EMBEDDINGS]
    rows = np.array([look.embedding for look in best], np.float32)
    return Passage(
        looks[0].track,
        tuple(look.at_s for look in looks),
        pack_embeddings(rows),
        tuple(look.quality for look in best),
    )
