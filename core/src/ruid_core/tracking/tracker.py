"""Detections of one camera become tracks.

Each frame: tracks unseen for too long end; the others are predicted to the frame's time; sure detections choose their
tracks, then faint ones choose among the tracks left (ByteTrack, Zhang et al. 2022, 3); what is left of the sure ones
starts new tracks. All tracks live in arrays: one prediction, one matrix of costs, one or two assignments a frame.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from ruid_core.tracking.assignment import assign
from ruid_core.tracking.errors import TrackingError
from ruid_core.tracking.motion import Array, Motion, centre_boxes, corner_boxes
from ruid_core.tracking.resemblance import pair_costs, repeats
from ruid_core.tracking.settings import TrackerSettings

_DEFAULTS = TrackerSettings()
_TENTATIVE = -1
_REPLACED = -2
_UNSEEN = -1
_NEVER = 1e9
# Far inside what float32 holds exactly, far outside any picture.
_FARTHEST_PX = 1e6
_ROUNDING_S = 1e-6
_TO_FOOT = np.array([0.0, 0.5])

# Columns of a tracker's record of its tracks.
_STARTED, _SEEN, _CONFIDENCE, _MEAN_CONFIDENCE, _SIGHTINGS, _START_X, _START_Y, _START_FOOT_Y = range(8)
_BEGINNING = [_STARTED, _START_X, _START_Y, _START_FOOT_Y]


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
    foot_xy_px: tuple[float, float] = (0.0, 0.0)
    """Where the person stands: the lower middle of the smoothed box, which does not jump when the legs are hidden."""
    began_foot_xy_px: tuple[float, float] = (0.0, 0.0)
    """Where the person stood at `started_at_s`, before the track was confirmed."""


@dataclass(frozen=True, slots=True)
class TrackerStep:
    """What one frame changed."""

    tracks: tuple[Track, ...]
    """Every confirmed track that has not ended, coasting ones included: their `detection_index` is -1."""
    ended_track_ids: tuple[int, ...]
    """Tracks reported before that are over; they do not come back."""


Recognise = Callable[[int, Sequence[Track]], int | None]
"""Given a detection's row and those who are hidden near it, where they were last seen: which of them it is, if any."""


def _nobody(detection_index: int, hidden: Sequence[Track]) -> None:
    """Recognise nobody: every new track is somebody new."""


@dataclass(frozen=True, slots=True)
class _Detections:
    boxes_cxcywh_px: Array
    confidences: Array
    sure: NDArray[np.bool_]


