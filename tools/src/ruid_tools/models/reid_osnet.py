"""The ReID embedder as an ONNX graph, from trained OSNet weights.

The network is the one that `ruid_tools.train` trains; any width works. What differs here from the trained modules,
while the numbers stay the same:

- Batch norms lie in the convolutions before them, and so does the scaling of pixels.
- Crops come as OpenCV holds them, uint8 height × width × 3. The 7×7 stem with stride 2 reads them as blocks of 2×2
  pixels with twelve channels, on which it is a 4×4 convolution with stride 1.
- The four streams of a block begin with one convolution each, of the same tensor: here they are one, then split.
  At their end they are joined again and pass through their gates, which share weights, together.
- Halving by average pooling is a depthwise convolution, which is fast in 8 bits.
- A ReLU before a fence is the fence: uint8 numbers from 0 upwards hold nothing below 0.
- In 8 bits, where each operator costs more than its arithmetic, the gated streams are summed by one depthwise
  convolution, and a block's shortcut is part of the convolution that it is added to. Both make float slower.

The head stays in float: it is small, and its output is what is compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from ruid_tools.models.qdq import GraphWriter, Ranges

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]
Layer = tuple[Floats, Floats]
"""An (outputs, inputs / group, rows, columns) kernel and its bias."""

PIXEL_MIDDLE = 128
PIXEL_SCALE = 1 / 64
NORM_EPSILON = 1e-5
_STREAMS = 4
_CONTEXT_GROUPS = 16
_BLOCKS = (0, 1, 3, 4, 6, 7)
_TRANSITIONS = (2, 5)
_SHRUNK = (4, 4, 8, 8, 8, 16, 16, 16)
"""How many times smaller than the crop a stage's output is."""
SHORTCUT_SOURCES = {
    0: ("stem.on", "trunk.stem.0.1"),
    3: ("t2.half", "trunk.stages.2.0.1"),
    6: ("t5.half", "trunk.stages.5.0.1"),
}
"""What blocks with a convolution as their shortcut read: its tensor, and the batch norm that it comes from."""
_LAST = 8
_AROUND = (1, 1, 1, 1)
_STEM_TAPS = 7


class NotOsnetWeightsError(ValueError):
    """Weights of something else than the OSNet that `ruid train reid` trains; `path` is their file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} holds no OSNet weights: give the weights.npz of a run with an osnet backbone"


@dataclass(frozen=True, slots=True)
class CropSize:
    """The size of the network's input, multiples of 16."""

    height_px: int
    width_px: int


def read_weights(path: Path) -> Weights:
    """Return the arrays of a run's `weights.npz` by name."""
    with np.load(path) as archive:
        weights = {name: np.asarray(archive[name], np.float32) for name in archive.files}
    if "trunk.stages.0.gate.squeeze.weight" not in weights:
        raise NotOsnetWeightsError(path)
    return weights


def build_graph(weights: Weights, size: CropSize, ranges: Ranges | None = None) -> onnx.ModelProto:
    """Return the float graph, or with `ranges` the graph in 8 bits: `images` in, unit `embeddings` out."""
    writer = _OsnetWriter(weights, None if ranges is None else _shared(ranges))
    writer.write(size)
    outputs = {"embeddings": ["batch", len(weights["neck.weight"])]}
    return writer.finish("reid-osnet", ("images", ["batch", size.height_px, size.width_px, 3]), outputs)


def watched_tensors(weights: Weights, size: CropSize) -> list[str]:
    """Return the names of the tensors whose ranges the 8-bit graph needs."""
    writer = _OsnetWriter(weights, None)
    writer.write(size)
    return list(dict.fromkeys(writer.watched))


def lite_convolutions() -> list[tuple[str, list[str]]]:
    """Return each tensor between the halves of lite convolutions, and the places in the weights it is made from."""
    found: list[tuple[str, list[str]]] = []
    for block in _BLOCKS:
        streams = f"trunk.stages.{block}.streams"
        found.append((f"b{block}.first.point", [f"{streams}.{stream}.0" for stream in range(_STREAMS)]))
        for stream in range(_STREAMS):
            lites = [(depth, f"{streams}.{stream}.{depth}") for depth in range(1, stream + 1)]
            found += [(f"b{block}.s{stream}.{depth}.point", [place]) for depth, place in lites]
    return found


