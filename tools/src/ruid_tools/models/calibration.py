"""Pictures to calibrate with, and the ranges that a network's tensors take on them.

A range is rounded outwards to eight bits of mantissa: floating-point sums differ in the last digits between
processors, and the shipped file should not.
"""

import math
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ruid_tools.errors import ToolError
from ruid_tools.models.qdq import stored_bytes

Picture = NDArray[np.uint8]
Limits = dict[str, tuple[float, float]]

KEPT_SHARE = 0.97
"""Of an embedder's crops; cutting off what the others reach beyond brings 8-bit cosines a quarter closer to float."""
_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png"}


class PictureSourceError(ToolError):
    """A source gives no pictures; the text says which and why."""


def read_pictures(source: Path, *, most: int) -> list[Picture]:
    """Return up to `most` BGR pictures spread evenly over a folder, a tar of pictures, or a video.

    Raises `PictureSourceError` where there is none, or one that cannot be read.
    """
    if not source.exists():
        raise PictureSourceError(f"no pictures at {source}: there is nothing of that name")
    if source.is_dir():
        pictures = _folder_pictures(source, most)
    elif tarfile.is_tarfile(source):
        pictures = _tar_pictures(source, most)
    else:
        pictures = _video_pictures(source, most)
    taken = list(pictures)
    if not taken:
        raise PictureSourceError(f"no pictures at {source}: give a folder of .jpg or .png, a .tar of them, or a video")
    return taken


def letterboxed(picture: Picture, *, width_px: int, height_px: int, grey: int = 112) -> Picture:
    """Return a picture scaled with its aspect kept, in the middle of a grey one of the given size."""
    scale = min(width_px / picture.shape[1], height_px / picture.shape[0])
    width, height = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    canvas = np.full((height_px, width_px, 3), grey, np.uint8)
    left, top = (width_px - width) // 2, (height_px - height) // 2
    canvas[top : top + height, left : left + width] = cv2.resize(picture, (width, height))
    return canvas


def measure_ranges(
    model: onnx.ModelProto, names: Sequence[str], pictures: Sequence[Picture], *, share: float = 1.0
) -> Limits:
    """Return each named tensor's least and greatest value over pictures of one size.

    `share` of the pictures keep all their values within; the rest is cut off, and steps of 8 bits are finer for it.
    """
    session = watching(model, names)
    lows: list[list[float]] = []
    highs: list[list[float]] = []
    for picture in pictures:
        outputs: list[NDArray[Any]] = session.run(list(names), {"images": picture[None]})
        lows.append([float(tensor.min()) for tensor in outputs])
        highs.append([float(tensor.max()) for tensor in outputs])
    low, high = np.quantile(lows, 1 - share, axis=0), np.quantile(highs, share, axis=0)
    limits = zip(names, low, high, strict=True)
    return {name: (_outwards(float(least)), _outwards(float(most))) for name, least, most in limits}


def watching(model: onnx.ModelProto, names: Sequence[str]) -> Any:
    """Return an onnxruntime session whose outputs are the named tensors.

    One thread: several wait for each other at every operator where other programs run beside them.
    """
    watching = onnx.ModelProto()
    watching.CopyFrom(model)
    del watching.graph.output[:]
    watching.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    runtime: Any = ort
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(stored_bytes(watching), options, providers=["CPUExecutionProvider"])


def _outwards(value: float) -> float:
    """Return the value rounded away from zero to eight bits."""
    mantissa, exponent = math.frexp(value)
    return math.copysign(math.ldexp(math.ceil(abs(mantissa) * 256) / 256, exponent), value)


def _spread(items: Sequence[Any], most: int) -> list[Any]:
    return [items[index] for index in np.linspace(0, len(items) - 1, min(most, len(items))).astype(int)]


def _decoded(encoded: bytes, name: str) -> Picture:
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR) if encoded else None
    if picture is None:
        raise PictureSourceError(f"{name} cannot be read as a picture")
    return np.asarray(picture, np.uint8)


def _folder_pictures(source: Path, most: int) -> Iterator[Picture]:
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in _PICTURE_SUFFIXES)
    for path in _spread(paths, most):
        yield _decoded(path.read_bytes(), str(path))


def _tar_pictures(source: Path, most: int) -> Iterator[Picture]:
    with tarfile.open(source) as archive:
        members = sorted((member for member in archive if member.isfile()), key=lambda member: member.name)
        for member in _spread(members, most):
            stream = archive.extractfile(member)
            if stream is not None:
                yield _decoded(stream.read(), f"{source}: {member.name}")


def _video_pictures(source: Path, most: int) -> Iterator[Picture]:
    video = cv2.VideoCapture(str(source))
    wanted = set(_spread(range(int(video.get(cv2.CAP_PROP_FRAME_COUNT))), most))
    for index in range(max(wanted, default=-1) + 1):
        taken, frame = video.read()
        if not taken:
            return
        if index in wanted:
            yield np.asarray(frame, np.uint8)
