"""Take the mean error of each quantised convolution out of its bias. Runs in the workshop.

Rounding weights and activations shifts what a channel gives on average, and the shifts add up from layer to layer.
The mean of each channel over pictures is compared with float's, one convolution after the other, each behind those
already corrected (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019,
section 4.2, with pictures instead of batch norms' statistics).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ruid_tools.models.calibration import Picture, watching

Floats = NDArray[np.float32]
_BATCH = 8


def correct_biases(quantised: onnx.ModelProto, graph: onnx.ModelProto, pictures: Sequence[Picture]) -> None:
    """Change the biases of `quantised` so that each convolution's channels have the means that `graph` gives them.

    Both graphs are of one `GraphWriter`: a convolution's output has one name in both. Pictures are of the input's size.
    """
    stored = {constant.name: constant for constant in quantised.graph.initializer}
    pairs = {node.output[0]: node.input for node in quantised.graph.node if node.op_type == "DequantizeLinear"}
    convolutions = [node for node in quantised.graph.node if node.op_type == "Conv"]
    names = [node.output[0] for node in convolutions]
    wanted = dict(zip(names, _channel_means(graph, names, pictures), strict=True))
    for node in convolutions:
        name, pair = node.output[0], pairs[node.input[2]]
        error = _channel_means(quantised, [name], pictures)[0] - wanted[name]
        steps: Floats = numpy_helper.to_array(stored[pair[1]])
        bias = numpy_helper.to_array(stored[pair[0]]) - np.rint(error / steps)
        stored[pair[0]].CopyFrom(numpy_helper.from_array(bias.astype(np.int32), pair[0]))


def _channel_means(model: onnx.ModelProto, names: list[str], pictures: Sequence[Picture]) -> list[NDArray[np.float64]]:
    session = watching(model, names)
    sums: list[Any] = [0] * len(names)
    for begin in range(0, len(pictures), _BATCH):
        outputs = session.run(names, {"images": np.stack(pictures[begin : begin + _BATCH])})
        means = [tensor.mean(axis=(2, 3)).sum(axis=0, dtype=np.float64) for tensor in outputs]
        sums = [total + mean for total, mean in zip(sums, means, strict=True)]
    return [total / len(pictures) for total in sums]
