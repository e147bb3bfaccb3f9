"""Begin training from Intel's person-reidentification-retail networks (Open Model Zoo, Apache-2.0).

Their graphs are OSNet with batch norms folded into the convolutions. Reading them takes three steps: the constants in
the order of the graph, each put where it belongs, and batch norms made anew from statistics measured on crops, so that
the network computes the same and can be trained on.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ruid_tools.train.embedder import Embedder
from ruid_tools.train.osnet import AggregationGate, OmniScaleBlock, OSNet, WeightedPool

Floats = NDArray[np.float32]


class ForeignNetworkError(ValueError):
    """An OpenVINO file holds another network than expected; `path` is the file, `reason` what did not fit."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} is not a network of the person-reidentification-retail family of this width: {self.reason}"


def begin_from_openvino(embedder: Embedder, path: Path, images: Tensor) -> None:
    """Give an `osnet_lct` embedder the weights of an OpenVINO IR and batch norms with the statistics of `images`.

    `images` (N, 3, H, W), BGR 0 to 255, are crops as they will come in training.
    """
    load_openvino(embedder, path)
    settle_stem(embedder, images)
    restore_batch_norms(embedder, images)


def load_openvino(embedder: Embedder, path: Path) -> None:
    """Fill an `osnet_lct` embedder with an IR's constants; batch norms become their biases alone."""
    constants = _Constants(path)
    trunk = _lct_trunk(embedder, path)
    with torch.no_grad():
        _fill_stem(trunk, constants)
        for stage in trunk.stages:
            _fill_stage(stage, constants)
        _fill_head(embedder, trunk, constants)


def settle_stem(embedder: Embedder, images: Tensor) -> None:
    """Put a batch norm where the published stem normalises each picture: the deviation is that within pictures.

    After the first normalisation pictures differ little there, and a batch norm costs nothing on a device.
    """
    trunk = embedder.trunk
    convolution, norm = trunk.stem[0][0], trunk.stem[0][1]
    with torch.no_grad():
        seen = convolution(trunk.normalise(embedder.scaled(images)))
        norm.running_mean.copy_(seen.mean(dim=(0, 2, 3)))
        norm.running_var.copy_(seen.var(dim=(2, 3), correction=0).mean(dim=0))


def _lct_trunk(embedder: Embedder, path: Path) -> OSNet:
    trunk = embedder.trunk
    if not isinstance(trunk, OSNet) or not isinstance(trunk.pool, WeightedPool):
        raise ForeignNetworkError(path, "the backbone must be an osnet_lct")
    return trunk


def restore_batch_norms(embedder: Embedder, images: Tensor) -> None:
    """Give every batch norm the statistics of these images (N, 3, H, W), leaving what the network computes."""
    norms = [module for module in embedder.modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d)]
    handles = [norm.register_forward_pre_hook(_absorb_statistics) for norm in norms]
    embedder.eval()
    with torch.no_grad():
        embedder(images)
    for handle in handles:
        handle.remove()


def _absorb_statistics(norm: nn.BatchNorm2d | nn.BatchNorm1d, inputs: tuple[Tensor]) -> None:
    """Rewrite `bias + x` as a batch norm about the mean and deviation of x."""
    axes = [axis for axis in range(inputs[0].dim()) if axis != 1]
    variance, mean = torch.var_mean(inputs[0], dim=axes, correction=0)
    old_scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    norm.bias += old_scale * (mean - norm.running_mean)
    norm.weight.copy_(old_scale * torch.sqrt(variance + norm.eps))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


