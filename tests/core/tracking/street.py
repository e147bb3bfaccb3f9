"""Made-up people for tests of the tracker: who is where when, and what a detector says of it."""

from collections.abc import Iterable, Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from ruid_core.tracking import Tracker, TrackerSettings, TrackerStep

Boxes = NDArray[np.float32]
WIDTH_PX, HEIGHT_PX = 40.0, 100.0


def person(x_px: float, y_px: float = 200.0, *, height_px: float = HEIGHT_PX) -> list[float]:
    """Box of someone whose centre is there."""
    half_width, half_height = WIDTH_PX / 2 * height_px / HEIGHT_PX, height_px / 2
    return [x_px - half_width, y_px - half_height, x_px + half_width, y_px + half_height]


def boxes(*people: list[float]) -> Boxes:
    """(N, 4)."""
    return np.array(people, np.float32).reshape(-1, 4)


def sure(count: int, confidence: float = 0.9) -> NDArray[np.float32]:
    """(N,) confidences."""
    return np.full(count, confidence, np.float32)


def new_tracker(settings: TrackerSettings | None = None, *, ids: Iterator[int] | None = None) -> Tracker:
    """A tracker that numbers its tracks from 1."""
    numbers = ids or count(1)
    return Tracker(next_track_id=lambda: next(numbers), settings=settings or TrackerSettings())


def watch(tracker: Tracker, people: Boxes, *, at_s: float, confidence: float = 0.9) -> TrackerStep:
    """Feed one frame in which everybody is detected alike."""
    return tracker.update(people, sure(len(people), confidence), at_s=at_s)


def watch_all(tracker: Tracker, frames: Iterable[Boxes], *, confidence: float = 0.9) -> list[TrackerStep]:
    """Feed frames ten times a second from 0 s on."""
    return [watch(tracker, people, at_s=k / 10, confidence=confidence) for k, people in enumerate(frames)]


def seen_ids(step: TrackerStep) -> dict[int, int]:
    """Track id by detection index, of those seen in this frame."""
    return {track.detection_index: track.track_id for track in step.tracks if track.detection_index >= 0}
