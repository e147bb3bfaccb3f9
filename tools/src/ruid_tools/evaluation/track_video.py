"""Tracks of the whole pipeline on a clip: our detector, our tracker, our embedder, as a node runs them."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ruid_edge.capture import Frame, make_source
from ruid_edge.capture.recordings import Playback
from ruid_edge.health.stages import StageTimes
from ruid_edge.inference import load_detector, load_embedder
from ruid_edge.pipeline import CameraPipeline, Models
from ruid_tools.evaluation.track import (
    OURS,
    MotRows,
    TrackEvaluationError,
    TrackReport,
    choose_frames,
    mot_rows,
    read_mot,
    report_scores,
    score_tracks,
)


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """The models of the run: names of shipped ones or paths, and threads for each."""

    detector: str = "accurate"
    embedder: str = "reid-osnet"
    threads: int = 2


def eval_pipeline(
    video: Path,
    gt: Path,
    *,
    frames: tuple[int, int] | None = None,
    every: int = 1,
    drop: float = 0.0,
    seed: int = 0,
    settings: PipelineSettings | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> TrackReport:
    """Run the pipeline over the chosen frames of a clip and score its tracks against the truth of the same frames.

    Only people who are seen in a frame count in it, as for every other tracker. Raises `TrackEvaluationError`,
    `SourceMissing` or an `InferenceError`.
    """
    truth = read_mot(gt)
    span = frames or (1, int(truth[:, 0].max()))
    chosen = choose_frames(span, every=every, drop=drop, seed=seed)
    tracks, took_s, tracker_s = _follow(video, set(chosen), settings or PipelineSettings(), clock)
    scores = score_tracks(tracks, truth=truth, frames=chosen)
    return report_scores(
        scores,
        tracker=OURS,
        frames=len(chosen),
        fps_tracker=len(chosen) / tracker_s,
        fps_pipeline=len(chosen) / took_s,
    )


def _follow(
    video: Path, chosen: set[int], settings: PipelineSettings, clock: Callable[[], float]
) -> tuple[MotRows, float, float]:
    """Return the tracks as MOT rows, and the seconds of the whole pipeline and of the tracker alone."""
    source = make_source(str(video), Playback(realtime=False, start_at_s=1.0), on_unreadable=lambda path: None)
    source.open()
    stages = StageTimes(window=len(chosen))
    pipeline = _make_pipeline(settings, source.size_px, stages)
    rows: list[MotRows] = []
    took_s = 0.0
    for number in itertools.count(1):
        frame = source.read()
        if frame is None or number > max(chosen):
            break
        if number in chosen:
            begun_s = clock()
            rows.append(_rows(number, pipeline, frame))
            took_s += clock() - begun_s
    source.close()
    if len(rows) != len(chosen):
        raise TrackEvaluationError(f"{video} has {len(rows)} of the {len(chosen)} frames asked for")
    return np.concatenate(rows), took_s, stages.total_s("track")


def _make_pipeline(settings: PipelineSettings, size_px: tuple[int, int], stages: StageTimes) -> CameraPipeline:
    detector = load_detector(settings.detector, threads=settings.threads, width_px=size_px[0], height_px=size_px[1])
    embedder = load_embedder(settings.embedder, threads=settings.threads)
    ids = itertools.count(1)
    return CameraPipeline(Models(detector, embedder), size_px=size_px, next_track_id=lambda: next(ids), stages=stages)


def _rows(number: int, pipeline: CameraPipeline, frame: Frame) -> MotRows:
    height, width = frame.picture_bgr.shape[:2]
    seen = [person for person in pipeline.take(frame).people if person.seen]
    boxes_px = np.array([person.box_rel for person in seen]).reshape(-1, 4) * (width, height, width, height)
    return mot_rows(number, [person.track_id for person in seen], boxes_px)
