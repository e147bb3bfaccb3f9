"""`ruid eval quality`."""

import json as json_text
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ruid_edge.inference import find_model
from ruid_tools.evaluation.reid_networks import open_reid_network
from ruid_tools.evaluation.reid_quality import measure_quality


def quality(*, data: Path, model: str = "reid-osnet", seed: int = 0, json: bool = False) -> None:
    """Say what the crop quality score is worth, on a re-identification set whose gallery is hidden, cut and shrunk.

    Parameters
    ----------
    data
        Folder in Market-1501 layout.
    model
        A shipped name or the path of an ONNX file.
    seed
        Seeds distances, neighbours and cuts.
    json
        Print JSON.
    """
    network = open_reid_network(find_model(model).path)
    measured = asdict(measure_quality(network, data, rng=np.random.default_rng(seed)))
    figures = {name: round(value, 4) for name, value in measured.items()}
    if json:
        Console().print_json(json_text.dumps(figures))
        return
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, str(value))
    Console().print(table)
