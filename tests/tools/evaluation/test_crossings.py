"""Crossings told are compared with the truth, one for one."""

from pathlib import Path

import numpy as np
import pytest

from ruid_core.tracking import Line
from ruid_tools.evaluation.crossings import (
    CrossingEvaluationError,
    TrueCrossing,
    eval_crossings,
    eval_many_lines,
    match,
    read_truth,
    true_crossings,
)
from ruid_tools.evaluation.crossings_command import crossings
from ruid_tools.footage import CLIPS_DIR


def test_each_crossing_counts_once_and_only_in_its_direction() -> None:
    truth = [TrueCrossing(1.0, 1), TrueCrossing(1.4, 1), TrueCrossing(5.0, -1), TrueCrossing(9.0, 1)]
    told = [TrueCrossing(1.1, 1), TrueCrossing(5.0, 1), TrueCrossing(5.2, -1), TrueCrossing(11.0, 1)]
    assert match(truth, told) == pytest.approx([0.1, 0.2])


def test_truth_is_read_in_seconds(tmp_path: Path) -> None:
    file = tmp_path / "gt.csv"
    file.write_text("frame,direction\n21,R->L\n11.5,L->R\n", encoding="utf-8")
    assert read_truth(file, fps=10) == [TrueCrossing(1.05, 1), TrueCrossing(2.0, -1)]


@pytest.mark.parametrize("text", ["frame\n1\n", "frame,direction\n1,up\n", "frame,direction\nx,L->R\n"])
def test_truth_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "gt.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CrossingEvaluationError, match=r"gt\.csv"):
        read_truth(file, fps=10)


def test_a_clip_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "gt.csv"
    file.write_text("frame,direction\n5,L->R\n", encoding="utf-8")
    report = eval_crossings(CLIPS_DIR / "west.mp4", file, last_frame=20, threads=1)
    assert (report.frames, report.lines, report.true) == (20, 1, 1)


def test_true_tracks_cross_lines_by_the_same_rule_as_ours() -> None:
    rows = np.array([[frame, 3, 10.0 * frame, 20, 20, 50] for frame in range(1, 12)])
    lines = [Line("near", (0.25, 1.0), (0.25, 0.0)), Line("far", (0.9, 1.0), (0.9, 0.0))]
    told = true_crossings(rows, lines=lines, size_px=(200, 100), fps=10)
    assert told["far"] == []
    assert [(round(crossing.at_s, 3), crossing.direction) for crossing in told["near"]] == [(0.3, 1)]


def test_a_clip_is_counted_on_many_lines(tmp_path: Path) -> None:
    file = tmp_path / "tracks.txt"
    file.write_text("".join(f"{frame},1,{20 * frame},100,40,90\n" for frame in range(1, 40)))
    report = eval_many_lines(CLIPS_DIR / "west.mp4", file, last_frame=10, threads=1)
    assert (report.frames, report.lines, report.true) == (10, 11, 5)


def test_one_truth_is_needed() -> None:
    with pytest.raises(CrossingEvaluationError, match="either --gt"):
        crossings(video=CLIPS_DIR / "west.mp4")
