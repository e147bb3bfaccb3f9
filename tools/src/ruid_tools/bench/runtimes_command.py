"""`ruid bench runtimes`: the shipped networks on every runtime, side by side."""

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from ruid_edge.inference import RUNTIMES
from ruid_tools.bench.edge_peer import BenchError
from ruid_tools.bench.runtimes import RuntimeFigure, measure_shipped


def runtimes(
    *, runtime: list[str] | None = None, threads: list[int] | None = None, rounds: int = 60, json: bool = False
) -> None:
    """Time the shipped networks on each runtime, float and 8 bits, one and two threads, in one run.

    Parameters
    ----------
    runtime
        onnxruntime, openvino or ncnn; may be given several times, all if not given. One that is not installed is left
        out, and the reason stated.
    threads
        Numbers of threads, 1 or more; 1 and 2 if not given.
    rounds
        Times that each network is run, 1 or more.
    json
        Print one JSON document and nothing else.
    """
    wanted = runtime or list(RUNTIMES)
    unknown = [name for name in wanted if name not in RUNTIMES]
    if unknown:
        raise BenchError(f"there is no runtime {unknown[0]!r}: choose from {', '.join(RUNTIMES)}")
    if min(rounds, *(threads or [1])) < 1:
        raise BenchError("threads and rounds must be 1 or more")
    report = measure_shipped(runtimes=wanted, threads=threads or [1, 2], rounds=rounds)
    if json:
        Console().out(msgspec.json.encode(report).decode(), highlight=False)
    else:
        _tell(report, Console())


def _tell(report: dict[str, Any], console: Console) -> None:
    columns = ("network", "runtime", "precision", "threads", "ms", "processor ms", "× onnxruntime", "× its float")
    table = Table(*columns, title=f"{report['rounds']} rounds in turns, tenth percentile")
    figures: list[RuntimeFigure] = report["figures"]
    for figure in figures:
        ratios = ("" if ratio is None else f"{ratio:.2f}" for ratio in (figure.times_reference, figure.times_fp32))
        times = (f"{figure.ms:.2f}", f"{figure.cpu_ms:.2f}")
        table.add_row(figure.workload, figure.runtime, figure.precision, str(figure.threads), *times, *ratios)
    console.print(table)
    for reason in dict.fromkeys(missing["reason"] for missing in report["left_out"]):
        console.print(f"left out: {reason}", soft_wrap=True, markup=False)