class _Constants:
    """The float constants of a graph in order, each once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._arrays = _read_constants(path)

    def take(self, shape: tuple[int, ...]) -> Tensor:
        """Return the next constant, as `shape`; raise `ForeignNetworkError` where it has another number of elements."""
        array = next(self._arrays, None)
        if array is None or array.size != int(np.prod(shape)):
            found = "nothing" if array is None else str(array.shape)
            raise ForeignNetworkError(self._path, f"expected a constant of {shape}, found {found}")
        return torch.from_numpy(array.reshape(shape).copy())

    def next_raw(self) -> Tensor:
        """Return the next constant as it is."""
        array = next(self._arrays, None)
        if array is None:
            raise ForeignNetworkError(self._path, "it ends too early")
        return torch.from_numpy(array.copy())


def _read_constants(path: Path) -> Iterator[Floats]:
    blob = path.with_suffix(".bin").read_bytes()
    seen: set[int] = set()
    for layer in ElementTree.parse(path).getroot().iterfind("./layers/layer"):  # noqa: S314 - a model file that the user chose
        place = layer.find("data")
        if layer.get("type") != "Const" or place is None or place.get("element_type") != "f32":
            continue
        offset = int(place.get("offset", "0"))
        if offset not in seen:
            seen.add(offset)
            count = int(place.get("size", "0")) // 4
            shape = [int(side) for side in place.get("shape", "").split(",") if side.strip()]
            yield np.frombuffer(blob, np.float32, count, offset).reshape(shape)


def _fill(parameter: Tensor, constants: _Constants) -> None:
    parameter.copy_(constants.take(tuple(parameter.shape)))


def _fill_stem(trunk: OSNet, constants: _Constants) -> None:
    """The published stem takes RGB and normalises its own output; ours takes BGR, and a batch norm stands there."""
    constants.take((1, 3, 1, 1))
    constants.take((1, 3, 1, 1))
    trunk.normalise.weight.copy_(constants.take((3,)).flip(0))
    trunk.normalise.bias.copy_(constants.take((3,)).flip(0))
    convolution, norm = trunk.stem[0][0], trunk.stem[0][1]
    convolution.weight.copy_(constants.take(tuple(convolution.weight.shape)).flip(1))
    _fill(norm.weight, constants)
    _fill(norm.bias, constants)


def _fill_stage(stage: nn.Module, constants: _Constants) -> None:
    if isinstance(stage, OmniScaleBlock):
        _fill_block(stage, constants)
    else:
        inner = stage[0] if isinstance(stage[0], nn.Sequential) else stage
        _fill_convolution(inner[0], inner[1], constants)


def _fill_block(block: OmniScaleBlock, constants: _Constants) -> None:
    _fill_convolution(block.reduce[0], block.reduce[1], constants)
    for index, stream in enumerate(block.streams):
        for lite in stream:
            _fill(lite[0].weight, constants)
            _fill_convolution(lite[1], lite[2], constants)
        if index == 0:
            _fill_gate(block.gate, constants)
    _fill_convolution(block.expand[0], block.expand[1], constants)
    if isinstance(block.shortcut, nn.Sequential):
        _fill_convolution(block.shortcut[0], block.shortcut[1], constants)


def _fill_gate(gate: nn.Module, constants: _Constants) -> None:
    parts = (gate.squeeze, gate.excite) if isinstance(gate, AggregationGate) else (gate.transform,)
    for part in parts:
        _fill(part.weight, constants)
        _fill(part.bias, constants)


def _fill_convolution(convolution: nn.Conv2d, norm: nn.BatchNorm2d, constants: _Constants) -> None:
    _fill(convolution.weight, constants)
    _as_bias(norm)
    _fill(norm.bias, constants)


def _as_bias(norm: nn.BatchNorm2d | nn.BatchNorm1d) -> None:
    norm.weight.fill_(1.0)
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0 - norm.eps)


def _fill_head(embedder: Embedder, trunk: OSNet, constants: _Constants) -> None:
    weight = constants.next_raw()
    weight = weight.reshape(len(weight), *weight.shape[-2:])
    grid = trunk.pool.weight.shape[1:]
    share = weight.shape[1] * weight.shape[2] / (grid[0] * grid[1])
    trunk.pool.weight.copy_(share * functional.interpolate(weight[None], size=grid, mode="area")[0])
    _fill(trunk.pool.bias, constants)
    _fill(embedder.head.weight, constants)
    bias = constants.take(tuple(embedder.neck.bias.shape))
    _as_bias(embedder.neck)
    _fill(embedder.neck.weight, constants)
    embedder.neck.bias.copy_(bias * embedder.neck.weight + constants.take(tuple(embedder.neck.bias.shape)))
    _fill(embedder.bend.weight, constants)
