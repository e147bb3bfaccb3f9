"""`eval_tracker_detections`: score a tracker on cached detections against ground truth, and time it.

Tracks and truth are MOT rows: an (R, 6) array of frame (from 1), id, left, top, width, height in pixels.
Scores are TrackEval's: HOTA (Luiten et al. 2021, mean over its 19 thresholds), CLEAR and identity at IoU 0.5.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ruid_core.geometry.boxes import iou_matrix
from ruid_core.tracking import Tracker
from ruid_tools.errors import ToolError
from ruid_tools.evaluation.track_peers import FollowFrame, open_peer

OURS = "ruid"
LEAST_CONFIDENCE = 0.1
"""Detections below are given to no tracker: what a detector's own threshold leaves out in use."""

MotRows = NDArray[np.float64]


class TrackEvaluationError(ToolError):
    """The detections, the truth or the choice of frames cannot be scored."""


@dataclass(frozen=True, slots=True)
class TrackScores:
    """Fractions of 1, and counts."""

    hota: float
    deta: float
    assa: float
    idf1: float
    mota: float
    id_switches: int
    fragmentations: int


@dataclass(frozen=True, slots=True)
class TrackReport:
    """One tracker on one choice of frames; `fps_tracker` counts the tracker's time alone, on this machine."""

    tracker: str
    hota: float
    deta: float
    assa: float
    idf1: float
    mota: float
    id_switches: int
    fragmentations: int
    fps_tracker: float
    fps_pipeline: float | None
    frames: int


@dataclass(frozen=True, slots=True)
class CachedDetections:
    """A clip's detections: `boxes[k]` (N, 4) x1, y1, x2, y2 and `confidences[k]` (N,) are frame k + 1's."""

    boxes_xyxy_px: tuple[NDArray[np.float32], ...]
    confidences: tuple[NDArray[np.float32], ...]
    fps: float


def eval_tracker_detections(
    detections: Path,
    gt: Path,
    *,
    frames: tuple[int, int] | None = None,
    every: int = 1,
    drop: float = 0.0,
    seed: int = 0,
    tracker: str = OURS,
    clock: Callable[[], float] = time.perf_counter,
) -> TrackReport:
    """Run `tracker` over the chosen frames' detections and score it against the truth of the same frames.

    `frames` is first and last, from 1, both included; of those every `every`-th is kept, and of those the fraction
    `drop` is left out at random. Raises `TrackEvaluationError` or `PeerMissingError`.
    """
    cached = read_detections(detections)
    chosen = choose_frames(frames or (1, len(cached.boxes_xyxy_px)), every=every, drop=drop, seed=seed)
    if not chosen or chosen[-1] > len(cached.boxes_xyxy_px):
        raise TrackEvaluationError(f"{detections} has frames 1 to {len(cached.boxes_xyxy_px)}, asked for {frames}")
    follow = _follow_ours() if tracker == OURS else open_peer(tracker, fps=cached.fps)
    tracks, took_s = follow_frames(follow, cached, frames=chosen, clock=clock)
    scores = score_tracks(tracks, truth=read_mot(gt), frames=chosen)
    return report_scores(scores, tracker=tracker, frames=len(chosen), fps_tracker=len(chosen) / took_s)


def report_scores(
    scores: TrackScores, *, tracker: str, frames: int, fps_tracker: float, fps_pipeline: float | None = None
) -> TrackReport:
    """Join scores and speeds."""
    return TrackReport(
        tracker=tracker,
        hota=scores.hota,
        deta=scores.deta,
        assa=scores.assa,
        idf1=scores.idf1,
        mota=scores.mota,
        id_switches=scores.id_switches,
        fragmentations=scores.fragmentations,
        fps_tracker=fps_tracker,
        fps_pipeline=fps_pipeline,
        frames=frames,
    )


def choose_frames(span: tuple[int, int], *, every: int, drop: float, seed: int) -> list[int]:
    """Return the frame numbers (from 1) that a run sees. Raises `TrackEvaluationError` for a senseless choice."""
    first, last = span
    if first < 1 or last < first or every < 1 or not 0 <= drop < 1:
        raise TrackEvaluationError(f"frames {first}:{last}, every {every}, drop {drop}: nothing to choose from")
    kept = np.arange(first, last + 1)[::every]
    return kept[np.random.default_rng(seed).random(len(kept)) >= drop].tolist()


def read_mot(path: Path) -> MotRows:
    """Read a MOT file's (R, 6) rows. Raises `TrackEvaluationError`."""
    try:
        rows = np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float64)
    except (OSError, ValueError) as error:
        raise TrackEvaluationError(f"{path} is not a MOT file: {error}") from error
    if rows.shape[1] < 6:
        raise TrackEvaluationError(f"{path} has {rows.shape[1]} columns; frame,id,left,top,width,height needs 6")
    return rows[:, :6]


