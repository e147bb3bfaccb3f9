"""The journal of a run."""

from pathlib import Path

from ruid_tools.train.run_folder import JOURNAL, append_journal, read_journal


def test_journal_gives_back_what_was_written(tmp_path: Path) -> None:
    append_journal(tmp_path, {"step": 1, "loss_identity": 2.5})
    append_journal(tmp_path, {"step": 2, "mAP_one": 0.5})
    assert read_journal(tmp_path) == [{"step": 1, "loss_identity": 2.5}, {"step": 2, "mAP_one": 0.5}]


def test_line_cut_short_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    append_journal(tmp_path, {"step": 1})
    with (tmp_path / JOURNAL).open("a", encoding="utf-8") as journal:
        journal.write('{"step": 2, "loss')
    assert read_journal(tmp_path) == [{"step": 1}]
