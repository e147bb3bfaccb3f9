"""Figures for the detector's cards, where the data sets are not at hand."""

from pathlib import Path

import pytest

from ruid_edge.inference import find_model
from ruid_tools.evaluation import detector_figures
from ruid_tools.evaluation.detector_figures import measure_figures


def test_what_is_not_there_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector_figures, "_VTEST", tmp_path / "vtest.avi")
    shipped = find_model("accurate").path
    figures = measure_figures(shipped, shipped, tmp_path, rounds=1)
    assert set(figures) == {"detector-accurate", "detector-fast"}
    for figure in figures.values():
        assert figure["accuracy"] == {}
        assert "int8, 4:3" in figure["speed"]["ratios"]
        assert figure["speed"]["ratios"]["float, square"] == 1
