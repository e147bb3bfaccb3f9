"""One camera's chain from frame to tracklets; called by one thread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ruid_core.geometry.boxes import to_relative
from ruid_core.tracking import Track, Tracker
from ruid_core.tracking.embedding_schedule import Candidate, EmbeddingSchedule
from ruid_core.tracking.tracklets import Sample, Sighting, Tracklet, TrackletRecorder
from ruid_core.vision import Detections, crop_quality
from ruid_edge.capture import Frame
from ruid_edge.health.stages import StageTimes
from ruid_edge.pipeline.thumbnails import ThumbnailPolicy, cut_crop

Box = tuple[float, float, float, float]

_PRESENT_WITHIN_S = 0.35
"""Somebody who was not seen for longer may be hidden or gone, and does not count as in view."""
_CLOCK_STEP_S = 1.0
_LEAST_STEP_S = 1e-3


class Detector(Protocol):
    """Finds people in a picture."""

    def detect(self, picture_bgr: NDArray[np.uint8]) -> Detections:
        """Return the people in an (H, W, 3) picture, in its pixels."""
        ...


class CropEmbedder(Protocol):
    """Turns crops of a picture into unit vectors of `dim` values."""

    @property
    def dim(self) -> int:
        """How many values an embedding has."""
        ...

    def embed(self, picture_bgr: NDArray[np.uint8], boxes_xyxy_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, dim) unit rows for N boxes."""
        ...


@dataclass(frozen=True, slots=True)
class Models:
    """The models of one camera; the embedder may be shared between cameras of one thread."""

    detector: Detector
    embedder: CropEmbedder


@dataclass(frozen=True, slots=True)
class LivePerson:
    """Somebody in view; `box_rel` in fractions of the picture.

    `seen` is False for one who is hidden in this very frame and was seen a moment ago.
    """

    track_id: int
    box_rel: Box
    confidence: float
    started_at_s: float
    seen: bool


@dataclass(frozen=True, slots=True, eq=False)
class FrameOutcome:
    """What one frame gave: who is in view, and the tracklets that are due."""

    captured_at_s: float
    grabbed_at_s: float
    detections: int
    people: tuple[LivePerson, ...]
    tracklets: tuple[Tracklet, ...]


class CameraPipeline:
    """Turns the frames of one camera into tracklets."""

    def __init__(
        self, models: Models, *, next_track_id: Callable[[], int], thumbnails: ThumbnailPolicy, stages: StageTimes
    ) -> None:
        self._models = models
        self._thumbnails = thumbnails
        self._stages = stages
        self._next_track_id = next_track_id
        self._tracker = Tracker(next_track_id=next_track_id)
        self._schedule = EmbeddingSchedule()
        self._recorder = TrackletRecorder(dim=models.embedder.dim)
        self._scene = 0
        self._at_s = float("-inf")

    def take(self, frame: Frame) -> FrameOutcome:
        """Work on the next frame."""
        cut_short = self._begin_scene(frame)
        with self._stages.measure("detect"):
            detections = self._models.detector.detect(frame.picture_bgr)
        with self._stages.measure("track"):
            step = self._tracker.update(detections.boxes_xyxy_px, detections.confidences, at_s=self._at_s)
            visible = [track for track in step.tracks if track.detection_index >= 0]
            self._recorder.see(self._sightings(visible, frame), at_s=self._at_s, grabbed_at_s=frame.grabbed_at_s)
        with self._stages.measure("embed"):
            self._embed(visible, frame)
        self._schedule.forget(step.ended_track_ids)
        due = self._recorder.cut_due(at_s=self._at_s)
        ended = self._recorder.end(step.ended_track_ids)
        present = [track for track in step.tracks if self._at_s - track.last_seen_at_s <= _PRESENT_WITHIN_S]
        people = tuple(self._people(present, frame))
        return FrameOutcome(
            frame.captured_at_s, frame.grabbed_at_s, len(detections.confidences), people, cut_short + due + ended
        )

    def finish(self) -> tuple[Tracklet, ...]:
        """End every track and return the last tracklets."""
        ended = self._tracker.finish().ended_track_ids
        self._schedule.forget(ended)
        return self._recorder.end(ended)

    def _begin_scene(self, frame: Frame) -> tuple[Tracklet, ...]:
        """Set the time of this frame; where continuity is lost, tracks end: what follows is not where it was.

        A clock that steps back a little (it was corrected) does not end them, time just stands still meanwhile.
        """
        stepped_back_s = self._at_s - frame.captured_at_s
        if frame.scene == self._scene and stepped_back_s < _CLOCK_STEP_S:
            self._at_s = frame.captured_at_s if stepped_back_s < 0 else self._at_s + _LEAST_STEP_S
            return ()
        self._scene, self._at_s = frame.scene, frame.captured_at_s
        last = self.finish()
        self._tracker = Tracker(next_track_id=self._next_track_id)
        return last

    def _sightings(self, tracks: Sequence[Track], frame: Frame) -> list[Sighting]:
        boxes_rel = _relative_boxes(tracks, frame)
        return [Sighting(track.track_id, box, track.started_at_s) for track, box in zip(tracks, boxes_rel, strict=True)]

    def _people(self, tracks: Sequence[Track], frame: Frame) -> list[LivePerson]:
        boxes_rel = _relative_boxes(tracks, frame)
        return [
            LivePerson(track.track_id, box, track.confidence, track.started_at_s, track.detection_index >= 0)
            for track, box in zip(tracks, boxes_rel, strict=True)
        ]

    def _embed(self, tracks: Sequence[Track], frame: Frame) -> None:
        if not tracks:
            return
        height, width = frame.picture_bgr.shape[:2]
        boxes = np.array([track.box_xyxy_px for track in tracks], np.float32)
        qualities = crop_quality(boxes, width_px=width, height_px=height)
        candidates = [
            Candidate(track.track_id, float(quality), track.started_at_s)
            for track, quality in zip(tracks, qualities, strict=True)
        ]
        chosen = self._schedule.choose(candidates, at_s=self._at_s)
        if not chosen:
            return
        embeddings = self._models.embedder.embed(frame.picture_bgr, boxes[list(chosen)])
        for index, embedding in zip(chosen, embeddings, strict=True):
            crop = cut_crop(frame.picture_bgr, tracks[index].box_xyxy_px, self._thumbnails)
            sample = Sample(self._at_s, frame.grabbed_at_s, embedding, candidates[index].quality, crop)
            self._recorder.add(tracks[index].track_id, sample)


def _relative_boxes(tracks: Sequence[Track], frame: Frame) -> list[Box]:
    """Return boxes as fractions of the picture, cut at its edges."""
    if not tracks:
        return []
    height, width = frame.picture_bgr.shape[:2]
    boxes = np.array([track.box_xyxy_px for track in tracks], np.float32)
    relative = np.clip(to_relative(boxes, width_px=width, height_px=height), 0, 1)
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in relative.tolist()]
