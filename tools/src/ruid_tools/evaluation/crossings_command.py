"""`ruid eval crossings`: how well crossings of a line are counted, against ground truth."""

from dataclasses import asdict
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from ruid_tools.evaluation.crossings import CrossingEvaluationError, eval_crossings, eval_many_lines


def crossings(
    *,
    video: Path,
    gt: Path | None = None,
    tracks: Path | None = None,
    x: float = 0.5,
    frames: int = 404,
    detector: str = "accurate",
    threads: int = 2,
    json: bool = False,
) -> None:
    """Count who crosses an upright line in a clip, or many lines, and compare with the truth.

    Parameters
    ----------
    video
        The clip.
    gt
        A CSV file with columns frame (from 1) and direction (L->R or R->L), of one line.
    tracks
        Or true tracks in MOT format, for lines every 32 pixels.
    x
        Where the one line is, in fractions of the picture's width.
    frames
        Work on so many frames from the start.
    detector
        accurate, fast or the path of an ONNX file.
    threads
        Threads of each network.
    json
        Print one JSON document and nothing else.
    """
    if gt is not None and tracks is None:
        report = eval_crossings(video, gt, x=x, last_frame=frames, detector=detector, threads=threads)
    elif tracks is not None and gt is None:
        report = eval_many_lines(video, tracks, last_frame=frames, detector=detector, threads=threads)
    else:
        raise CrossingEvaluationError("give either --gt, the crossings of one line, or --tracks")
    console = Console()
    if json:
        console.out(msgspec.json.encode(asdict(report)).decode(), highlight=False)
        return
    table = Table("measure", "value", title=f"crossings, {report.frames} frames")
    for name, value in asdict(report).items():
        table.add_row(name, f"{value:.3f}" if isinstance(value, float) else str(value))
    console.print(table)