def read_detections(path: Path) -> CachedDetections:
    """Read `frame` (from 0), `box` (N, 5), `n_frames` and `fps`. Raises `TrackEvaluationError`."""
    try:
        with np.load(path) as arrays:
            frame, box = arrays["frame"], arrays["box"].astype(np.float32)
            count, fps = int(arrays["n_frames"]), float(arrays["fps"])
    except (OSError, ValueError, KeyError) as error:
        raise TrackEvaluationError(f"{path} holds no cached detections: {error}") from error
    box, frame = box[box[:, 4] >= LEAST_CONFIDENCE], frame[box[:, 4] >= LEAST_CONFIDENCE]
    per_frame = [box[frame == number] for number in range(count)]
    return CachedDetections(
        boxes_xyxy_px=tuple(np.ascontiguousarray(rows[:, :4]) for rows in per_frame),
        confidences=tuple(np.ascontiguousarray(rows[:, 4]) for rows in per_frame),
        fps=fps,
    )


def follow_frames(
    follow: FollowFrame,
    cached: CachedDetections,
    *,
    frames: Sequence[int],
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[MotRows, float]:
    """Feed the frames in order; return the tracks seen (MOT rows) and the seconds that the tracker took."""
    rows: list[MotRows] = []
    took_s = 0.0
    for frame in frames:
        boxes, confidences = cached.boxes_xyxy_px[frame - 1], cached.confidences[frame - 1]
        begun_s = clock()
        track_ids, seen_xyxy = follow(boxes, confidences, (frame - 1) / cached.fps)
        took_s += clock() - begun_s
        rows.append(mot_rows(frame, track_ids, seen_xyxy))
    return np.concatenate(rows), took_s


def mot_rows(frame: int, track_ids: Sequence[int], boxes_xyxy_px: NDArray[Any]) -> MotRows:
    """Return (N, 6) MOT rows of one frame's tracks."""
    boxes = np.asarray(boxes_xyxy_px, np.float64).reshape(-1, 4)
    head = np.column_stack((np.full(len(boxes), float(frame)), np.asarray(track_ids, np.float64)))
    return np.column_stack((head, boxes[:, :2], boxes[:, 2:] - boxes[:, :2]))


def score_tracks(tracks: MotRows, *, truth: MotRows, frames: Sequence[int]) -> TrackScores:
    """Score tracks on the given frames alone; rows of other frames count neither for nor against."""
    # Imported here: trackeval brings matplotlib, which no other command should wait for.
    from trackeval.metrics import CLEAR, HOTA, Identity  # noqa: PLC0415

    prepared = _for_trackeval(tracks, truth, frames)
    quiet = {"THRESHOLD": 0.5, "PRINT_CONFIG": False}
    hota = _evaluate(HOTA(), prepared)
    clear = _evaluate(CLEAR(quiet), prepared)
    identity = _evaluate(Identity(quiet), prepared)
    return TrackScores(
        hota=_mean(hota["HOTA"]),
        deta=_mean(hota["DetA"]),
        assa=_mean(hota["AssA"]),
        idf1=float(identity["IDF1"]),
        mota=float(clear["MOTA"]),
        id_switches=int(clear["IDSW"]),
        fragmentations=int(clear["Frag"]),
    )


def _follow_ours() -> FollowFrame:
    ids = itertools.count(1)
    tracker = Tracker(next_track_id=lambda: next(ids))

    def follow(
        boxes: NDArray[np.float32], confidences: NDArray[np.float32], at_s: float
    ) -> tuple[Sequence[int], NDArray[Any]]:
        step = tracker.update(boxes, confidences, at_s=at_s)
        seen = [track for track in step.tracks if track.detection_index >= 0]
        return [track.track_id for track in seen], np.array([track.box_xyxy_px for track in seen])

    return follow


def _evaluate(metric: object, prepared: dict[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", cast("Any", metric).eval_sequence(prepared))


def _mean(per_threshold: NDArray[np.float64]) -> float:
    return float(np.mean(per_threshold))


def _for_trackeval(tracks: MotRows, truth: MotRows, frames: Sequence[int]) -> dict[str, Any]:
    """Return what TrackEval's metrics read: per frame, ids from 0 without gaps, and similarities."""
    numbers = np.asarray(frames, np.float64)
    tracks, truth = tracks[np.isin(tracks[:, 0], numbers)], truth[np.isin(truth[:, 0], numbers)]
    track_ids, track_numbers = np.unique(tracks[:, 1], return_inverse=True)
    truth_ids, truth_numbers = np.unique(truth[:, 1], return_inverse=True)
    of_tracks = [tracks[:, 0] == frame for frame in frames]
    of_truth = [truth[:, 0] == frame for frame in frames]
    return {
        "num_timesteps": len(frames),
        "num_gt_ids": len(truth_ids),
        "num_gt_dets": len(truth),
        "gt_ids": [truth_numbers[rows] for rows in of_truth],
        "num_tracker_ids": len(track_ids),
        "num_tracker_dets": len(tracks),
        "tracker_ids": [track_numbers[rows] for rows in of_tracks],
        "similarity_scores": [
            iou_matrix(_corners(truth[left]), _corners(tracks[right]))
            for left, right in zip(of_truth, of_tracks, strict=True)
        ],
    }


def _corners(rows: MotRows) -> NDArray[np.float32]:
    return np.hstack((rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6])).astype(np.float32)
