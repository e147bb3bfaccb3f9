"""The float twin of an 8-bit network: its weights as floats, and nothing between its operators but what clipped."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


def float_twin(int8_file: Path, out: Path) -> Path | None:
    """Write the float twin of a QDQ graph to `out`; return None where the onnx library is not installed.

    What reads the picture's bytes stays. A pair of steps on an activation whose zero point is 0 cuts off what is
    negative, so a ReLU takes its place.
    """
    try:
        onnx: Any = importlib.import_module("onnx")
    except ImportError:
        return None
    model = onnx.load(str(int8_file))
    constants = {array.name: onnx.numpy_helper.to_array(array) for array in model.graph.initializer}
    produced = {node.output[0]: node for node in model.graph.node if node.op_type == _QUANTIZE}
    nodes: list[Any] = []
    for node in model.graph.node:
        if node.op_type == _QUANTIZE:
            continue
        if node.op_type != _DEQUANTIZE:
            nodes.append(node)
        elif node.input[0] in constants:
            floats = _dequantised(constants, node)
            model.graph.initializer.append(onnx.numpy_helper.from_array(floats, node.output[0]))
        elif node.input[0] not in produced:
            nodes.append(node)
        else:
            given = produced[node.input[0]].input
            cuts = constants[given[2]].dtype == np.uint8 and constants[given[2]].max() == 0
            nodes.append(onnx.helper.make_node("Relu" if cuts else "Identity", [given[0]], [node.output[0]]))
    _keep_used(model.graph, nodes)
    onnx.save(model, str(out))
    return out


def _dequantised(constants: dict[str, NDArray[Any]], node: Any) -> NDArray[np.float32]:
    values, scale = constants[node.input[0]], constants[node.input[1]]
    zero = constants[node.input[2]] if len(node.input) > 2 and node.input[2] else np.zeros_like(scale)
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
    if scale.ndim:
        across = [-1 if place == axis else 1 for place in range(values.ndim)]
        scale, zero = scale.reshape(across), zero.reshape(across)
    return ((values.astype(np.float32) - zero.astype(np.float32)) * scale).astype(np.float32)


def _keep_used(graph: Any, nodes: list[Any]) -> None:
    """Replace the graph's nodes, and drop constants that no node takes any more."""
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [array for array in graph.initializer if array.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
