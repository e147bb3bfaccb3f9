"""Crossings told are compared with the truth, one for one."""

from pathlib import Path

import pytest

from ruid_tools.evaluation.crossings import (
    CrossingEvaluationError,
    TrueCrossing,
    eval_crossings,
    match,
    read_truth,
)
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
    assert (report.frames, report.true) == (20, 1)
