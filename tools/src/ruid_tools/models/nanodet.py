"""NanoDet-g for the class person as an ONNX graph, from the published weights.

The network (RangiLyu, Apache-2.0): a CSP backbone of plain 3×3 convolutions with LeakyReLU, a path aggregation
network that adds bilinearly scaled maps, one 3×3 convolution and one 1×1 head per stride. What differs here from the
published graph, and why:

- The head keeps the class person and the boxes; 79 classes go.
- Normalisation lies in the first kernel. Pixels are taken relative to a middle grey of 112, close to the mean, so
  that padding inside the network means what it meant in training (a class score differs by at most 0.01, at the
  picture's edge).
- The picture comes as camera drivers and OpenCV hold it, uint8 height × width × 3. Four pixels of a row are read as
  one of twelve channels, and the first convolution makes two columns at once: the same numbers with a third of the
  copying, which is most of that layer's time in 8 bits.
- Max pooling comes before the first LeakyReLU (both are monotone), on a quarter of the pixels.
- Halving by bilinear scaling is the mean of 2×2 pixels: a depthwise convolution, which is fast in 8 bits.
- The class score is turned into the probability that a detection is a person: its logit is scaled and shifted inside
  the head. Thresholds that are shared with other detectors then mean what they say.
- Height and width stay open; whoever loads the graph fixes them to multiples of 32.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ruid_tools.models.qdq import GraphWriter, Ranges
from ruid_tools.models.tfjs import Weights, read_weights

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""An (outputs, inputs, rows, columns) kernel and its bias."""

_MEAN_BGR = np.array([103.53, 116.28, 123.675])
_DEVIATION_BGR = np.array([57.375, 57.12, 58.395])
_MIDDLE_GREY = 112
_CLASSES = 80
BINS = 11
KEPT_OUTPUTS = [0, *range(_CLASSES, _CLASSES + 4 * BINS)]
"""The heads' outputs for the class person and the boxes."""

_LATERALS = 3
TUNED_LAYERS = 9
"""The last layers, those behind the backbone: three laterals, and a head and its outputs for each stride."""

_CHANNELS = 128
_CALIBRATION = (3.3, 0.3)
"""Slope and intercept on the logit of the class score (Platt 1999), fitted on labelled pictures."""

_LOGIT_FLOOR = -10.0
"""Logits below this say "nothing" more or less loudly; steps of 8 bits are better spent above."""

_STAGES = ((1, 1), (2, 2), (3, 2), (4, 3))
"""Stage number and residual blocks; all but the first halve the picture."""

_LAYERS = 34
_AROUND = (1, 1, 1, 1)


def read_layers(model_json: Path) -> list[Layer]:
    """Return the network's convolutions in the order in which it was built, from its TensorFlow.js files."""
    weights = read_weights(model_json)
    kernels = [weights["PartitionedCall/split"]]
    kernels += [weights[f"PartitionedCall/split_{index}"] for index in range(1, _LAYERS)]
    layers = [
        (np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), np.float32), bias.astype(np.float32))
        for kernel, bias in zip(kernels, _biases(weights), strict=True)
    ]
    return [_normalising(layers[0]), *layers[1:]]


def read_tuned(weights: Path) -> list[Layer]:
    """Return the layers behind the backbone as `store_tuned` left them."""
    with np.load(weights) as stored:
        return [
            (stored[f"kernel{index}"].astype(np.float32), stored[f"bias{index}"].astype(np.float32))
            for index in range(TUNED_LAYERS)
        ]


def persons_alone(layers: list[Layer]) -> list[Layer]:
    """Return the layers behind the backbone; of the heads' outputs only those that are kept."""
    tuned = layers[-TUNED_LAYERS:]
    outputs = range(_LATERALS + 1, TUNED_LAYERS, 2)
    return [
        (kernel[KEPT_OUTPUTS], bias[KEPT_OUTPUTS]) if index in outputs else (kernel, bias)
        for index, (kernel, bias) in enumerate(tuned)
    ]


def store_tuned(layers: list[Layer], weights: Path) -> None:
    """Keep tuned layers: kernels in 16 bits, which is more than the 8 that they are run in."""
    arrays: dict[str, Any] = {}
    for index, (kernel, bias) in enumerate(layers):
        arrays |= {f"kernel{index}": kernel.astype(np.float16), f"bias{index}": bias}
    np.savez(weights, **arrays)


def build_graph(layers: list[Layer], ranges: Ranges | None = None) -> onnx.ModelProto:
    """Return the float graph, or with `ranges` the graph in 8 bits."""
    writer = GraphWriter(None if ranges is None else _shared(ranges))
    outputs = _write(writer, iter(layers))
    return writer.finish("nanodet-g-person", ("images", [1, "height", "width", 3]), outputs)


