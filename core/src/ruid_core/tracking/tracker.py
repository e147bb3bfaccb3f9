"""Detections of one camera become tracks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ruid_core.geometry.boxes import iou_matrix
from ruid_core.tracking.assignment import assign
from ruid_core.tracking.errors import TrackingError
from ruid_core.tracking.motion import Motion, centre_boxes, corner_boxes
from ruid_core.tracking.settings import TrackerSettings

_TENTATIVE = -1


@dataclass(frozen=True, slots=True)
class Track:
    """One person as one camera follows him or her, now."""

    track_id: int
    box_xyxy_px: tuple[float, float, float, float]
    """The detection's own box, or the predicted one where `detection_index` is -1."""
    confidence: float
    """Of the last detection."""
    detection_index: int
    """The row of the boxes given to `update`, or -1: not seen in this frame, only predicted (coasting)."""
    started_at_s: float
    last_seen_at_s: float


@dataclass(frozen=True, slots=True)
class TrackerStep:
    """What one frame changed."""

    tracks: tuple[Track, ...]
    """Every confirmed track that has not ended, coasting ones (`detection_index` is -1) included."""
    ended_track_ids: tuple[int, ...]
    """Tracks reported before that are over; they do not come back."""


class Tracker:
    """Follows the people in one camera's picture; feed it every frame's detections, an empty frame's as well."""

    def __init__(self, *, next_track_id: Callable[[], int], settings: TrackerSettings = TrackerSettings()) -> None:
        self._settings = settings
        self._next_track_id = next_track_id
        self._at_s = -np.inf
        self._motion = Motion(settings)
        self._ids = np.empty(0, np.int64)
        self._started_at_s = np.empty(0)
        self._seen_at_s = np.empty(0)
        self._confidences = np.empty(0)
        self._sightings = np.empty(0, np.int64)

    def update(
        self, boxes_xyxy_px: NDArray[np.float32], confidences: NDArray[np.float32], *, at_s: float
    ) -> TrackerStep:
        """Take in one frame's detections: (N, 4) boxes with (N,) confidences in 0..1, seen at `at_s`.

        Raises `TrackingError` when the time does not advance, the shapes do not fit each other, or a number is
        not finite; the frame is then as if it had never been.
        """
        self._check(boxes_xyxy_px, confidences, at_s)
        if self._ids.size:
            self._motion.predict(at_s - self._at_s)
        self._at_s = at_s
        taken_by = self._associate(boxes_xyxy_px, confidences)
        ended = self._end_unseen()
        taken_by = taken_by[self._kept]
        taken_by = self._start(boxes_xyxy_px, confidences, taken_by)
        return TrackerStep(tracks=self._report(boxes_xyxy_px, taken_by), ended_track_ids=ended)

    def finish(self) -> TrackerStep:
        """End every track: the stream is over. The tracker can be fed again from any time on."""
        ended = tuple(int(i) for i in self._ids[self._ids != _TENTATIVE])
        self._keep(np.zeros(self._ids.size, np.bool_))
        self._at_s = -np.inf
        return TrackerStep(tracks=(), ended_track_ids=ended)

    def _check(self, boxes_xyxy_px: NDArray[np.float32], confidences: NDArray[np.float32], at_s: float) -> None:
        if not self._at_s < at_s < np.inf:
            raise TrackingError(f"time went from {self._at_s} to {at_s} s")
        if boxes_xyxy_px.ndim != 2 or boxes_xyxy_px.shape != (len(confidences), 4) or confidences.ndim != 1:
            raise TrackingError(f"{boxes_xyxy_px.shape} boxes with {confidences.shape} confidences")
        if not np.isfinite(boxes_xyxy_px).all() or not np.isfinite(confidences).all():
            raise TrackingError("a box or a confidence is not a finite number")

    def _associate(self, boxes_xyxy_px: NDArray[np.float32], confidences: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the detection of each track, or -1, and correct the tracks by it."""
        taken_by = np.full(self._ids.size, -1)
        if not (self._ids.size and confidences.size):
            return taken_by
        s = self._settings
        costs = 1 - iou_matrix(corner_boxes(self._motion.boxes), boxes_xyxy_px)
        sure = confidences >= s.sure_confidence
        rows, columns = assign(np.where(sure, costs, 1.0), cost_limit=1 - s.least_overlap_sure)
        taken_by[rows] = columns
        faint = (confidences >= s.faint_confidence) & ~sure
        recent = (taken_by < 0) & (self._at_s - self._seen_at_s <= s.faint_within_s)
        if faint.any() and recent.any():
            costs = np.where(recent[:, None] & faint, costs, 1.0)
            rows, columns = assign(costs, cost_limit=1 - s.least_overlap_faint)
            taken_by[rows] = columns
        self._see(boxes_xyxy_px, confidences, taken_by)
        return taken_by

    def _see(
        self,
        boxes_xyxy_px: NDArray[np.float32],
        confidences: NDArray[np.float32],
        taken_by: NDArray[np.intp],
    ) -> None:
        rows = np.flatnonzero(taken_by >= 0)
        if not rows.size:
            return
        columns = taken_by[rows]
        self._motion.correct(rows, centre_boxes(boxes_xyxy_px[columns]))
        self._confidences[rows] = confidences[columns]
        self._seen_at_s[rows] = self._at_s
        self._sightings[rows] += 1
        due = (self._ids == _TENTATIVE) & (self._sightings >= 2)
        due &= self._seen_at_s - self._started_at_s >= self._settings.confirmed_after_s - 1e-6
        for row in np.flatnonzero(due):
            self._ids[row] = self._next_track_id()

    def _end_unseen(self) -> tuple[int, ...]:
        unseen_for_s = self._at_s - self._seen_at_s
        limit = np.where(self._ids == _TENTATIVE, self._settings.tentative_for_s, self._settings.coasting_for_s)
        over = unseen_for_s > limit
        self._kept = ~over
        ended = tuple(int(i) for i in self._ids[over & (self._ids != _TENTATIVE)])
        if over.any():
            self._keep(~over)
        return ended

    def _keep(self, rows: NDArray[np.bool_]) -> None:
        self._motion.keep(rows)
        self._ids, self._sightings = self._ids[rows], self._sightings[rows]
        self._started_at_s, self._seen_at_s = self._started_at_s[rows], self._seen_at_s[rows]
        self._confidences = self._confidences[rows]

    def _start(
        self,
        boxes_xyxy_px: NDArray[np.float32],
        confidences: NDArray[np.float32],
        taken_by: NDArray[np.intp],
    ) -> NDArray[np.intp]:
        """Start a tentative track on every sure detection that is left; return the detection of each track."""
        free = confidences >= self._settings.sure_confidence
        free[taken_by[taken_by >= 0]] = False
        columns = np.flatnonzero(free)
        room = self._settings.max_tracks - self._ids.size
        if columns.size > room:
            columns = columns[np.argsort(-confidences[columns], kind="stable")[:room]]
        if not columns.size:
            return taken_by
        now = np.full(columns.size, self._at_s)
        self._motion.add(centre_boxes(boxes_xyxy_px[columns]))
        self._ids = np.concatenate((self._ids, np.full(columns.size, _TENTATIVE)))
        self._sightings = np.concatenate((self._sightings, np.ones(columns.size, np.int64)))
        self._started_at_s = np.concatenate((self._started_at_s, now))
        self._seen_at_s = np.concatenate((self._seen_at_s, now))
        self._confidences = np.concatenate((self._confidences, confidences[columns]))
        return np.concatenate((taken_by, columns))

    def _report(self, boxes_xyxy_px: NDArray[np.float32], taken_by: NDArray[np.intp]) -> tuple[Track, ...]:
        predicted = corner_boxes(self._motion.boxes).tolist()
        seen = boxes_xyxy_px.tolist()
        columns = zip(
            self._ids.tolist(),
            predicted,
            self._confidences.tolist(),
            taken_by.tolist(),
            self._started_at_s.tolist(),
            self._seen_at_s.tolist(),
            strict=True,
        )
        return tuple(
            Track(track_id, tuple(seen[k] if k >= 0 else box), confidence, k, started, last)
            for track_id, box, confidence, k, started, last in columns
            if track_id != _TENTATIVE
        )
