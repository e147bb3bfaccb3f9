"""Write ONNX graphs, in float or quantised to 8 bits, from one description.

A quantised graph holds `QuantizeLinear`/`DequantizeLinear` pairs ("fences") around every operator that runs in 8
bits (Jacob et al. 2018): activations uint8 per tensor, weights int8 per output channel and symmetric, biases int32.
Written here rather than by a converter's pass, because the writer knows which tensors may share a scale: joined
tensors that do are copied, not computed. Needs onnx, so it runs in the workshop only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]
Ranges = Mapping[str, tuple[float, float]]
"""The least and the greatest value seen of each tensor."""

_OPSET = 17
_IR_VERSION = 8


class GraphWriter:
    """Collects nodes and constants; with `ranges` it writes the quantised graph, without them the float one."""

    def __init__(self, ranges: Ranges | None = None) -> None:
        self._ranges = ranges
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._scales: dict[str, np.float32] = {}
        self.watched: list[str] = []
        """Tensors whose ranges a quantised graph needs, in order."""

    def constant(self, name: str, values: Any) -> str:
        """Add a constant and return its name."""
        self._constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Add a node with one output of the same name and return it."""
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def picture(self, name: str, *, middle: int) -> str:
        """Return uint8 pixels as numbers around 0: `middle` becomes 0, and so padding by zeros is that grey."""
        self._scales[f"{name}.centred"] = np.float32(1)
        scale = self.constant(f"{name}.scale", np.float32(1))
        zero = self.constant(f"{name}.zero", np.uint8(middle))
        return self.node("DequantizeLinear", [name, scale, zero], f"{name}.centred")

    def fenced(self, tensor: str, *, like: str | None = None) -> str:
        """Return the tensor as it comes back from 8 bits, in the range of the tensor `like` or its own."""
        self.watched.append(tensor)
        if self._ranges is None:
            return tensor
        step, zero_point = _affine(self._ranges[like or tensor])
        scale = self.constant(f"{tensor}.scale", step)
        zero = self.constant(f"{tensor}.zero", zero_point)
        self.node("QuantizeLinear", [tensor, scale, zero], f"{tensor}.u8")
        self._scales[f"{tensor}.back"] = step
        return self.node("DequantizeLinear", [f"{tensor}.u8", scale, zero], f"{tensor}.back")

    def operator(
        self, operator: str, inputs: Sequence[str], name: str, *, like: str | None = None, **attributes: Any
    ) -> str:
        """Add a node behind a fence."""
        return self.fenced(self.node(operator, inputs, name, **attributes), like=like)

    def convolution(
        self,
        tensor: str,
        kernel: Floats,
        bias: Floats,
        name: str,
        *,
        strides: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
        group: int = 1,
        weight_limit: int = 127,
    ) -> str:
        """Add a convolution with an (outputs, inputs / group, rows, columns) kernel, behind a fence.

        Processors with AVX2 but without VNNI add products in pairs of 16 bits, which overflow where bright pixels
        meet large weights: a `weight_limit` of 63 keeps them exact, at the price of one bit.
        """
        inputs = [tensor, *self._weights(tensor, kernel, bias, name, limit=weight_limit)]
        shape = list(kernel.shape[2:])
        return self.operator("Conv", inputs, name, kernel_shape=shape, strides=strides, pads=pads, group=group)

    def _weights(self, tensor: str, kernel: Floats, bias: Floats, name: str, *, limit: int) -> tuple[str, str]:
        if self._ranges is None:
            return self.constant(f"{name}.kernel", kernel), self.constant(f"{name}.bias", bias)
        steps = (np.maximum(np.abs(kernel).max(axis=(1, 2, 3)), 1e-8) / limit).astype(np.float32)
        kernel_s8 = np.clip(np.rint(kernel / steps[:, None, None, None]), -limit, limit).astype(np.int8)
        bias_steps = (steps * self._scales[tensor]).astype(np.float32)
        bias_s32 = np.rint(bias / bias_steps).astype(np.int32)
        return (
            self._dequantised(f"{name}.kernel", kernel_s8, steps),
            self._dequantised(f"{name}.bias", bias_s32, bias_steps),
        )

    def _dequantised(self, name: str, values: NDArray[Any], steps: Floats) -> str:
        zeros = self.constant(f"{name}.zero", np.zeros(len(steps), values.dtype))
        inputs = [self.constant(f"{name}.stored", values), self.constant(f"{name}.scale", steps), zeros]
        return self.node("DequantizeLinear", inputs, name, axis=0)

    def finish(
        self,
        name: str,
        picture: tuple[str, Sequence[int | str]],
        outputs: Mapping[str, Sequence[int | str]],
        *,
        kind: int = TensorProto.UINT8,
    ) -> onnx.ModelProto:
        """Return the checked model: one picture of `kind` in, float32 tables out. It holds nothing that varies."""
        taken = [helper.make_tensor_value_info(picture[0], kind, picture[1])]
        given = [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in outputs.items()]
        graph = helper.make_graph(self._nodes, name, taken, given, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="ruid")
        model.ir_version = _IR_VERSION
        onnx.checker.check_model(model)
        return model


def _affine(limits: tuple[float, float]) -> tuple[np.float32, np.uint8]:
    """Return step and zero point of the uint8 numbers that hold a range and zero exactly."""
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    step = np.float32(max(high - low, 1e-8) / 255)
    return step, np.uint8(round(-low / float(step)))


def stored_bytes(model: onnx.ModelProto) -> bytes:
    """Return a model as its file holds it: the same model gives the same bytes."""
    return bytes(model.SerializeToString(deterministic=True))  # pyright: ignore[reportUnknownArgumentType]
