"""The node's benchmark runs, and compares only when it can."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ruid_edge.capture import Frame
from ruid_edge.health.stages import StageTimes
from ruid_tools.bench.edge import EdgeBenchSettings, bench_edge
from ruid_tools.bench.edge_memory import allocations, pictures_read, soak
from ruid_tools.bench.edge_peer import BenchError, Contestant, OpenVinoCrops, Worked
from ruid_tools.footage import CLIPS_DIR

CLIP = CLIPS_DIR / "east.mp4"
FRAMES = [Frame(np.zeros((96, 128, 3), np.uint8), float(number), float(number), 1) for number in range(40)]


def test_our_own_figures_need_no_peer() -> None:
    report = bench_edge([CLIP, CLIP], EdgeBenchSettings(threads=1, most_frames=35, paced_s=0.5))
    figures = report["ruid"]
    assert figures["frames"] == 70
    assert figures["fps"] > 0
    assert figures["frame_ms"]["p50"] <= figures["frame_ms"]["p95"]
    assert {"prepare", "detect", "track", "embed", "wire"} <= set(figures["stage_ms"])
    assert figures["cpu_s_per_frame"] > 0
    assert figures["people_per_frame"] > figures["embeddings_per_frame"] > 0
    assert 0 < report["empty"]["share_of_the_busy_cpu"] < 1
    assert report["empty"]["embeddings_per_frame"] == 0
    assert report["allocations"]["whole_picture_copies"] == 0
    assert report["allocations"]["pictures_read"] == pytest.approx(1.0, abs=0.05)
    assert report["capture_to_wire"]["frames"] >= 1
    assert report["peak_memory_mb"] > 0
    assert report["peers"] == []


@pytest.mark.parametrize(
    "half", [EdgeBenchSettings(peer_detector=Path("a.onnx")), EdgeBenchSettings(peer_embedders=(Path("b.onnx"),))]
)
def test_half_a_peer_is_refused(half: EdgeBenchSettings) -> None:
    with pytest.raises(BenchError, match="both"):
        bench_edge([CLIP], half)


def test_a_peer_without_its_packages_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    monkeypatch.setitem(sys.modules, "openvino", None)
    settings = EdgeBenchSettings(
        peer_detector=Path("yolox.onnx"), peer_embedders=(Path("osnet.onnx"),), threads=1, most_frames=35, paced_s=0
    )
    with pytest.raises(BenchError, match="pip install supervision"):
        bench_edge([CLIP], settings)
    with pytest.raises(BenchError, match="pip install openvino"):
        OpenVinoCrops(Path("reid.xml"), threads=1)


def test_whoever_is_followed_is_scored_against_the_truth(tmp_path: Path) -> None:
    truth = tmp_path / "gt.txt"
    truth.write_text("1,1,0,0,50,90\n2,1,0,0,50,90\n")
    settings = EdgeBenchSettings(truth=truth, threads=1, most_frames=35, paced_s=0)
    scores = bench_edge([CLIP], settings)["ruid"]["tracks"]
    assert {"hota", "idf1", "mota", "id_switches"} == set(scores)
    with pytest.raises(BenchError, match="one --source"):
        bench_edge([CLIP, CLIP], settings)


def test_tracks_are_numbered_by_the_frames_of_a_clip() -> None:
    box = np.array([[0.0, 0.0, 50.0, 90.0]])
    contestant = Contestant("perfect", lambda frame: Worked(1, [7], box), StageTimes())
    contestant.take_turn(FRAMES[:2])
    contestant.take_turn(FRAMES[2:3])
    truth = np.array([[number, 1, 0, 0, 50, 90] for number in (1.0, 2.0, 3.0)])
    assert contestant.scores(truth) == {"hota": 1.0, "idf1": 1.0, "mota": 1.0, "id_switches": 0}
    assert (contestant.embedded, contestant.people) == (3, 3)


def test_a_copy_of_a_picture_is_noticed() -> None:
    assert allocations(lambda frame: frame.picture_bgr.copy(), FRAMES)["whole_picture_copies"] == 1
    assert allocations(lambda frame: frame.picture_bgr.max(), FRAMES)["whole_picture_copies"] == 0


def test_a_reading_that_copies_its_picture_is_noticed() -> None:
    def read() -> Frame:
        return replace(FRAMES[0], picture_bgr=FRAMES[0].picture_bgr.copy().copy())

    assert pictures_read(read, frames=5) == pytest.approx(2.0, abs=0.1)
    assert pictures_read(lambda: None, frames=5) is None


def test_memory_that_grows_is_noticed() -> None:
    hoard: list[bytearray] = []
    leaking = soak(lambda frame: hoard.append(bytearray(1 << 20)), lambda: FRAMES, for_s=0.2, fps=10)
    assert leaking["growth_mb_per_hour"] > 10_000
    assert leaking["end_mb"] > leaking["start_mb"]
