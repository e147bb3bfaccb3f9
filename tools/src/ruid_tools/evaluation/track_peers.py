"""Other people's trackers behind one small protocol, at their own defaults; each only where it is installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ruid_tools.errors import ToolError

NORFAIR_DISTANCE = 0.7
"""1 - IoU from which norfair, which has no default, does not match."""


class PeerMissingError(ToolError):
    """The named tracker is unknown, or its package is not installed."""


class FollowFrame(Protocol):
    """One frame's detections in, the ids and boxes of the tracks seen in it out."""

    def __call__(
        self, boxes: NDArray[np.float32], confidences: NDArray[np.float32], at_s: float, /
    ) -> tuple[Sequence[int], NDArray[Any]]:
        """Take (N, 4) boxes, (N,) confidences and the time; return (M,) ids and (M, 4) boxes."""
        ...


def open_peer(name: str, *, fps: float) -> FollowFrame:
    """Return the tracker called `name` (see `PEERS`). Raises `PeerMissingError`."""
    if name not in PEERS:
        raise PeerMissingError(f"no tracker is called {name}; there are ruid, {', '.join(PEERS)}")
    package, follower = PEERS[name]
    try:
        return follower(importlib.import_module(package), name, fps)
    except ImportError as error:
        raise PeerMissingError(f"{name} needs the package {package}: pip install {package}") from error


def _follow_trackers(package: Any, name: str, _fps: float) -> FollowFrame:
    detections = importlib.import_module("supervision").Detections
    peer = getattr(package, _TRACKERS_CLASSES[name])()

    def follow(
        boxes: NDArray[np.float32], confidences: NDArray[np.float32], _at_s: float
    ) -> tuple[Sequence[int], NDArray[Any]]:
        kinds = np.zeros(len(boxes), int)
        seen = peer.update(detections(xyxy=boxes, confidence=confidences, class_id=kinds))
        return _known(seen.tracker_id, seen.xyxy)

    return follow


def _follow_supervision(package: Any, _name: str, fps: float) -> FollowFrame:
    peer = package.ByteTrack(frame_rate=fps)

    def follow(
        boxes: NDArray[np.float32], confidences: NDArray[np.float32], _at_s: float
    ) -> tuple[Sequence[int], NDArray[Any]]:
        kinds = np.zeros(len(boxes), int)
        seen = peer.update_with_detections(package.Detections(xyxy=boxes, confidence=confidences, class_id=kinds))
        return _known(seen.tracker_id, seen.xyxy)

    return follow


def _follow_norfair(package: Any, _name: str, _fps: float) -> FollowFrame:
    peer = package.Tracker(distance_function="iou", distance_threshold=NORFAIR_DISTANCE)

    def follow(
        boxes: NDArray[np.float32], confidences: NDArray[np.float32], _at_s: float
    ) -> tuple[Sequence[int], NDArray[Any]]:
        points = boxes.reshape(-1, 2, 2)
        seen = peer.update(
            [package.Detection(points=p, scores=np.full(2, c)) for p, c in zip(points, confidences, strict=True)]
        )
        return [track.id for track in seen], np.array([track.estimate.reshape(4) for track in seen])

    return follow


def _known(track_ids: NDArray[Any] | None, boxes: NDArray[Any]) -> tuple[Sequence[int], NDArray[Any]]:
    if track_ids is None:
        return [], np.zeros((0, 4))
    known = track_ids >= 0
    return track_ids[known].tolist(), boxes[known]


_TRACKERS_CLASSES = {
    "bytetrack": "ByteTrackTracker",
    "sort": "SORTTracker",
    "ocsort": "OCSORTTracker",
    "c-biou": "CBIoUTracker",
}

PEERS: dict[str, tuple[str, Callable[[Any, str, float], FollowFrame]]] = {
    **{name: ("trackers", _follow_trackers) for name in _TRACKERS_CLASSES},
    "supervision": ("supervision", _follow_supervision),
    "norfair": ("norfair", _follow_norfair),
}
"""Name to package and opener."""
