"""`eval_crossings`: how many crossings of a line the pipeline of a node counts, against ground truth.

Truth is a CSV file with the columns `frame` (from 1, may lie between two) and `direction` (`L->R` or `R->L`), of foot
points that cross a level or upright line. A crossing counts as found when one of the same direction was told within a
second; each of either side counts once.

`eval_many_lines` asks the same of upright lines all over the picture, which is many more crossings: the truth is then
what the same rule of lines says of true tracks.
"""

import csv
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ruid_core.tracking import Crossing, Foot, Line, LineWatch
from ruid_edge.capture import make_source
from ruid_edge.capture.recordings import Playback
from ruid_edge.health.stages import StageTimes
from ruid_edge.inference import load_detector, load_embedder
from ruid_edge.pipeline import CameraPipeline, CameraRules, Models, ThumbnailPolicy
from ruid_tools.errors import ToolError
from ruid_tools.evaluation.track import MotRows, read_mot

WITHIN_S = 1.0
LINES_EVERY_PX = 32
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
    """`found` of `true` crossings, `told` by us in all, summed over the lines; `off_by_s` is the mean time by which
    found ones are off.
    """

    frames: int
    lines: int
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
    told = _count(video, [_upright("line", x)], last_frame, detector, threads)
    truth = {"line": [crossing for crossing in read_truth(gt, fps=told.fps) if crossing.at_s <= told.frames / told.fps]}
    return _report(truth, told)


def eval_many_lines(
    video: Path, tracks: Path, *, last_frame: int = 404, detector: str = "accurate", threads: int = 2
) -> CrossingReport:
    """Count the crossings of upright lines every 32 px of the picture, against true tracks (a MOT file).

    Raises `TrackEvaluationError`, `SourceMissing` or an `InferenceError`.
    """
    rows = read_mot(tracks)
    count = _count(video, None, last_frame, detector, threads)
    rows = rows[rows[:, 0] <= count.frames]
    return _report(true_crossings(rows, lines=count.lines, size_px=count.size_px, fps=count.fps), count)


def true_crossings(
    rows: MotRows, *, lines: Sequence[Line], size_px: tuple[int, int], fps: float
) -> dict[str, list[TrueCrossing]]:
    """Return what true tracks cross, by line, under the rule that our own are held to."""
    watch = LineWatch(lines, width_px=size_px[0], height_px=size_px[1])
    crossings: dict[str, list[TrueCrossing]] = {line.line_id: [] for line in lines}
    for frame in range(1, int(rows[:, 0].max(initial=0)) + 1):
        feet = [
            Foot(int(track_id), (left + width / 2, top + height), height)
            for _, track_id, left, top, width, height in rows[rows[:, 0] == frame].tolist()
        ]
        for crossing in watch.see(feet, at_s=(frame - 1) / fps):
            crossings[crossing.line_id].append(TrueCrossing(crossing.at_s, crossing.direction))
    return crossings


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


@dataclass(frozen=True, slots=True)
class _Count:
    """The crossings told, by line, and the frames they are of."""

    told: dict[str, list[TrueCrossing]]
    lines: tuple[Line, ...]
    frames: int
    fps: float
    size_px: tuple[int, int]


def _upright(line_id: str, x: float) -> Line:
    return Line(line_id, (x, 1.0), (x, 0.0))


def _report(truth: dict[str, list[TrueCrossing]], count: _Count) -> CrossingReport:
    offsets_s = [offset_s for line_id, told in count.told.items() for offset_s in match(truth[line_id], told)]
    all_true, all_told = list(itertools.chain(*truth.values())), list(itertools.chain(*count.told.values()))
    return CrossingReport(
        frames=count.frames,
        lines=len(count.lines),
        true=len(all_true),
        told=len(all_told),
        found=len(offsets_s),
        told_right=sum(crossing.direction > 0 for crossing in all_told),
        told_left=sum(crossing.direction < 0 for crossing in all_told),
        true_right=sum(crossing.direction > 0 for crossing in all_true),
        true_left=sum(crossing.direction < 0 for crossing in all_true),
        off_by_s=sum(map(abs, offsets_s)) / len(offsets_s) if offsets_s else None,
    )


def _count(video: Path, lines: Sequence[Line] | None, last_frame: int, detector: str, threads: int) -> _Count:
    """Run the pipeline of a node with these lines, or with many where none are given."""
    source = make_source(str(video), Playback(realtime=False, start_at_s=_START_AT_S), on_unreadable=lambda path: None)
    source.open()
    width_px, height_px = source.size_px
    watched = tuple(lines or (_upright(str(x), x / width_px) for x in range(LINES_EVERY_PX, width_px, LINES_EVERY_PX)))
    found = load_detector(detector, threads=threads, width_px=width_px, height_px=height_px)
    ids = itertools.count(1)
    rules = CameraRules(thumbnails=ThumbnailPolicy.OFF, lines=watched)
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
    by_line = {
        line.line_id: [
            TrueCrossing(crossing.at_s - _START_AT_S, crossing.direction)
            for crossing in told
            if crossing.line_id == line.line_id
        ]
        for line in watched
    }
    return _Count(by_line, watched, len(times_s), fps, (width_px, height_px))