def build_planes(layers: list[Layer], *, width_px: int, height_px: int) -> onnx.ModelProto:
    """Return the float graph with a plain first layer and fixed sides, for converters that take no more than that.

    Its input is NanoDet's own: float32 of 1×3×height×width, BGR, normalised.
    """
    writer = GraphWriter()
    bias = (_MEAN_BGR - _MIDDLE_GREY).astype(np.float32)
    pixels = writer.convolution(
        "images", _DEVIATION_BGR.reshape(3, 1, 1, 1).astype(np.float32), bias, "pixels", group=len(bias)
    )
    stem, *others = layers
    stem_map = writer.convolution(pixels, *stem, "stem", strides=(2, 2), pads=_AROUND)
    outputs = _write_behind_stem(writer, iter(others), stem_map)
    taken = ("images", [1, len(bias), height_px, width_px])
    return writer.finish("nanodet-g-person-planes", taken, outputs, kind=onnx.TensorProto.FLOAT)


def watched_tensors(layers: list[Layer]) -> list[str]:
    """Return the tensors whose ranges `build_graph` needs."""
    writer = GraphWriter()
    _write(writer, iter(layers))
    return list(writer.watched)


def _biases(weights: Weights) -> list[NDArray[np.generic]]:
    numbered = [
        (int(name.removeprefix("unknown_")), values)
        for name, values in weights.items()
        if name.startswith("unknown_") and values.dtype == np.float32 and values.ndim == 1 and values.size > 4
    ]
    return [values for _, values in sorted(numbered, key=lambda pair: pair[0])]


def _normalising(stem: Layer) -> Layer:
    """Return the first layer for pixels relative to the middle grey, instead of normalised ones."""
    kernel = stem[0].astype(np.float64) / _DEVIATION_BGR[None, :, None, None]
    shift = (kernel * (_MIDDLE_GREY - _MEAN_BGR)[None, :, None, None]).sum(axis=(1, 2, 3))
    return kernel.astype(np.float32), (stem[1] + shift).astype(np.float32)


def _in_fours(stem: Layer) -> Layer:
    """Return the first layer for blocks of four pixels: two output columns of 3×3, stride 2, as one of 3×2.

    Output column 2X + j of the 3×3 convolution sees pixels 4X + 2j - 1 to 4X + 2j + 1; blocks X - 1 and X hold
    pixels 4X - 4 to 4X + 3.
    """
    kernel, bias = stem
    outputs = len(kernel)
    wide = np.zeros((2, outputs, 3, 3, 8), np.float32)
    for column in range(2):
        wide[column, ..., 3 + 2 * column : 6 + 2 * column] = kernel
    blocks = wide.reshape(2 * outputs, 3, 3, 2, 4).transpose(0, 4, 1, 2, 3)
    return np.ascontiguousarray(blocks.reshape(2 * outputs, 12, 3, 2)), np.concatenate([bias, bias])


def _shared(ranges: Ranges) -> Ranges:
    """Return ranges in which tensors that are joined have one range, so that joining them is copying."""
    shared = dict(ranges)
    for stage, blocks in _STAGES:
        for block in range(blocks):
            _unite(shared, [f"s{stage}b{block}in.on", f"s{stage}b{block}mid.on", f"s{stage}b{block}"])
        _unite(shared, [f"s{stage}in.on", f"s{stage}out.on", f"s{stage}"])
    for level in range(3):
        shared[f"logits{level}"] = (_LOGIT_FLOOR, ranges[f"logits{level}"][1])
    return shared


def _unite(ranges: dict[str, tuple[float, float]], names: list[str]) -> None:
    union = (min(ranges[name][0] for name in names), max(ranges[name][1] for name in names))
    ranges.update(dict.fromkeys(names, union))


def _write(writer: GraphWriter, layers: Iterator[Layer]) -> dict[str, list[int | str]]:
    return _write_behind_stem(writer, layers, _write_stem(writer, next(layers)))


def _write_behind_stem(writer: GraphWriter, layers: Iterator[Layer], stem_map: str) -> dict[str, list[int | str]]:
    pooled = writer.operator(
        "MaxPool", [stem_map], "stem.pool", like="stem", kernel_shape=[3, 3], strides=[2, 2], pads=_AROUND
    )
    tensor = _activated(writer, pooled, "stem.on")
    maps: list[str] = []
    for stage, blocks in _STAGES:
        tensor = _write_stage(writer, layers, tensor, stage=stage, blocks=blocks)
        maps.append(tensor)
    return _write_heads(writer, layers, _write_neck(writer, layers, maps[1:]))


def _write_stem(writer: GraphWriter, stem: Layer) -> str:
    fours = writer.node("Reshape", ["images", writer.constant("fours", np.array([0, 0, -1, 12]))], "fours.rows")
    planes = writer.picture(writer.node("Transpose", [fours], "fours.planes", perm=[0, 3, 1, 2]), middle=_MIDDLE_GREY)
    kernel, bias = _in_fours(stem)
    pairs = writer.convolution(planes, kernel, bias, "stem", strides=(2, 1), pads=(1, 1, 0, 0), weight_limit=63)
    rows = writer.node("Transpose", [pairs], "pairs.rows", perm=[0, 2, 3, 1])
    width = writer.constant("pairs.width", np.array([0, 0, -1, len(stem[1])]))
    columns = writer.node("Reshape", [rows, width], "pairs.columns")
    return writer.operator("Transpose", [columns], "stem.map", like="stem", perm=[0, 3, 1, 2])


