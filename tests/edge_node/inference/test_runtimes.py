"""Runtimes behind one protocol: they agree, and say plainly what is missing."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from ruid_edge.inference import RUNTIMES, open_runtime
from ruid_edge.inference.errors import NotAModelError, RuntimeMissingError
from tooling import require_module

TWO_OUTPUTS = (
    "7767517\n4 5\nInput in0 0 1 in0\nBinaryOp less 1 1 in0 a 0=1 1=1 2=100.0\nSplit both 1 2 a out0 b\n"
    "Pooling mean 1 1 b out1 0=1 4=1\n"
)
MEAN_OF_PLANES = "7767517\n2 2\nInput in0 0 1 in0\nPooling mean 1 1 in0 out0 0=1 4=1\n"


class Networks(Protocol):
    """What the fixture gives."""

    def answering_mean_colour(self, taken: Sequence[int | str], *, channels_last: bool = ...) -> Path:
        """Write a network of means."""
        ...


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 16, 8, 3)).astype(np.uint8)


def test_openvino_answers_as_onnxruntime_does(networks: Networks, crops: np.ndarray) -> None:
    require_module("openvino", hint="pip install openvino")
    path = networks.answering_mean_colour(["batch", 16, 8, 3], channels_last=True)
    answers = [open_runtime(name, path, threads=1).run(crops)[0] for name in ("onnxruntime", "openvino")]
    np.testing.assert_allclose(answers[1], answers[0], atol=0.5)


def test_openvino_keeps_the_order_of_a_batch_of_any_size(networks: Networks) -> None:
    require_module("openvino", hint="pip install openvino")
    path = networks.answering_mean_colour(["batch", 16, 8, 3], channels_last=True)
    shades = np.arange(11, dtype=np.uint8)[:, None, None, None] * np.ones((1, 16, 8, 3), np.uint8)
    opened = open_runtime("openvino", path, threads=1)
    for count in (1, 3, 4, 11):
        np.testing.assert_allclose(opened.run(shades[:count])[0], shades[:count, 0, 0], atol=0.5)


def test_openvino_takes_a_batch_that_the_network_fixes(networks: Networks, crops: np.ndarray) -> None:
    require_module("openvino", hint="pip install openvino")
    path = networks.answering_mean_colour([2, 16, 8, 3], channels_last=True)
    (answer,) = open_runtime("openvino", path, threads=1).run(crops)
    np.testing.assert_allclose(answer, crops.mean(axis=(1, 2)), atol=0.5)


def test_ncnn_runs_the_converted_file_beside_the_onnx(networks: Networks, crops: np.ndarray) -> None:
    require_module("ncnn", hint="pip install ncnn")
    path = networks.answering_mean_colour(["batch", 16, 8, 3], channels_last=True)
    path.with_suffix(".ncnn.param").write_text(MEAN_OF_PLANES)
    path.with_suffix(".ncnn.bin").write_bytes(b"")
    (answer,) = open_runtime("ncnn", path, threads=1).run(crops)
    np.testing.assert_allclose(answer, open_runtime("onnxruntime", path, threads=1).run(crops)[0], atol=0.1)


def test_ncnn_takes_planes_as_they_are(networks: Networks, crops: np.ndarray) -> None:
    require_module("ncnn", hint="pip install ncnn")
    path = networks.answering_mean_colour([1, 3, "height", "width"])
    path.with_suffix(".ncnn.param").write_text(MEAN_OF_PLANES)
    path.with_suffix(".ncnn.bin").write_bytes(b"")
    opened = open_runtime("ncnn", path, threads=1, sides={"height": 16, "width": 8})
    assert opened.inputs[0].shape == (1, 3, 16, 8)
    (answer,) = opened.run(crops[:1].transpose(0, 3, 1, 2).astype(np.float32))
    np.testing.assert_allclose(answer[0], crops[0].mean(axis=(0, 1)), atol=0.1)


def test_ncnn_answers_in_the_order_of_the_onnx_and_leaves_its_input_alone(networks: Networks) -> None:
    require_module("ncnn", hint="pip install ncnn")
    path = networks.answering_mean_colour([1, 3, 16, 8])
    path.with_suffix(".ncnn.param").write_text(TWO_OUTPUTS)
    path.with_suffix(".ncnn.bin").write_bytes(b"")
    taken = np.full((1, 3, 16, 8), 120, np.float32)
    lighter, mean = open_runtime("ncnn", path, threads=1).run(taken)
    np.testing.assert_array_equal(lighter, np.full((1, 3, 16, 8), 20))
    np.testing.assert_allclose(mean.ravel(), np.full(3, 20), atol=0.1)
    np.testing.assert_array_equal(taken, np.full((1, 3, 16, 8), 120))


def test_ncnn_without_a_converted_file_says_how_to_get_one(networks: Networks) -> None:
    require_module("ncnn", hint="pip install ncnn")
    path = networks.answering_mean_colour(["batch", 16, 8, 3], channels_last=True)
    with pytest.raises(RuntimeMissingError, match=r"convert colours\.onnx with pnnx to colours\.ncnn\.param, or use"):
        open_runtime("ncnn", path, threads=1)


def test_a_file_that_ncnn_does_not_know_is_told(networks: Networks) -> None:
    require_module("ncnn", hint="pip install ncnn")
    path = networks.answering_mean_colour(["batch", 16, 8, 3], channels_last=True)
    path.with_suffix(".ncnn.param").write_text("7767517\n2 2\nInput in0 0 1 in0\nDance d 1 1 in0 out0\n")
    with pytest.raises(NotAModelError, match="ncnn does not know one of its layers"):
        open_runtime("ncnn", path, threads=1)


@pytest.mark.parametrize("name", ["openvino", "ncnn"])
def test_a_runtime_that_is_not_installed_says_how_to_install_it(
    name: str, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = networks.answering_mean_colour(["batch", 16, 8, 3], channels_last=True)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RuntimeMissingError, match=f"install it with: pip install {name}"):
        open_runtime(name, path, threads=1)


def test_an_unknown_runtime_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RuntimeMissingError, match=", ".join(RUNTIMES)):
        open_runtime("abacus", tmp_path / "any.onnx", threads=1)


def test_nothing_about_the_use_of_the_networks_is_kept_for_anybody() -> None:
    asked = "import os, ruid_edge.inference; print(os.environ['ORT_DISABLE_TELEMETRY'])"

    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)

    assert told.stdout.strip() == "1"
