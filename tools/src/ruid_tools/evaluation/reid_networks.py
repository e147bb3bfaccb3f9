"""Open a ReID network behind one small value: crops in, unit embeddings out.

A network has one picture input of fixed height and width and one embedding output. It takes raw BGR pixels, uint8
(N, H, W, 3) as RuID ships it, or float32 (N, 3, H, W) as Intel's person-reidentification-retail models do.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ruid_edge.inference import open_runtime
from ruid_edge.inference.pictures import read_layout
from ruid_edge.inference.runtimes import read_inputs
from ruid_tools.errors import ToolError

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


class ReidNetworkError(ToolError):
    """A ReID network cannot be opened; `reason` says what to do."""

    def __init__(self, model: Path, reason: str) -> None:
        super().__init__(model, reason)
        self.model = model
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.model}: {self.reason}"


class UnreadablePictureError(ToolError):
    """A picture cannot be decoded; `path` says which."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} cannot be read as a picture"


@dataclass(frozen=True, slots=True)
class ReidNetwork:
    """An opened network: its input size, and its function from crops (N, H, W, 3), BGR, to raw embeddings (N, D)."""

    height_px: int
    width_px: int
    run: Callable[[Pixels], Floats]

    def embed(self, crops: Pixels) -> Floats:
        """BGR crops (N, height_px, width_px, 3) -> unit embeddings (N, D)."""
        raw = self.run(crops)
        return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


def open_reid_network(model: Path, *, runtime: str = "onnxruntime", threads: int = 1) -> ReidNetwork:
    """Open a model file; an OpenVINO IR (.xml) is opened by OpenVINO whatever `runtime` says.

    Raises `ReidNetworkError` where the file is missing or its input is no picture of a fixed size, and the
    `InferenceError`s of `ruid_edge.inference`.
    """
    if not model.exists():
        raise ReidNetworkError(model, "no such file")
    return _open_ir(model, threads) if model.suffix == ".xml" else _open_onnx(model, runtime, threads)


def read_crop(path: Path, *, height_px: int, width_px: int) -> Pixels:
    """Return the picture as BGR (height_px, width_px, 3), scaled bilinearly without keeping its aspect."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise UnreadablePictureError(path)
    return np.asarray(cv2.resize(picture, (width_px, height_px), interpolation=cv2.INTER_LINEAR), np.uint8)


def _open_onnx(model: Path, runtime: str, threads: int) -> ReidNetwork:
    layout = read_layout(model, read_inputs(model))
    if not isinstance(layout.height, int) or not isinstance(layout.width, int):
        raise ReidNetworkError(model, "its height and width must be fixed: export it again with them")
    opened = open_runtime(runtime, model, threads=threads)
    channels_last, dtype = layout.channels_last, layout.dtype

    def run(crops: Pixels) -> Floats:
        tensor = crops if channels_last else crops.transpose(0, 3, 1, 2)
        raw = opened.run(np.ascontiguousarray(tensor, dtype))[0]
        return raw.reshape(len(crops), -1).astype(np.float32)

    return ReidNetwork(layout.height, layout.width, run)


def _open_ir(model: Path, threads: int) -> ReidNetwork:
    try:
        openvino: Any = importlib.import_module("openvino")
    except ImportError as error:
        raise ReidNetworkError(model, "needs OpenVINO; install it with: pip install openvino") from error
    core: Any = openvino.Core()
    network: Any = core.read_model(str(model))
    _, channels, height_px, width_px = (int(side) for side in network.inputs[0].shape)
    network.reshape([-1, channels, height_px, width_px])
    compiled: Any = core.compile_model(network, "CPU", {"INFERENCE_NUM_THREADS": threads})

    def run(crops: Pixels) -> Floats:
        planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
        return np.asarray(compiled(planes)[0], np.float32).reshape(len(crops), -1)

    return ReidNetwork(height_px, width_px, run)
