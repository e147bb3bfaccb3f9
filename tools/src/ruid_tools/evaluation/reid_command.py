"""`ruid eval reid`."""

import json as json_text
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ruid_edge.inference import InferenceError
from ruid_edge.inference.cards import find_model
from ruid_tools.errors import ToolError
from ruid_tools.evaluation.reid import ReidReport, eval_reid


class ReidEvaluationError(ToolError):
    """A model cannot be scored; the text says what to do."""


def reid(
    *,
    data: list[Path],
    model: str = "reid-osnet",
    runtime: str = "onnxruntime",
    threads: int = 1,
    json: bool = False,
) -> None:
    """Score an embedder on re-identification sets, by the Market-1501 protocol.

    Parameters
    ----------
    data
        Folder in Market-1501 layout; may be given several times.
    model
        A shipped name, or the path of an ONNX file or an OpenVINO .xml that takes raw BGR.
    runtime
        onnxruntime, openvino or ncnn.
    threads
        Threads of the network.
    json
        Print JSON: one object, or a list where several folders are given.
    """
    reports = [_report(folder, model, runtime=runtime, threads=threads) for folder in data]
    figures = [_rounded(report) for report in reports]
    if json:
        Console().print_json(json_text.dumps(figures if len(figures) > 1 else figures[0]))
        return
    table = Table("set", "mAP", "rank 1", "rank 5", "rank 10", "queries", "gallery", "ms b1", "ms b8")
    for report in reports:
        shares = (f"{share:.3f}" for share in (report.mAP, report.rank1, report.rank5, report.rank10))
        times = (f"{span:.2f}" for span in (report.ms_per_crop_b1, report.ms_per_crop_b8))
        table.add_row(report.dataset, *shares, str(report.queries), str(report.gallery), *times)
    Console().print(table)


def _report(folder: Path, model: str, *, runtime: str, threads: int) -> ReidReport:
    path = Path(model)
    try:
        found = path if path.suffix == ".xml" else find_model(model).path
        model_id = path.stem if path.suffix == ".xml" else find_model(model).model_id
        return eval_reid(folder, model=found, model_id=model_id, runtime=runtime, threads=threads)
    except InferenceError as error:
        raise ReidEvaluationError(str(error)) from error


def _rounded(report: ReidReport) -> dict[str, object]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(report).items()}
