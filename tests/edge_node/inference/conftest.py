"""Tiny networks, written when a test asks for them."""

from collections.abc import Sequence
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import pytest

from tooling import missing

Shape = Sequence[int | str]


class Networks:
    """Writes ONNX files into a test's folder."""

    def __init__(self, folder: Path, onnx: Any) -> None:
        self._folder = folder
        self._onnx = onnx
        self._helper = onnx.helper
        self._kinds = onnx.TensorProto

    def answering_zeros(self, taken: Shape, given: Sequence[Sequence[int]], *, kind: str = "FLOAT") -> Path:
        """Write a network that answers with zeros of the given shapes, whatever it takes."""
        nodes: list[Any] = []
        outputs: list[Any] = []
        for number, shape in enumerate(given):
            zeros = self._helper.make_tensor(f"zeros{number}", self._kinds.FLOAT, list(shape), [0.0] * prod(shape))
            nodes.append(self._helper.make_node("Constant", [], [f"out{number}"], value=zeros))
            outputs.append(self._helper.make_tensor_value_info(f"out{number}", self._kinds.FLOAT, list(shape)))
        return self._save("zeros", nodes, self._input(taken, kind), outputs)

    def answering_mean_colour(self, taken: Shape, *, channels_last: bool = False) -> Path:
        """Write an embedder whose vector is a crop's mean blue, green and red."""
        axes = [1, 2] if channels_last else [2, 3]
        nodes = [
            self._helper.make_node("Cast", ["images"], ["numbers"], to=self._kinds.FLOAT),
            self._helper.make_node("ReduceMean", ["numbers"], ["means"], axes=axes, keepdims=0),
        ]
        outputs = [self._helper.make_tensor_value_info("means", self._kinds.FLOAT, [taken[0], 3])]
        return self._save("colours", nodes, self._input(taken, "UINT8" if channels_last else "FLOAT"), outputs)

    def _input(self, shape: Shape, kind: str) -> Any:
        return self._helper.make_tensor_value_info("images", getattr(self._kinds, kind), list(shape))

    def _save(self, name: str, nodes: list[Any], taken: Any, given: list[Any]) -> Path:
        graph = self._helper.make_graph(nodes, name, [taken], given)
        opset = self._helper.make_opsetid("", 17)
        model = self._helper.make_model(graph, opset_imports=[opset], ir_version=8)
        path = self._folder / f"{name}.onnx"
        path.write_bytes(model.SerializeToString())
        return path


@pytest.fixture
def networks(tmp_path: Path) -> Networks:
    """Writes tiny networks; skips the test where the onnx library is not there."""
    try:
        onnx = import_module("onnx")
    except ImportError:
        missing("onnx is not installed")
        raise
    return Networks(tmp_path, onnx)
