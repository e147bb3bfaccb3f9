"""What the comparison of runtimes counts and says."""

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ruid_edge.inference import find_model, load_detector, open_runtime
from ruid_tools.bench.edge_peer import BenchError
from ruid_tools.bench.float_twin import float_twin
from ruid_tools.bench.runtimes import Workload, bench_runtimes, shipped_workloads
from ruid_tools.bench.runtimes_command import runtimes
from tooling import require_module


@pytest.fixture
def workload() -> Workload:
    shipped = find_model("reid-osnet").path
    return Workload("embedder", shipped, shipped.with_name("reid-osnet.fp32.onnx"), np.zeros((1, 160, 64, 3), np.uint8))


def test_ratios_are_of_times_of_the_same_run(workload: Workload) -> None:
    ticks = itertools.count()
    report = bench_runtimes(
        [workload], runtimes=["onnxruntime"], threads=[1], rounds=3, clock=lambda: float(next(ticks))
    )
    fp32, int8 = report["figures"]
    assert (fp32.precision, int8.precision) == ("fp32", "int8")
    assert fp32.ms == int8.ms == 1000
    assert fp32.times_reference == int8.times_fp32 == 1
    assert 0 < fp32.cpu_ms < fp32.ms


def test_a_runtime_that_is_missing_is_left_out_with_its_reason(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    report = bench_runtimes([workload], runtimes=["onnxruntime", "openvino"], threads=[1], rounds=1)
    assert {figure.runtime for figure in report["figures"]} == {"onnxruntime"}
    assert "pip install openvino" in report["left_out"][0]["reason"]
    assert report["versions"]["openvino"] is None


def test_the_float_twin_answers_like_its_8_bit_network(tmp_path: Path) -> None:
    require_module("onnx", hint="pip install onnx")
    shipped = find_model("accurate").path
    twin = float_twin(shipped, tmp_path / "twin.onnx")
    assert twin is not None
    picture = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3)).astype(np.uint8)
    sides = {"height": 64, "width": 96}
    eight, floats = (open_runtime("onnxruntime", path, threads=1, sides=sides).run(picture) for path in (shipped, twin))
    assert np.abs(eight[0] - floats[0]).max() < 0.1
    assert np.corrcoef(eight[1].ravel(), floats[1].ravel())[0, 1] > 0.98


def test_without_the_onnx_library_the_detector_is_timed_in_8_bits_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    detector, *_ = shipped_workloads(tmp_path)
    assert list(detector.files()) == ["int8"]


def test_an_unknown_runtime_is_told() -> None:
    with pytest.raises(BenchError, match="no runtime 'abacus'"):
        runtimes(runtime=["abacus"])


@pytest.mark.parametrize("numbers", [{"threads": [1, 0]}, {"threads": [-1]}, {"rounds": 0}])
def test_fewer_than_one_thread_or_round_is_refused(numbers: dict[str, Any]) -> None:
    with pytest.raises(BenchError, match="must be 1 or more"):
        runtimes(**numbers)


def test_the_detector_is_timed_in_the_shape_that_a_4_to_3_camera_gets(tmp_path: Path) -> None:
    detector, *_ = shipped_workloads(tmp_path)
    used = load_detector("accurate", threads=1, width_px=640, height_px=480).input_size
    assert detector.tensor.shape == (1, used.height_px, used.width_px, 3)
    assert detector.name == f"detector {used.width_px}×{used.height_px}"