def _write_stage(writer: GraphWriter, layers: Iterator[Layer], tensor: str, *, stage: int, blocks: int) -> str:
    first = _layer(writer, tensor, next(layers), f"s{stage}in", stride=1 if stage == 1 else 2)
    tensor = first
    for block in range(blocks):
        narrow = _layer(writer, tensor, next(layers), f"s{stage}b{block}in")
        middle = _layer(writer, narrow, next(layers), f"s{stage}b{block}mid")
        tensor = writer.operator("Concat", [middle, narrow], f"s{stage}b{block}", axis=1)
    last = _layer(writer, tensor, next(layers), f"s{stage}out")
    return writer.operator("Concat", [last, first], f"s{stage}", axis=1)


def _write_neck(writer: GraphWriter, layers: Iterator[Layer], maps: list[str]) -> list[str]:
    fine, middle, coarse = (
        writer.convolution(tensor, *next(layers), f"lateral{level}") for level, tensor in enumerate(maps)
    )
    factors = writer.constant("twice", np.array([1, 1, 2, 2], np.float32))
    middle = _added(writer, middle, _doubled(writer, coarse, factors, "up1", like="lateral2"), "down1")
    fine = _added(writer, fine, _doubled(writer, middle, factors, "up0", like="down1"), "down0")
    middle = _added(writer, middle, _halved(writer, fine, "half0"), "out1")
    coarse = _added(writer, coarse, _halved(writer, middle, "half1"), "out2")
    return [fine, middle, coarse]


def _write_heads(writer: GraphWriter, layers: Iterator[Layer], maps: list[str]) -> dict[str, list[int | str]]:
    columns = writer.constant("columns", np.array([1, -1, len(KEPT_OUTPUTS)]))
    tables: list[str] = []
    for level, tensor in enumerate(maps):
        seen = _layer(writer, tensor, next(layers), f"head{level}")
        logits = writer.convolution(seen, *_calibrated(next(layers)), f"logits{level}")
        rows = writer.node("Transpose", [logits], f"logits{level}.rows", perm=[0, 2, 3, 1])
        tables.append(writer.node("Reshape", [rows, columns], f"logits{level}.table"))
    joined = writer.node("Concat", tables, "table", axis=1)
    person = writer.node("Slice", [joined, *_span(writer, "person", 0, 1)], "person.logits")
    writer.node("Sigmoid", [person], "people")
    writer.node("Slice", [joined, *_span(writer, "sides", 1, len(KEPT_OUTPUTS))], "boxes")
    return {"people": [1, "cells", 1], "boxes": [1, "cells", 4 * BINS]}


def _calibrated(head: Layer) -> Layer:
    """Return the head's kept outputs, the first one's logit calibrated; tuned heads have no others."""
    slope, intercept = _CALIBRATION
    kept = KEPT_OUTPUTS if len(head[1]) > len(KEPT_OUTPUTS) else range(len(KEPT_OUTPUTS))
    kernel, bias = head[0][list(kept)], head[1][list(kept)]
    kernel[0] *= slope
    bias[0] = bias[0] * slope + intercept
    return kernel, bias


def _span(writer: GraphWriter, name: str, start: int, end: int) -> list[str]:
    values = {"start": start, "end": end, "axis": 2}
    return [writer.constant(f"{name}.{key}", np.array([value])) for key, value in values.items()]


def _layer(writer: GraphWriter, tensor: str, layer: Layer, name: str, *, stride: int = 1) -> str:
    """Add a 3×3 convolution and its LeakyReLU."""
    return _activated(
        writer, writer.convolution(tensor, *layer, name, strides=(stride, stride), pads=_AROUND), f"{name}.on"
    )


def _activated(writer: GraphWriter, tensor: str, name: str) -> str:
    return writer.operator("LeakyRelu", [tensor], name, alpha=0.1)


def _added(writer: GraphWriter, left: str, right: str, name: str) -> str:
    return writer.operator("Add", [left, right], name)


def _doubled(writer: GraphWriter, tensor: str, factors: str, name: str, *, like: str) -> str:
    return writer.operator(
        "Resize",
        [tensor, "", factors],
        name,
        like=like,
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )


def _halved(writer: GraphWriter, tensor: str, name: str) -> str:
    mean = np.full((_CHANNELS, 1, 2, 2), 0.25, np.float32)
    return writer.convolution(tensor, mean, np.zeros(_CHANNELS, np.float32), name, strides=(2, 2), group=_CHANNELS)