def stem_on_blocks(kernel: Floats) -> Floats:
    """Return the (outputs, 12, 4, 4) kernel that does on blocks of 2×2 pixels what a 7×7 one does with stride 2.

    Tap k sees row 2y + k - 3, which is row (k + 1) % 2 of block y + (k + 1) // 2 - 2. Channels are ordered (row in
    the block, column in the block, colour).
    """
    blocks = np.zeros((len(kernel), 2, 2, 3, 4, 4), np.float32)
    for row in range(_STEM_TAPS):
        for column in range(_STEM_TAPS):
            blocks[:, (row + 1) % 2, (column + 1) % 2, :, (row + 1) // 2, (column + 1) // 2] = kernel[..., row, column]
    return blocks.reshape(len(kernel), 12, 4, 4)


def folded(weights: Weights, convolution: str, norm: str) -> Layer:
    """Return a convolution's kernel and bias with the batch norm after it folded in."""
    factors = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + NORM_EPSILON)
    kernel = weights[f"{convolution}.weight"] * factors[:, None, None, None]
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * factors
    return kernel.astype(np.float32), bias.astype(np.float32)


def _shared(ranges: Ranges) -> Ranges:
    """Return ranges in which what is joined has one range, so that joining is copying, and what a ReLU follows its."""
    shared = dict(ranges)
    for block in _BLOCKS:
        lasts = [f"b{block}.s{stream}.{stream}.on" for stream in range(1, _STREAMS)]
        _unite(shared, [f"b{block}.joined", f"b{block}.first.on", *lasts])
    for block, (source, _) in SHORTCUT_SOURCES.items():
        if f"b{block}.shortcut" in shared:
            _unite(shared, [f"b{block}.sum", source])
            shared[f"b{block}.both"] = shared[source]
    after_relu = {name.removesuffix(".on"): limits for name, limits in shared.items() if name.endswith(".on")}
    return {**shared, **after_relu}


def _unite(ranges: dict[str, tuple[float, float]], names: list[str]) -> None:
    union = (min(ranges[name][0] for name in names), max(ranges[name][1] for name in names))
    ranges.update(dict.fromkeys(names, union))


