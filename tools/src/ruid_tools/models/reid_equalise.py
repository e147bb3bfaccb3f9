"""Two ways to lose less to 8 bits. Runs in the workshop.

Before: equal ranges for the channels between the two halves of a lite convolution. The 1×1 half is linear and the 3×3
half works on each channel alone, so that a channel scaled up in the one and down in the other changes nothing but its
share of the tensor's range (after Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
Correction", ICCV 2019).

After: the float head is fitted anew to what the 8-bit network gives it, so that what is systematic in the loss does not
reach the embeddings.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from ruid_tools.models.calibration import Picture
from ruid_tools.models.qdq import Ranges, stored_bytes
from ruid_tools.models.reid_osnet import NORM_EPSILON, CropSize, Floats, Weights, build_graph, lite_convolutions

_LEAST_SHARE = 1e-3
_RIDGE = 0.1


def equalised(weights: Weights, size: CropSize, crops: Sequence[Picture]) -> Weights:
    """Return weights of the same network in which those channels reach equally far on the given crops."""
    factors = dict(_factors(weights, size, crops))
    changed = dict(weights)
    for tensor, places in lite_convolutions():
        for place, part in zip(places, np.split(factors[tensor], len(places)), strict=True):
            column = part[:, None, None, None]
            changed[f"{place}.0.weight"] = weights[f"{place}.0.weight"] * column
            changed[f"{place}.1.weight"] = weights[f"{place}.1.weight"] / column
    return changed


def refitted(weights: Weights, size: CropSize, ranges: Ranges, crops: Sequence[Picture]) -> Weights:
    """Return weights whose head makes of the 8-bit network's vectors what the float head makes of the float ones."""
    _, wanted = _outputs(build_graph(weights, size), ["vectors", "head"], crops)
    vectors, given = _outputs(build_graph(weights, size, ranges), ["vectors", "head"], crops)
    inputs = np.hstack([vectors, np.ones((len(vectors), 1), np.float32)]).astype(np.float64)
    squares = inputs.T @ inputs
    ridge = _RIDGE * np.trace(squares) / len(squares) * np.eye(len(squares))
    missed: Any = inputs.T @ (wanted - given)
    change: Floats = np.asarray(np.linalg.inv(squares + ridge) @ missed, np.float32)
    factors = weights["neck.weight"] / np.sqrt(weights["neck.running_var"] + NORM_EPSILON)
    head = weights["head.weight"] + change[:-1].T / factors[:, None]
    return {**weights, "head.weight": head.astype(np.float32), "neck.bias": weights["neck.bias"] + change[-1]}


def _outputs(model: ModelProto, names: Sequence[str], crops: Sequence[Picture]) -> list[Floats]:
    session = _watching(model, names)
    rows: list[list[Floats]] = [session.run(names, {"images": crop[None]}) for crop in crops]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def _factors(weights: Weights, size: CropSize, crops: Sequence[Picture]) -> Iterator[tuple[str, Floats]]:
    names = [tensor for tensor, _ in lite_convolutions()]
    session = _watching(build_graph(weights, size), names)
    reaches = [np.zeros(1, np.float32)] * len(names)
    for crop in crops:
        outputs: list[NDArray[Any]] = session.run(names, {"images": crop[None]})
        reaches = [
            np.maximum(reach, np.abs(tensor).max(axis=(0, 2, 3)))
            for reach, tensor in zip(reaches, outputs, strict=True)
        ]
    for name, reach in zip(names, reaches, strict=True):
        yield name, (reach.max() / np.maximum(reach, _LEAST_SHARE * reach.max())).astype(np.float32)


def _watching(model: ModelProto, names: Sequence[str]) -> Any:
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    return ort.InferenceSession(stored_bytes(model), providers=["CPUExecutionProvider"])
