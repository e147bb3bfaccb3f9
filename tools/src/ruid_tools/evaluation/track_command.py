"""`ruid eval track`: how well people are followed, against ground truth in MOT format."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from ruid_tools.evaluation.track import OURS, TrackEvaluationError, TrackReport, eval_tracker_detections
from ruid_tools.evaluation.track_video import PipelineSettings, eval_pipeline


def track(  # noqa: PLR0913 - each is an option of the command
    *,
    gt: Path,
    detections: Path | None = None,
    video: Path | None = None,
    frames: str | None = None,
    every: int = 1,
    drop: float = 0.0,
    seed: int = 0,
    tracker: str = OURS,
    detector: str = "accurate",
    json: bool = False,
) -> None:
    """Score tracks against ground truth: HOTA, IDF1 and MOTA as fractions of 1, and frames per second.

    Give either cached detections, for a tracker alone, or a video, for the whole pipeline of a node.

    Parameters
    ----------
    gt
        The truth in MOT format: frame,id,left,top,width,height,...; frames count from 1.
    detections
        A .npz file of cached detections: `frame` (from 0), `box` (x1, y1, x2, y2, confidence), `n_frames`, `fps`.
    video
        A clip to run the shipped detector, tracker and embedder on.
    frames
        First and last frame, both included, as A:B; all of them if not given.
    every
        Keep every so many frames only.
    drop
        Leave out this fraction of the frames at random.
    seed
        Of the random choice.
    tracker
        ruid, or another tracker where it is installed: bytetrack, sort, ocsort, c-biou, supervision, norfair.
    detector
        For a video: accurate, fast, or the path of an ONNX file.
    json
        Print one JSON document and nothing else.
    """
    if (detections is None) == (video is None) or (video is not None and tracker != OURS):
        raise TrackEvaluationError("give either --detections or --video; another --tracker needs --detections")
    span = None if frames is None else read_span(frames)
    if video is not None:
        settings = PipelineSettings(detector=detector)
        report = eval_pipeline(video, gt, frames=span, every=every, drop=drop, seed=seed, settings=settings)
        print_report(report, as_json=json)
    elif detections is not None:
        report = eval_tracker_detections(
            detections, gt, frames=span, every=every, drop=drop, seed=seed, tracker=tracker
        )
        print_report(report, as_json=json)


def read_span(text: str) -> tuple[int, int]:
    """Read A:B, two frame numbers. Raises `TrackEvaluationError`."""
    first, colon, last = text.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal()):
        raise TrackEvaluationError(f"frames are given as first:last, as in 1:404; not as {text}")
    return int(first), int(last)


def print_report(report: TrackReport, *, as_json: bool, console: Console | None = None) -> None:
    """Print the report as a table, or as one JSON document."""
    console = console or Console()
    if as_json:
        console.out(msgspec.json.encode(asdict(report)).decode(), highlight=False)
        return
    table = Table("measure", "value", title=f"{report.tracker}, {report.frames} frames")
    for name, value in asdict(report).items():
        table.add_row(name, f"{value:.3f}" if isinstance(value, float) else str(value))
    console.print(table)
