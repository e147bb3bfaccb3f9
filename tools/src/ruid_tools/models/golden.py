"""The golden input: a picture made of arithmetic, and what a network answers to it.

A network in 8 bits answers a little differently on each kind of processor, so answers are compared by direction:
cosine similarity of a sample of the outputs' values.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ruid_core.vision import Size
from ruid_edge.inference.pictures import InputLayout, read_layout
from ruid_edge.inference.runtimes import open_runtime, read_inputs

SIMILARITY_MIN = 0.97
_OPEN_SIZE = Size(160, 128)
_SAMPLES = 64


def golden_values(path: Path, *, runtime: str = "onnxruntime") -> list[float]:
    """Return 64 values spread evenly over a network's answer to the golden input.

    Sides that the network leaves open are 160 wide, 128 high. Raises `InferenceError`s for what is no network of
    pictures.
    """
    layout = read_layout(path, read_inputs(path))
    size = Size(_length(layout.width, _OPEN_SIZE.width_px), _length(layout.height, _OPEN_SIZE.height_px))
    sides = _open_sides(layout, size)
    network = open_runtime(runtime, path, threads=1, sides=sides)
    answers = network.run(golden_input(layout, size))
    values = np.concatenate([answer.ravel() for answer in answers]).astype(np.float64)
    picked = values[np.linspace(0, len(values) - 1, min(_SAMPLES, len(values))).astype(int)]
    return [round(float(value), 5) for value in picked]


def golden_input(layout: InputLayout, size: Size) -> NDArray[Any]:
    """Return a batch of soft stripes and steps: every pixel from its place alone, by whole numbers."""
    rows, columns, channels = np.ogrid[0 : size.height_px, 0 : size.width_px, 0:3]
    steps = (rows // 16 * 37 + columns // 8 * 59) % 160
    picture = (steps + (rows * 3 + columns * 2 + channels * 29) % 96).astype(np.uint8)
    batch = picture[None] if layout.channels_last else picture.transpose(2, 0, 1)[None]
    count = _length(layout.batch, 1)
    return np.ascontiguousarray(np.repeat(batch, count, axis=0).astype(layout.dtype))


def similarity(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the cosine similarity of two answers; 0 where their lengths differ or one is all zeros."""
    if len(left) != len(right):
        return 0.0
    lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(np.dot(left, right)) / lengths if lengths > 0 else 0.0


def _length(side: int | str, otherwise: int) -> int:
    return side if isinstance(side, int) else otherwise


def _open_sides(layout: InputLayout, size: Size) -> dict[str, int]:
    wanted = {layout.batch: 1, layout.height: size.height_px, layout.width: size.width_px}
    return {side: length for side, length in wanted.items() if isinstance(side, str)}
