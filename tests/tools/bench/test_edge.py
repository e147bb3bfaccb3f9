"""The node's benchmark runs, and compares only when it can."""

import sys
from pathlib import Path

import pytest

from ruid_tools.bench.edge import BenchError, EdgeBenchSettings, bench_edge
from ruid_tools.footage import CLIPS_DIR

CLIP = CLIPS_DIR / "east.mp4"


def test_our_own_figures_need_no_peer() -> None:
    report = bench_edge([CLIP, CLIP], EdgeBenchSettings(threads=1, most_frames=15))
    figures = report["ruid"]
    assert figures["frames"] == 30
    assert figures["fps"] > 0
    assert figures["frame_ms"]["p50"] <= figures["frame_ms"]["p95"]
    assert {"detect", "track", "embed"} <= set(figures["stage_ms"])
    assert figures["cpu_s_per_frame"] > 0
    assert figures["embeddings_per_frame"] > 0
    assert "peer" not in report


def test_half_a_peer_is_refused() -> None:
    with pytest.raises(BenchError, match="both"):
        bench_edge([CLIP], EdgeBenchSettings(peer_detector=Path("yolox.onnx")))


def test_a_peer_without_its_tracker_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    settings = EdgeBenchSettings(peer_detector=Path("yolox.onnx"), peer_embedder=Path("osnet.onnx"))
    with pytest.raises(BenchError, match="pip install supervision"):
        bench_edge([CLIP], settings)
