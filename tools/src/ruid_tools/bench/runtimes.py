"""The shipped networks on each runtime that is installed: float and 8 bits, one and two threads, in turns in one run.

The embedder's float file is shipped. The detector's is made of its 8-bit file: the same weights as floats, without the
steps between. That is the float network's work, not its accuracy.
"""

import importlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ruid_core.vision import Size, input_size_for
from ruid_edge.inference import InferenceError, Runtime, find_model, open_runtime
from ruid_edge.inference.cards import models_folder
from ruid_edge.inference.pictures import read_layout
from ruid_edge.inference.runtimes import read_inputs
from ruid_tools.bench.float_twin import float_twin
from ruid_tools.models.reid_files import FLOAT_FILE

REFERENCE = "onnxruntime"
_CAMERA = Size(640, 480)
_BATCHES = (1, 8)
_QUANTILE = 0.1


_Key = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Workload:
    """A network in both precisions with the tensor that it is timed on; `float_file` None where it cannot be made."""

    name: str
    int8_file: Path
    float_file: Path | None
    tensor: NDArray[np.uint8]
    sides: dict[str, int] = field(default_factory=dict[str, int])

    def files(self) -> dict[str, Path]:
        """Return the files by precision."""
        return {"fp32": self.float_file, "int8": self.int8_file} if self.float_file else {"int8": self.int8_file}


@dataclass(slots=True)
class _Entry:
    workload: str
    runtime: str
    precision: str
    threads: int
    network: Runtime
    tensor: NDArray[np.uint8]
    timings_ms: list[float] = field(default_factory=list[float])
    cpu_ms: list[float] = field(default_factory=list[float])

    def time(self, clock: Callable[[], float]) -> None:
        """Run the network once; note the wall's and the processor's milliseconds per picture or crop."""
        cpu_s, started_s = time.process_time(), clock()
        self.network.run(self.tensor)
        self.timings_ms.append((clock() - started_s) * 1e3 / len(self.tensor))
        self.cpu_ms.append((time.process_time() - cpu_s) * 1e3 / len(self.tensor))


@dataclass(frozen=True, slots=True)
class RuntimeFigure:
    """One row: milliseconds per picture or crop, and two ratios, None where there is nothing to compare with.

    `cpu_ms` is the time of all processors together: on a busy machine it says more than `ms`.

    `times_reference`: how many times as fast as onnxruntime with the same file and threads. `times_fp32`: how many
    times as fast as the float file on the same runtime.
    """

    workload: str
    runtime: str
    precision: str
    threads: int
    ms: float
    cpu_ms: float
    times_reference: float | None
    times_fp32: float | None


def shipped_workloads(folder: Path) -> list[Workload]:
    """Return the detector for a 4:3 camera and the embedder at batch 1 and 8; what must be made goes into `folder`."""
    accurate, embedder = find_model("accurate"), find_model("reid-osnet").path
    detector, use = accurate.path, accurate.detector_use
    size = input_size_for(_CAMERA, long_side_px=use.long_side_px, short_side_4_3_px=use.short_side_4_3_px)
    height, width = size.height_px, size.width_px
    picture = np.random.default_rng(0).integers(0, 256, (1, height, width, 3)).astype(np.uint8)
    sides = {"height": height, "width": width}
    twin = float_twin(detector, folder / "detector.fp32.onnx")
    crops = np.random.default_rng(1).integers(0, 256, (max(_BATCHES), *_crop_shape(embedder))).astype(np.uint8)
    return [
        Workload(f"detector {width}×{height}", detector, twin, picture, sides),
        *(Workload(f"embedder, batch {n}", embedder, models_folder() / FLOAT_FILE, crops[:n]) for n in _BATCHES),
    ]


def _crop_shape(embedder: Path) -> tuple[int, int, int]:
    layout = read_layout(embedder, read_inputs(embedder))
    return int(layout.height), int(layout.width), 3


def bench_runtimes(
    workloads: Sequence[Workload],
    *,
    runtimes: Sequence[str],
    threads: Sequence[int],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Time every network on every runtime in turns; return `figures`, and `left_out` with the reason for each.

    What counts is the tenth percentile of a network's times: other programs interrupt more than half of the runs on a
    busy machine, and a median would tell of them.
    """
    left_out: list[dict[str, str]] = []
    entries = list(_opened(workloads, runtimes, threads, left_out))
    for _ in range(rounds + 1):
        for entry in entries:
            entry.time(clock)
    times_ms = {_key(entry): float(np.quantile(entry.timings_ms[1:], _QUANTILE)) for entry in entries}
    cpu_ms = {_key(entry): float(np.quantile(entry.cpu_ms[1:], _QUANTILE)) for entry in entries}
    return {
        "rounds": rounds,
        "how": "tenth percentile, all networks in turns",
        "versions": {name: _version(name) for name in runtimes},
        "figures": [_figure(key, times_ms, cpu_ms[key]) for key in times_ms],
        "left_out": left_out,
    }


def measure_shipped(*, runtimes: Sequence[str], threads: Sequence[int], rounds: int) -> dict[str, Any]:
    """`bench_runtimes` on the shipped networks."""
    with tempfile.TemporaryDirectory() as folder:
        return bench_runtimes(shipped_workloads(Path(folder)), runtimes=runtimes, threads=threads, rounds=rounds)


def _opened(
    workloads: Sequence[Workload], runtimes: Sequence[str], threads: Sequence[int], left_out: list[dict[str, str]]
) -> Iterator[_Entry]:
    for workload in workloads:
        for precision, path in workload.files().items():
            for runtime in runtimes:
                try:
                    for count in threads:
                        network = open_runtime(runtime, path, threads=count, sides=workload.sides)
                        yield _Entry(workload.name, runtime, precision, count, network, workload.tensor)
                except InferenceError as error:
                    left_out.append(
                        {"workload": workload.name, "runtime": runtime, "precision": precision, "reason": str(error)}
                    )


def _key(entry: _Entry) -> _Key:
    return entry.workload, entry.runtime, entry.precision, entry.threads


def _figure(key: _Key, times_ms: dict[_Key, float], cpu_ms: float) -> RuntimeFigure:
    workload, runtime, precision, threads = key
    own_ms = times_ms[key]
    reference_ms = times_ms.get((workload, REFERENCE, precision, threads))
    float_ms = times_ms.get((workload, runtime, "fp32", threads))
    return RuntimeFigure(
        workload=workload,
        runtime=runtime,
        precision=precision,
        threads=threads,
        ms=round(own_ms, 3),
        cpu_ms=round(cpu_ms, 3),
        times_reference=None if reference_ms is None else round(reference_ms / own_ms, 2),
        times_fp32=None if float_ms is None else round(float_ms / own_ms, 2),
    )


def _version(runtime: str) -> str | None:
    try:
        return str(importlib.import_module(runtime).__version__)
    except ImportError:
        return None