class _OsnetWriter(GraphWriter):
    """Writes the network once, from weights by name."""

    def __init__(self, weights: Weights, ranges: Ranges | None) -> None:
        super().__init__(ranges)
        self._arrays = weights
        self._quantised = ranges is not None
        self._crop = CropSize(0, 0)

    def write(self, size: CropSize) -> None:
        """Write all of it."""
        self._crop = size
        tensor = self._stem(size)
        for stage in range(_LAST):
            written = self._transition if stage in _TRANSITIONS else self._block
            tensor = written(tensor, stage)
        last = self._folded(f"trunk.stages.{_LAST}.0", f"trunk.stages.{_LAST}.1")
        self._head(self._rectified(tensor, last, "last"))

    def _stem(self, size: CropSize) -> str:
        normalises = "trunk.normalise.weight" in self._arrays
        planes = self._normalised_planes() if normalises else self._plain_planes(size)
        kernel, bias = self._folded("trunk.stem.0.0", "trunk.stem.0.1")
        scale = np.float32(1 if normalises else PIXEL_SCALE)
        stem = self._rectified(planes, (stem_on_blocks(kernel * scale), bias), "stem", pads=(2, 2, 1, 1))
        return self.operator(
            "MaxPool", [stem], "stem.pool", like="stem.on", kernel_shape=[3, 3], strides=[2, 2], pads=_AROUND
        )

    def _normalised_planes(self) -> str:
        """Normalise each picture in float, then cut it into blocks of twelve channels."""
        colours = self.node("Transpose", ["images"], "colours.u8", perm=[0, 3, 1, 2])
        factors = self.constant("normalise.factors", self._arrays["trunk.normalise.weight"])
        shifts = self.constant("normalise.shifts", self._arrays["trunk.normalise.bias"])
        pixels = self.node("Cast", [colours], "colours", to=onnx.TensorProto.FLOAT)
        epsilon = NORM_EPSILON / PIXEL_SCALE**2
        normal = self.node("InstanceNormalization", [pixels, factors, shifts], "normal", epsilon=epsilon)
        return self.operator("SpaceToDepth", [normal], "blocks", blocksize=2)

    def _plain_planes(self, size: CropSize) -> str:
        """Cut pixels into blocks of twelve channels as they are."""
        rows, columns = size.height_px // 2, size.width_px // 2
        split = self.constant("blocks.split", np.array([0, rows, 2, columns, 6]))
        joined = self.constant("blocks.joined", np.array([0, rows, columns, 12]))
        pairs = self.node("Reshape", ["images", split], "blocks.pairs")
        squares = self.node("Transpose", [pairs], "blocks.squares", perm=[0, 1, 3, 2, 4])
        blocks = self.node("Reshape", [squares, joined], "blocks.rows")
        planes = self.node("Transpose", [blocks], "blocks.planes", perm=[0, 3, 1, 2])
        return self.picture(planes, middle=PIXEL_MIDDLE)

    def _transition(self, tensor: str, stage: int) -> str:
        seen = self._rectified(
            tensor, self._folded(f"trunk.stages.{stage}.0.0", f"trunk.stages.{stage}.0.1"), f"t{stage}"
        )
        channels = len(self._arrays[f"trunk.stages.{stage}.0.0.weight"])
        quarters = np.full((channels, 1, 2, 2), 0.25, np.float32)
        nothing = np.zeros(channels, np.float32)
        return self.convolution(seen, quarters, nothing, f"t{stage}.half", strides=(2, 2), group=channels)

    def _block(self, tensor: str, stage: int) -> str:
        here, name = f"trunk.stages.{stage}", f"b{stage}"
        reduced = self._rectified(tensor, self._folded(f"{here}.reduce.0", f"{here}.reduce.1"), f"{name}.reduced")
        mixed = self._mixed(self._streams(reduced, here, name), here, stage)
        layer = self._folded(f"{here}.expand.0", f"{here}.expand.1")
        if f"{here}.shortcut.0.weight" in self._arrays:
            return self._with_shortcut(mixed, layer, tensor, here, name)
        return self._on(self.node("Add", [self.convolution(mixed, *layer, f"{name}.expanded"), tensor], name))

    def _with_shortcut(self, mixed: str, layer: Layer, tensor: str, here: str, name: str) -> str:
        projection = self._folded(f"{here}.shortcut.0", f"{here}.shortcut.1")
        if self._quantised:
            both = self.operator("Concat", [mixed, tensor], f"{name}.both", axis=1)
            kernels, biases = zip(layer, projection, strict=True)
            return self._rectified(both, (np.concatenate(kernels, axis=1), biases[0] + biases[1]), name)
        expanded = self.convolution(mixed, *layer, f"{name}.expanded")
        return self._on(self.node("Add", [expanded, self.convolution(tensor, *projection, f"{name}.shortcut")], name))

    def _streams(self, reduced: str, here: str, name: str) -> list[str]:
        firsts = [f"{here}.streams.{stream}.0" for stream in range(_STREAMS)]
        pointwise = np.concatenate([self._arrays[f"{first}.0.weight"] for first in firsts])
        depthwise = [self._folded(f"{first}.1", f"{first}.2") for first in firsts]
        kernel = np.concatenate([layer[0] for layer in depthwise])
        bias = np.concatenate([layer[1] for layer in depthwise])
        first = self._lite(reduced, pointwise, (kernel, bias), f"{name}.first")
        outputs = self._split(
            first, f"{name}.first.on", [f"{name}.s{stream}.0.on" for stream in range(_STREAMS)], axis=1
        )
        return [self._rest(output, here, name, stream) for stream, output in enumerate(outputs)]

    def _rest(self, tensor: str, here: str, name: str, stream: int) -> str:
        for depth in range(1, stream + 1):
            lite = f"{here}.streams.{stream}.{depth}"
            layer = self._folded(f"{lite}.1", f"{lite}.2")
            tensor = self._lite(tensor, self._arrays[f"{lite}.0.weight"], layer, f"{name}.s{stream}.{depth}")
        return tensor

    def _lite(self, tensor: str, pointwise: Floats, depthwise: Layer, name: str) -> str:
        nothing = np.zeros(len(pointwise), np.float32)
        seen = self.convolution(tensor, pointwise, nothing, f"{name}.point")
        return self._rectified(seen, depthwise, name, pads=_AROUND, group=len(pointwise))

    def _mixed(self, streams: list[str], here: str, stage: int) -> str:
        name = f"b{stage}"
        joined = self.operator("Concat", streams, f"{name}.joined", axis=1)
        pooled = self.operator("GlobalAveragePool", [joined], f"{name}.pooled")
        context = f"{here}.gate.transform.weight" in self._arrays
        logits = self._context(pooled, here, name) if context else self._squeeze_excite(pooled, here, name)
        gates = self.operator("Sigmoid", [logits], f"{name}.gates")
        gated = self.operator("Mul", [joined, gates], f"{name}.gated")
        if self._quantised:
            return self._summed_in_rows(gated, len(self._arrays[f"{here}.reduce.0.weight"]), stage)
        parts = self._split(gated, f"{name}.gated", [f"{name}.g{stream}" for stream in range(_STREAMS)], axis=1)
        pairs = [self.node("Add", parts[place : place + 2], f"{name}.pair{place}") for place in (0, 2)]
        return self.operator("Add", pairs, f"{name}.sum")

    def _summed_in_rows(self, gated: str, channels: int, stage: int) -> str:
        """Sum by a depthwise convolution: with channels last, a pixel's streams lie beside each other in a row."""
        name, shrunk = f"b{stage}", _SHRUNK[stage]
        beside = self._reshaped(gated, [0, -1, _STREAMS, channels], f"{name}.beside", like=f"{name}.gated")
        ones, nothing = np.ones((channels, 1, 1, _STREAMS), np.float32), np.zeros(channels, np.float32)
        total = self.convolution(beside, ones, nothing, f"{name}.sum", strides=(1, _STREAMS), group=channels)
        shape = [0, self._crop.height_px // shrunk, self._crop.width_px // shrunk, channels]
        return self._reshaped(total, shape, f"{name}.total", like=f"{name}.sum")

    def _reshaped(self, tensor: str, shape: list[int], name: str, *, like: str) -> str:
        """Give a tensor another shape with its channels last. Runtimes that work so have nothing to turn."""
        last = self.node("Transpose", [tensor], f"{name}.last", perm=[0, 2, 3, 1])
        rows = self.node("Reshape", [last, self.constant(f"{name}.shape", np.array(shape))], f"{name}.rows")
        return self.operator("Transpose", [rows], name, like=like, perm=[0, 3, 1, 2])

    def _squeeze_excite(self, vectors: str, here: str, name: str) -> str:
        """One gate for four streams: the same weights four times, on the diagonal."""
        squeeze, excite = (self._four_times(f"{here}.gate.{part}") for part in ("squeeze", "excite"))
        return self.convolution(self._rectified(vectors, squeeze, f"{name}.squeezed"), *excite, f"{name}.excited")

    def _four_times(self, convolution: str) -> Layer:
        kernel, bias = self._biased(convolution)
        diagonal = np.kron(np.eye(_STREAMS, dtype=np.float32), kernel[:, :, 0, 0])
        return diagonal[:, :, None, None], np.tile(bias, _STREAMS)

    def _context(self, vectors: str, here: str, name: str) -> str:
        """Normalise within groups of channels, in float: a handful of numbers."""
        weight, bias = self._biased(f"{here}.gate.transform")
        groups = _STREAMS * _CONTEXT_GROUPS
        grouped = self.constant(f"{name}.grouped", np.array([0, groups, len(weight) // _CONTEXT_GROUPS]))
        ones = self.constant(f"{name}.ones", np.ones(groups, np.float32))
        zeros = self.constant(f"{name}.zeros", np.zeros(groups, np.float32))
        flat = self.constant(f"{name}.flat", np.array([0, _STREAMS * len(weight), 1, 1]))
        rows = self.node("Reshape", [vectors, grouped], f"{name}.rows")
        normal = self.node("InstanceNormalization", [rows, ones, zeros], f"{name}.normal", epsilon=NORM_EPSILON)
        column = self.node("Reshape", [normal, flat], f"{name}.column")
        factors = self.constant(f"{name}.factors", np.tile(weight, _STREAMS).reshape(1, -1, 1, 1))
        shifts = self.constant(f"{name}.shifts", np.tile(bias, _STREAMS).reshape(1, -1, 1, 1))
        return self.node("Add", [self.node("Mul", [column, factors], f"{name}.scaled"), shifts], f"{name}.logits")

    def _head(self, features: str) -> None:
        arrays = self._arrays
        vectors = self._weighted(features) if "trunk.pool.weight" in arrays else self._averaged(features)
        factors = arrays["neck.weight"] / np.sqrt(arrays["neck.running_var"] + NORM_EPSILON)
        matrix = self.constant("head.matrix", (arrays["head.weight"] * factors[:, None]).T.astype(np.float32).copy())
        bias = self.constant(
            "head.bias", (arrays["neck.bias"] - arrays["neck.running_mean"] * factors).astype(np.float32)
        )
        straight = self.node("Gemm", [vectors, matrix, bias], "head")
        raw = self.node("PRelu", [straight, self.constant("head.slope", arrays["bend.weight"])], "head.bent")
        length = self.node("ReduceL2", [raw], "head.length", axes=[1], keepdims=1)
        self.node("Div", [raw, length], "embeddings")

    def _averaged(self, features: str) -> str:
        return self.node("Flatten", [self.node("GlobalAveragePool", [features], "pooled")], "vectors", axis=1)

    def _weighted(self, features: str) -> str:
        weights = self.constant("pool.weights", self._arrays["trunk.pool.weight"].transpose(1, 2, 0).copy())
        bias = self.constant("pool.bias", self._arrays["trunk.pool.bias"])
        axes = self.constant("pool.axes", np.array([1, 2]))
        pixels = self.node("Transpose", [features], "pool.pixels", perm=[0, 2, 3, 1])
        weighed = self.node("Mul", [pixels, weights], "pool.weighed")
        summed = self.node("ReduceSum", [weighed, axes], "pool.sums", keepdims=0)
        return self.node("Add", [summed, bias], "vectors")

    def _rectified(
        self, tensor: str, layer: Layer, name: str, *, pads: tuple[int, int, int, int] = (0, 0, 0, 0), group: int = 1
    ) -> str:
        """A convolution and a ReLU."""
        kernel, bias = layer
        seen = self.convolution(tensor, kernel, bias, name, pads=pads, group=group)
        return seen if self._quantised else self._on(seen)

    def _on(self, tensor: str) -> str:
        """A ReLU and a fence; in 8 bits the fence is the ReLU."""
        if self._quantised:
            return self.fenced(tensor, like=f"{tensor}.on")
        return self.fenced(self.node("Relu", [tensor], f"{tensor}.on"))

    def _split(self, tensor: str, like: str, names: list[str], *, axis: int) -> list[str]:
        self._nodes.append(onnx.helper.make_node("Split", [tensor], names, name=f"{names[0]}.split", axis=axis))
        return [self.fenced(name, like=like) for name in names]

    def _folded(self, convolution: str, norm: str) -> Layer:
        return folded(self._arrays, convolution, norm)

    def _biased(self, convolution: str) -> Layer:
        return self._arrays[f"{convolution}.weight"], self._arrays[f"{convolution}.bias"]