class Tracker:
    """Follows the people in one camera's picture for one stream; feed it every frame, also one without detections."""

    def __init__(self, *, next_track_id: Callable[[], int], settings: TrackerSettings = _DEFAULTS) -> None:
        self._settings = settings
        self._next_track_id = next_track_id
        self._at_s = -np.inf
        self._motion = Motion(settings)
        self._ids = np.empty(0, np.int64)
        self._record = np.empty((0, 8))

    def update(
        self,
        boxes_xyxy_px: NDArray[np.float32],
        confidences: NDArray[np.float32],
        *,
        at_s: float,
        recognise: Recognise = _nobody,
    ) -> TrackerStep:
        """Take in one frame's detections: (N, 4) boxes with (N,) confidences in 0..1, seen at `at_s`.

        A new track is reported once it is sure; `recognise` may then say that it is somebody who was hidden nearby and
        came out elsewhere than predicted, whose track it goes on with.
        Raises `TrackingError` when the time does not advance, the shapes do not fit each other, a number is not
        finite or a box lies a million pixels away; the frame is then as if it had never been.
        """
        self._check(boxes_xyxy_px, confidences, at_s)
        ended = self._end_unseen(at_s)
        if self._ids.size:
            self._motion.predict(at_s - self._at_s)
        seen = _Detections(
            boxes_cxcywh_px=centre_boxes(boxes_xyxy_px),
            confidences=confidences.astype(np.float64),
            sure=confidences >= self._settings.sure_confidence,
        )
        taken_by = self._associate(seen, at_s)
        self._correct(seen, taken_by, at_s)
        taken_by = self._confirm(taken_by, recognise)
        taken_by = self._start(seen, taken_by, at_s)
        self._at_s = at_s
        return TrackerStep(tracks=self._report(boxes_xyxy_px, taken_by), ended_track_ids=ended)

    def exchange(self, track_id: int, *, since_s: float, recognise: Recognise = _nobody) -> int:
        """Say that a reported track has shown somebody else since a time; return the id that it goes on with.

        That is a new one, unless `recognise` says which of those who are hidden nearby it is. It is asked at once, with
        -1 for the row of the detection; the former id has ended. Raises `TrackingError` for an unknown track.
        """
        rows = np.flatnonzero(self._ids == track_id)
        if track_id < 0 or not rows.size:
            raise TrackingError(f"no track {track_id} to exchange")
        row, box = rows[0], self._motion.boxes_cxcywh_px[rows[0]]
        self._record[row, _BEGINNING] = since_s, box[0], box[1], box[1] + box[3] / 2
        known = self._reunite(row, _UNSEEN, recognise)
        goes_on_with = self._next_track_id() if known is None else known
        self._ids[row] = goes_on_with
        self._keep(self._ids != _REPLACED)
        return goes_on_with

    def foresee(self, *, at_s: float) -> tuple[Track, ...]:
        """Return where the reported tracks should be at a time after the last frame; changes nothing.

        For frames that nobody had time to look at: every box is predicted, every `detection_index` is -1.
        """
        boxes = self._motion.foresee(max(0.0, at_s - self._at_s)) if self._ids.size else self._motion.boxes_cxcywh_px
        unseen = np.full(self._ids.size, _UNSEEN, np.intp)
        return self._tracks(corner_boxes(boxes), boxes, unseen, shown=self._ids != _TENTATIVE)

    @property
    def is_empty(self) -> bool:
        """Whether nobody is followed, not even one who is yet to be confirmed."""
        return not self._ids.size

    def finish(self) -> TrackerStep:
        """End every track: the stream is over. What comes next may start at any time."""
        ended = tuple(self._ids[self._ids != _TENTATIVE].tolist())
        self._keep(np.zeros(self._ids.size, np.bool_))
        self._at_s = -np.inf
        return TrackerStep(tracks=(), ended_track_ids=ended)

    def _check(self, boxes_xyxy_px: NDArray[np.float32], confidences: NDArray[np.float32], at_s: float) -> None:
        if not self._at_s < at_s < np.inf:
            raise TrackingError(f"the time went from {self._at_s} to {at_s} s")
        if confidences.ndim != 1 or boxes_xyxy_px.shape != (confidences.size, 4):
            raise TrackingError(f"boxes {boxes_xyxy_px.shape} with confidences {confidences.shape}")
        if not ((np.abs(boxes_xyxy_px) <= _FARTHEST_PX).all() and np.isfinite(confidences).all()):
            raise TrackingError("a box or a confidence is not a finite number, or a box lies beyond any picture")

    def _end_unseen(self, at_s: float) -> tuple[int, ...]:
        """Forget who has not been seen for too long, and return the ids of the confirmed ones among them."""
        last_seen_s = self._record[:, _SEEN]
        over = last_seen_s < at_s - self._settings.coasting_for_s - _ROUNDING_S
        tentative = self._ids == _TENTATIVE
        # By the frame before: at one frame in five seconds a track must still get its second sighting.
        over |= tentative & (last_seen_s < self._at_s - self._settings.tentative_for_s - _ROUNDING_S)
        if not over.any():
            return ()
        ended = tuple(self._ids[over & ~tentative].tolist())
        self._keep(~over)
        return ended

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        self._motion.keep(kept)
        self._ids, self._record = self._ids[kept], self._record[kept]

    def _associate(self, seen: _Detections, at_s: float) -> NDArray[np.intp]:
        """Return (T,) the detection of each track, or -1."""
        settings = self._settings
        taken_by = np.full(self._ids.size, _UNSEEN, np.intp)
        if not (taken_by.size and seen.sure.size):
            return taken_by
        costs = pair_costs(
            self._motion.boxes_cxcywh_px,
            seen.boxes_cxcywh_px,
            margin=settings.box_margin,
            shape_weight=settings.shape_weight,
        )
        rows, columns = assign(np.where(seen.sure, costs, _NEVER), cost_limit=settings.sure_cost_limit)
        taken_by[rows] = columns
        free = (taken_by < 0) & (self._record[:, _SEEN] >= at_s - settings.faint_within_s - _ROUNDING_S)
        faint = ~seen.sure & (seen.confidences >= settings.faint_confidence)
        if free.any() and faint.any():
            costs = np.where(free[:, None] & faint, costs, _NEVER)
            rows, columns = assign(costs, cost_limit=settings.faint_cost_limit)
            taken_by[rows] = columns
        return taken_by

    def _correct(self, seen: _Detections, taken_by: NDArray[np.intp], at_s: float) -> None:
        """Bring the tracks that were seen up to date."""
        rows = np.flatnonzero(taken_by >= 0)
        if not rows.size:
            return
        columns = taken_by[rows]
        record = self._record[rows]
        self._move(rows, seen.boxes_cxcywh_px[columns], unseen_for_s=at_s - record[:, _SEEN], at_s=at_s)
        confidences = seen.confidences[columns]
        record[:, _SEEN] = at_s
        record[:, _CONFIDENCE] = confidences
        record[:, _SIGHTINGS] += 1
        record[:, _MEAN_CONFIDENCE] += (confidences - record[:, _MEAN_CONFIDENCE]) / record[:, _SIGHTINGS]
        self._record[rows] = record

    def _move(self, rows: NDArray[np.intp], boxes_cxcywh_px: Array, *, unseen_for_s: Array, at_s: float) -> None:
        found_again = unseen_for_s > at_s - self._at_s + _ROUNDING_S
        again = rows[found_again]
        start = self._motion.last_seen_cxcywh_px(again)
        self._motion.correct(rows, boxes_cxcywh_px)
        if again.size:
            gaps_s = unseen_for_s[found_again]
            self._motion.straighten(again, start_cxcywh_px=start, unseen_for_s=gaps_s)

    def _confirm(self, taken_by: NDArray[np.intp], recognise: Recognise) -> NDArray[np.intp]:
        """Give an id to the new tracks that have shown enough; return the detection of every track."""
        settings, record = self._settings, self._record
        due = (self._ids == _TENTATIVE) & (taken_by >= 0)
        if not due.any():
            return taken_by
        boxes = self._motion.boxes_cxcywh_px
        walked_px = np.hypot(boxes[:, 0] - record[:, _START_X], boxes[:, 1] - record[:, _START_Y])
        due &= record[:, _SEEN] - record[:, _STARTED] >= settings.confirmed_after_s - _ROUNDING_S
        due &= (record[:, _MEAN_CONFIDENCE] >= settings.confirming_confidence) | (
            walked_px >= settings.confirming_walk * boxes[:, 3]
        )
        for row in np.flatnonzero(due):
            known = self._reunite(row, int(taken_by[row]), recognise)
            self._ids[row] = self._next_track_id() if known is None else known
        kept = self._ids != _REPLACED
        if not kept.all():
            self._keep(kept)
        return taken_by[kept]

    def _reunite(self, row: np.intp, detection_index: int, recognise: Recognise) -> int | None:
        """Let a new track go on with the one of somebody hidden who is recognised, and return that one's id."""
        hidden = self._hidden_near(row)
        track_id = recognise(detection_index, hidden) if hidden else None
        if track_id is not None:
            before = np.flatnonzero(self._ids == track_id)[0]
            self._record[row, _BEGINNING] = self._record[before, _BEGINNING]
            self._ids[before] = _REPLACED
        return track_id

    def _hidden_near(self, row: np.intp) -> tuple[Track, ...]:
        """Return those last seen before a new track began, within reach of where it did and of its height."""
        settings, began, height_px = self._settings, self._record[row], self._motion.boxes_cxcywh_px[row, 3]
        last = self._motion.last_seen_cxcywh_px(np.arange(self._ids.size))
        apart_px = np.hypot(last[:, 0] - began[_START_X], last[:, 1] - began[_START_Y])
        near = (self._ids >= 0) & (self._record[:, _SEEN] < began[_STARTED])
        near &= apart_px <= settings.reunion_reach * height_px
        near &= np.abs(np.log(last[:, 3] / height_px)) <= settings.reunion_height
        return self._tracks(corner_boxes(last), last, np.full(self._ids.size, _UNSEEN, np.intp), shown=near)

    def _start(self, seen: _Detections, taken_by: NDArray[np.intp], at_s: float) -> NDArray[np.intp]:
        """Start a tentative track on each sure detection that is left; return the detection of every track."""
        taken = taken_by[taken_by >= 0]
        free = seen.sure.copy()
        free[taken] = False
        if not free.any():
            return taken_by
        free &= ~repeats(seen.boxes_cxcywh_px, of=taken, overlap=self._settings.repeat_overlap)
        columns = np.flatnonzero(free)
        surest = np.argsort(-seen.confidences[columns], kind="stable")
        columns = columns[surest[: self._settings.max_tracks - self._ids.size]]
        boxes, confidences = seen.boxes_cxcywh_px[columns], seen.confidences[columns]
        now = np.full(columns.size, at_s)
        feet_px = boxes[:, 1] + boxes[:, 3] / 2
        fresh = (now, now, confidences, confidences, np.ones(columns.size), boxes[:, 0], boxes[:, 1], feet_px)
        self._motion.add(boxes)
        self._ids = np.concatenate((self._ids, np.full(columns.size, _TENTATIVE)))
        self._record = np.concatenate((self._record, np.stack(fresh, axis=1)))
        return np.concatenate((taken_by, columns))

    def _report(self, boxes_xyxy_px: NDArray[np.float32], taken_by: NDArray[np.intp]) -> tuple[Track, ...]:
        boxes = corner_boxes(self._motion.boxes_cxcywh_px)
        found = taken_by >= 0
        boxes[found] = boxes_xyxy_px[taken_by[found]]
        return self._tracks(boxes, self._motion.boxes_cxcywh_px, taken_by, shown=self._ids != _TENTATIVE)

    def _tracks(
        self, boxes_xyxy_px: Array, smooth_cxcywh_px: Array, taken_by: NDArray[np.intp], *, shown: NDArray[np.bool_]
    ) -> tuple[Track, ...]:
        if not shown.any():
            return ()
        feet = smooth_cxcywh_px[:, :2] + smooth_cxcywh_px[:, 2:] * _TO_FOOT
        columns = (self._ids, boxes_xyxy_px, taken_by, self._record, feet)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return tuple(
            Track(
                track_id,
                tuple(box),
                record[_CONFIDENCE],
                index,
                record[_STARTED],
                record[_SEEN],
                tuple(foot),
                (record[_START_X], record[_START_FOOT_Y]),
            )
            for track_id, box, index, record, foot in compress(rows, shown)
        )
