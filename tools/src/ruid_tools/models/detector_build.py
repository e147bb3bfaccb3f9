"""Make the detector's files; runs inside the workshop as `python -m ruid_tools.models.detector_build`."""

import argparse
import json
from pathlib import Path

from ruid_tools.models.calibration import letterboxed, measure_ranges, read_pictures
from ruid_tools.models.detector_files import FLOAT_FILE, INT8_FILE, PLANES_FILE, RANGES_FILE
from ruid_tools.models.nanodet import TUNED_LAYERS, build_graph, build_planes, read_layers, read_tuned, watched_tensors
from ruid_tools.models.qdq import stored_bytes

_SIDE_PX = 416
_PLANES_HEIGHT_PX = 288


def build(model_json: Path, tuned: Path | None, calibration: list[tuple[Path, int]], out: Path) -> None:
    """Write the float and the 8-bit graph, the ranges between them, and a float graph for converters into `out`.

    `tuned` holds the layers behind the backbone; None takes the published ones.
    """
    layers = read_layers(model_json)
    if tuned is not None:
        layers = [*layers[:-TUNED_LAYERS], *read_tuned(tuned)]
    graph = build_graph(layers)
    pictures = [picture for source, most in calibration for picture in read_pictures(source, most=most)]
    squares = [letterboxed(picture, width_px=_SIDE_PX, height_px=_SIDE_PX) for picture in pictures]
    ranges = measure_ranges(graph, watched_tensors(layers), squares)
    out.mkdir(parents=True, exist_ok=True)
    (out / FLOAT_FILE).write_bytes(stored_bytes(graph))
    (out / INT8_FILE).write_bytes(stored_bytes(build_graph(layers, ranges)))
    planes = build_planes(layers, width_px=_SIDE_PX, height_px=_PLANES_HEIGHT_PX)
    (out / PLANES_FILE).write_bytes(stored_bytes(planes))
    (out / RANGES_FILE).write_text(json.dumps({"pictures": len(squares), "ranges": ranges}, indent=1))


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-json", type=Path, required=True)
    parser.add_argument("--tuned", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--calibration", nargs=2, action="append", metavar=("SOURCE", "MOST"), required=True)
    options = parser.parse_args()
    sources = [(Path(source), int(most)) for source, most in options.calibration]
    build(options.model_json, options.tuned, sources, options.out)


if __name__ == "__main__":
    _main()
