"""Three ways to lose less to 8 bits. Runs in the workshop.

Before: equal ranges for the channels between the two halves of a lite convolution. The 1×1 half is linear and the 3×3
half works on each channel alone, so that a channel scaled up in the one and down in the other changes nothing but its
share of the tensor's range (after Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
Correction", ICCV 2019).

Before, too: equal reach for the two tensors that a block with a convolution as its shortcut joins into one, by a factor
in the batch norm that one of them comes from.

After: the float head is fitted anew to what the 8-bit network gives it, so that what is systematic in the loss does not
reach the embeddings.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from ruid_tools.models.calibration import KEPT_SHARE, Picture, measure_ranges, watching
from ruid_tools.models.reid_osnet import (
    SHORTCUT_SOURCES,
    CropSize,
    Floats,
    Weights,
    build_graph,
    lite_convolutions,
)

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
    return _levelled(changed, size, crops)


def _levelled(weights: Weights, size: CropSize, crops: Sequence[Picture]) -> Weights:
    blocks = [block for block in SHORTCUT_SOURCES if f"trunk.stages.{block}.shortcut.0.weight" in weights]
    names = [name for block in blocks for name in (f"b{block}.sum", SHORTCUT_SOURCES[block][0])]
    ranges = measure_ranges(build_graph(weights, size), names, crops, share=KEPT_SHARE)
    changed = dict(weights)
    for block in blocks:
        read, norm = SHORTCUT_SOURCES[block]
        factor = ranges[f"b{block}.sum"][1] / ranges[read][1]
        scaled = {f"{norm}.{part}": factor for part in ("weight", "bias")}
        scaled |= {f"trunk.stages.{block}.{part}.0.weight": 1 / factor for part in ("reduce", "shortcut")}
        changed |= {place: (weights[place] * by).astype(np.float32) for place, by in scaled.items()}
    return changed


def refit_head(quantised: ModelProto, graph: ModelProto, crops: Sequence[Picture]) -> None:
    """Change the head of `quantised` to make of its vectors what the head of `graph` makes of the float ones."""
    (wanted,) = _outputs(graph, ["head"], crops)
    vectors, given = _outputs(quantised, ["vectors", "head"], crops)
    inputs = np.hstack([vectors, np.ones((len(vectors), 1), np.float32)]).astype(np.float64)
    squares = inputs.T @ inputs
    ridge = _RIDGE * np.trace(squares) / len(squares) * np.eye(len(squares))
    missed: Any = inputs.T @ (wanted - given)
    change: Floats = np.asarray(np.linalg.inv(squares + ridge) @ missed, np.float32)
    stored = {constant.name: constant for constant in quantised.graph.initializer}
    for name, part in (("head.matrix", change[:-1]), ("head.bias", change[-1])):
        stored[name].CopyFrom(numpy_helper.from_array(numpy_helper.to_array(stored[name]) + part, name))


def _outputs(model: ModelProto, names: Sequence[str], crops: Sequence[Picture]) -> list[Floats]:
    session = watching(model, names)
    rows: list[list[Floats]] = [session.run(names, {"images": crop[None]}) for crop in crops]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def _factors(weights: Weights, size: CropSize, crops: Sequence[Picture]) -> Iterator[tuple[str, Floats]]:
    names = [tensor for tensor, _ in lite_convolutions()]
    session = watching(build_graph(weights, size), names)
    reaches = [np.zeros(1, np.float32)] * len(names)
    for crop in crops:
        outputs: list[NDArray[Any]] = session.run(names, {"images": crop[None]})
        reaches = [
            np.maximum(reach, np.abs(tensor).max(axis=(0, 2, 3)))
            for reach, tensor in zip(reaches, outputs, strict=True)
        ]
    for name, reach in zip(names, reaches, strict=True):
        yield name, (reach.max() / np.maximum(reach, _LEAST_SHARE * reach.max())).astype(np.float32)
