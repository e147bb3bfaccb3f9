"""`eval_crossings`: how many crossings of a line the pipeline of a node counts, against ground truth.

Truth is a CSV file with the columns `frame` (from 1, may lie between two) and `direction` (`L->R` or `R->L`), of foot
points that cross a level or upright line. A crossing counts as found when one of the same direction was told within a
second; each of either side counts once.
"""

import csv
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ruid_core.tracking import Crossing, Line
from ruid_edge.capture import make_source
from ruid_edge.capture.recordings import Playback
from ruid_edge.health.stages import StageTimes
from ruid_edge.inference import load_detector, load_embedder
from ruid_edge.pipeline import CameraPipeline, CameraRules, Models, ThumbnailPolicy
from ruid_tools.errors import ToolError

WITHIN_S = 1.0
_START_AT_S = 1.0
_DIRECTIONS = {"L->R": 1, "R->L": -1}


class CrossingEvaluationError(ToolError):
    """The truth cannot be read."""


@dataclass(frozen=True, slots=True)
class TrueCrossing:
    """Seconds since the first frame, 1 for left to right and -1 for right to left."""

    at_s: float
    direction: int


@dataclass(frozen=True, slots=True)
class CrossingReport:
    """`found` of `true` crossings, `told` by us in all; `off_by_s` is the mean time by which found ones are off."""

    frames: int
    true: int
    told: int
    found: int
    told_right: int
    told_left: int
    true_right: int
    true_left: int
    off_by_s: float | None


def eval_crossings(
    video: Path, gt: Path, *, x: float = 0.5, last_frame: int = 404, detector: str = "accurate", threads: int = 2
) -> CrossingReport:
    """Count the crossings of an upright line at `x` (fraction of the width) in frames 1 to `last_frame`.

    Raises `CrossingEvaluationError`, `SourceMissing` or an `InferenceError`.
    """
    told, frames, fps = _count(video, Line("line", (x, 1.0), (x, 0.0)), last_frame, detector, threads)
    truth = [crossing for crossing in read_truth(gt, fps=fps) if crossing.at_s <= frames / fps]
    offsets_s = match(truth, told)
    return CrossingReport(
        frames=frames,
        true=len(truth),
        told=len(told),
        found=len(offsets_s),
        told_right=sum(crossing.direction > 0 for crossing in told),
        told_left=sum(crossing.direction < 0 for crossing in told),
        true_right=sum(crossing.direction > 0 for crossing in truth),
        true_left=sum(crossing.direction < 0 for crossing in truth),
        off_by_s=sum(map(abs, offsets_s)) / len(offsets_s) if offsets_s else None,
    )


def read_truth(path: Path, *, fps: float) -> list[TrueCrossing]:
    """Read the true crossings, sorted by time. Raises `CrossingEvaluationError`."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                TrueCrossing((float(row["frame"]) - 1) / fps, _DIRECTIONS[row["direction"]])
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError) as error:
        raise CrossingEvaluationError(f"{path} holds no crossings (frame, direction): {error!r}") from error
    return sorted(rows, key=lambda crossing: crossing.at_s)


def match(truth: Sequence[TrueCrossing], told: Sequence[TrueCrossing]) -> list[float]:
    """Return for each true crossing that was told by how many seconds it is off; the nearest pairs are made first."""
    pairs = sorted(
        (abs(one.at_s - other.at_s), left, right)
        for (left, one), (right, other) in itertools.product(enumerate(truth), enumerate(told))
        if one.direction == other.direction and abs(one.at_s - other.at_s) <= WITHIN_S
    )
    taken_left, taken_right = set[int](), set[int]()
    offsets_s: list[float] = []
    for _, left, right in pairs:
        if left not in taken_left and right not in taken_right:
            taken_left.add(left)
            taken_right.add(right)
            offsets_s.append(told[right].at_s - truth[left].at_s)
    return offsets_s


def _count(
    video: Path, line: Line, last_frame: int, detector: str, threads: int
) -> tuple[list[TrueCrossing], int, float]:
    """Return the crossings told, the frames worked on and their rate."""
    source = make_source(str(video), Playback(realtime=False, start_at_s=_START_AT_S), on_unreadable=lambda path: None)
    source.open()
    width_px, height_px = source.size_px
    found = load_detector(detector, threads=threads, width_px=width_px, height_px=height_px)
    ids = itertools.count(1)
    rules = CameraRules(thumbnails=ThumbnailPolicy.OFF, lines=(line,))
    pipeline = CameraPipeline(
        Models(found, load_embedder("reid-osnet", threads=threads)),
        size_px=(width_px, height_px),
        next_track_id=lambda: next(ids),
        stages=StageTimes(),
        rules=lambda: rules,
    )
    told: list[Crossing] = []
    times_s: list[float] = []
    for frame in itertools.islice(iter(source.read, None), last_frame):
        told += pipeline.take(frame).crossings
        times_s.append(frame.captured_at_s)
    source.close()
    fps = (len(times_s) - 1) / (times_s[-1] - times_s[0]) if len(times_s) > 1 else 1.0
    crossings = [TrueCrossing(crossing.at_s - _START_AT_S, crossing.direction) for crossing in told]
    return crossings, len(times_s), fps
