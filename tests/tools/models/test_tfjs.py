"""Weights in the format of TensorFlow.js."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ruid_tools.models.tfjs import read_weights


def _write(folder: Path, entries: list[dict[str, Any]], stored: bytes) -> Path:
    (folder / "weights.bin").write_bytes(stored)
    model = folder / "model.json"
    model.write_text(json.dumps({"weightsManifest": [{"paths": ["weights.bin"], "weights": entries}]}))
    return model


def test_weights_come_back_by_name_in_their_types(tmp_path: Path) -> None:
    halves = np.array([[1.5, -2.0], [0.25, 8.0]], np.float16)
    entries: list[dict[str, Any]] = [
        {"name": "kernel", "shape": [2, 2], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {"name": "steps", "shape": [3], "dtype": "int32"},
        {"name": "one", "shape": [], "dtype": "float32"},
        {"name": "on", "shape": [2], "dtype": "bool"},
    ]
    stored = halves.tobytes() + np.array([1, 2, 3], "<i4").tobytes() + np.float32(7).tobytes() + b"\x01\x00"
    weights = read_weights(_write(tmp_path, entries, stored))
    assert {name: values.dtype.name for name, values in weights.items()} == {
        "kernel": "float32",
        "steps": "int32",
        "one": "float32",
        "on": "bool",
    }
    np.testing.assert_array_equal(weights["kernel"], halves)
    assert weights["steps"].tolist() == [1, 2, 3]
    assert weights["one"] == 7
    assert weights["on"].tolist() == [True, False]


def test_weights_in_several_files_follow_one_another(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(np.float32(1).tobytes())
    (tmp_path / "b.bin").write_bytes(np.float32(2).tobytes())
    entries = [{"name": name, "shape": [1], "dtype": "float32"} for name in ("first", "second")]
    model = tmp_path / "model.json"
    model.write_text(json.dumps({"weightsManifest": [{"paths": ["a.bin", "b.bin"], "weights": entries}]}))
    assert [float(values[0]) for values in read_weights(model).values()] == [1, 2]


def test_weights_that_were_compressed_another_way_are_refused(tmp_path: Path) -> None:
    entries = [{"name": "kernel", "shape": [1], "dtype": "float32", "quantization": {"dtype": "uint8"}}]
    with pytest.raises(ValueError, match="kernel is stored as uint8"):
        read_weights(_write(tmp_path, entries, b"\x01"))
