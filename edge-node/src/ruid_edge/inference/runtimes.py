"""Runtimes behind one small protocol; threads are set here and nowhere else.

A runtime has `inputs` and gives `run`. onnxruntime is the default and always there; openvino and ncnn are optional
extras, and ncnn wants converted files.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ruid_edge.inference.errors import NotAModelError, RuntimeMissingError

Array = NDArray[Any]

# onnxruntime keeps a database of its use for its maker unless told otherwise before it starts (its Privacy.md).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
_ort: Any = import_module("onnxruntime")  # typed in part only

_CHANNELS = 3
_TURNS = (4, 1)
"""How many pictures OpenVINO is given at once where the batch is open: the largest turn first."""

_CONVERT = (
    "it reads no ONNX: convert {} with pnnx to {}, or use onnxruntime or openvino (docs/models.md says how ncnn runs "
    "RuID's own detector)"
)
_DTYPES = {"tensor(float)": np.dtype(np.float32), "tensor(uint8)": np.dtype(np.uint8)}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A network's input: its name, its shape with names for sides left open, its type (None: not one we feed)."""

    name: str
    shape: tuple[int | str, ...]
    dtype: np.dtype[Any] | None


class Runtime(Protocol):
    """A loaded network. Not for use by two threads at once."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What the network takes."""
        ...

    def run(self, tensor: Array) -> list[Array]:
        """Return the outputs for the first input, in the network's order."""
        ...


def open_runtime(name: str, path: Path, *, threads: int, sides: Mapping[str, int] | None = None) -> Runtime:
    """Load a network with sides left open fixed to `sides`, by name.

    Raises `RuntimeMissingError` for a runtime that is not there and `NotAModelError` for a file it cannot read.
    """
    if name not in _OPENERS:
        raise RuntimeMissingError(name, f"choose one of {', '.join(RUNTIMES)}")
    return _OPENERS[name](path, threads, sides or {})


def read_inputs(path: Path) -> tuple[TensorSpec, ...]:
    """Return what a network takes, without preparing it to run."""
    options = _ort.SessionOptions()
    options.graph_optimization_level = _ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return _specs(_open_session(path, options))


class _OnnxRuntime:
    """onnxruntime on the CPU. Spinning is off: two networks on few cores would burn each other's time."""

    def __init__(self, path: Path, threads: int, sides: Mapping[str, int]) -> None:
        options = _ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        for side, length in sides.items():
            options.add_free_dimension_override_by_name(side, length)
        self._session: Any = _open_session(path, options)
        self._inputs = _specs(self._session)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._inputs

    def run(self, tensor: Array) -> list[Array]:
        outputs: Sequence[Any] = self._session.run(None, {self._inputs[0].name: tensor})
        return list(outputs)


class _OpenVino:
    """OpenVINO on the CPU, at the latency of one picture at a time.

    A batch left open is worked on in turns of known sizes, one compiled network for each: for a batch of unknown size
    OpenVINO computes half as long again. Its threads are not pinned: a pinned one waits for whatever else has its core.
    """

    def __init__(self, path: Path, threads: int, sides: Mapping[str, int]) -> None:
        try:
            openvino = import_module("openvino")
        except ImportError as error:
            raise RuntimeMissingError("openvino", "install it with: pip install openvino") from error
        self._inputs = read_inputs(path)
        batch, *picture = _fixed(self._inputs[0].shape, sides)
        counts = (batch,) if isinstance(batch, int) else _TURNS
        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
        core: Any = openvino.Core()
        self._compiled: dict[int, Any] = {}
        for count in counts:
            network: Any = core.read_model(str(path))
            network.reshape([count, *(-1 if isinstance(side, str) else side for side in picture)])
            self._compiled[count] = core.compile_model(network, "CPU", settings)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._inputs

    def run(self, tensor: Array) -> list[Array]:
        turns = list(self._in_turns(tensor))
        return turns[0] if len(turns) == 1 else [np.concatenate(parts) for parts in zip(*turns, strict=True)]

    def _in_turns(self, tensor: Array) -> Iterator[list[Array]]:
        start = 0
        for count, compiled in self._compiled.items():
            while len(tensor) - start >= count:
                yield [np.asarray(output) for output in compiled([tensor[start : start + count]]).values()]
                start += count


class _Ncnn:
    """ncnn on the CPU. It reads no ONNX: beside `x.onnx` lie `x.ncnn.param` and `x.ncnn.bin`, converted by pnnx.

    A converted network takes planes (channels, height, width) and one picture at a time. pnnx calls its outputs out0,
    out1 and so on, in the order of the ONNX file; ncnn names them in an order of its own. It works on what it is given
    in place, and breaks on memory that is not its own: each picture is copied.
    """

    def __init__(self, path: Path, threads: int, sides: Mapping[str, int]) -> None:
        try:
            ncnn = import_module("ncnn")
        except ImportError as error:
            raise RuntimeMissingError("ncnn", "install it with: pip install ncnn") from error
        converted = path.with_suffix(".ncnn.param")
        if not converted.is_file():
            raise RuntimeMissingError("ncnn", _CONVERT.format(path.name, converted.name))
        self._inputs = tuple(replace(spec, shape=_fixed(spec.shape, sides)) for spec in read_inputs(path))
        self._module: Any = ncnn
        self._network: Any = ncnn.Net()
        self._network.opt.num_threads = threads
        if self._network.load_param(str(converted)) or self._network.load_model(str(converted.with_suffix(".bin"))):
            raise NotAModelError(str(converted), "ncnn does not know one of its layers, or its .bin is missing")
        self._outputs: list[str] = sorted(self._network.output_names(), key=lambda name: (len(name), name))

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._inputs

    def run(self, tensor: Array) -> list[Array]:
        rows = [self._run_one(_planes(picture)) for picture in tensor]
        return [np.stack(output) for output in zip(*rows, strict=True)]

    def _run_one(self, planes: Array) -> list[Array]:
        extractor: Any = self._network.create_extractor()
        extractor.input(self._network.input_names()[0], self._module.Mat(planes).clone())
        return [np.array(extractor.extract(name)[1]) for name in self._outputs]


def _planes(picture: Array) -> Array:
    """(H, W, 3) or (3, H, W), any number type -> (3, H, W) float32."""
    planes = picture if len(picture) == _CHANNELS else picture.transpose(2, 0, 1)
    return np.ascontiguousarray(planes, np.float32)


def _fixed(shape: tuple[int | str, ...], sides: Mapping[str, int]) -> tuple[int | str, ...]:
    return tuple(sides.get(side, side) if isinstance(side, str) else side for side in shape)


_OPENERS: dict[str, Callable[[Path, int, Mapping[str, int]], Runtime]] = {
    "onnxruntime": _OnnxRuntime,
    "openvino": _OpenVino,
    "ncnn": _Ncnn,
}
RUNTIMES = tuple(_OPENERS)


def _open_session(path: Path, options: Any) -> Any:
    try:
        return _ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no public base
        raise NotAModelError(str(path), str(error).splitlines()[0]) from error


def _specs(session: Any) -> tuple[TensorSpec, ...]:
    entries = session.get_inputs()
    return tuple(TensorSpec(entry.name, _sides(entry.shape), _DTYPES.get(entry.type)) for entry in entries)


def _sides(shape: Sequence[int | str | None]) -> tuple[int | str, ...]:
    return tuple(f"side{axis}" if side is None else side for axis, side in enumerate(shape))
