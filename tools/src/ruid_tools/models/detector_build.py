"""Make the detector's files; runs inside the workshop as `python -m ruid_tools.models.detector_build`."""

import argparse
import json
from pathlib import Path

from ruid_tools.models.calibration import letterboxed, measure_ranges, read_pictures
from ruid_tools.models.detector_files import FLOAT_FILE, INT8_FILE, RANGES_FILE
from ruid_tools.models.nanodet import build_graph, read_layers, watched_tensors
from ruid_tools.models.qdq import stored_bytes

_SIDE_PX = 416


def build(model_json: Path, calibration: list[tuple[Path, int]], out: Path) -> None:
    """Write the float and the 8-bit graph, and the ranges between them, into `out`."""
    layers = read_layers(model_json)
    graph = build_graph(layers)
    pictures = [picture for source, most in calibration for picture in read_pictures(source, most=most)]
    squares = [letterboxed(picture, width_px=_SIDE_PX, height_px=_SIDE_PX) for picture in pictures]
    ranges = measure_ranges(graph, watched_tensors(layers), squares)
    out.mkdir(parents=True, exist_ok=True)
    (out / FLOAT_FILE).write_bytes(stored_bytes(graph))
    (out / INT8_FILE).write_bytes(stored_bytes(build_graph(layers, ranges)))
    (out / RANGES_FILE).write_text(json.dumps({"pictures": len(squares), "ranges": ranges}, indent=1))


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-json", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--calibration", nargs=2, action="append", metavar=("SOURCE", "MOST"), required=True)
    options = parser.parse_args()
    build(options.model_json, [(Path(source), int(most)) for source, most in options.calibration], options.out)


if __name__ == "__main__":
    _main()
