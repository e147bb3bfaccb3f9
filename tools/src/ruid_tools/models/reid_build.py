"""Make the embedder's files; runs inside the workshop as `python -m ruid_tools.models.reid_build`."""

import argparse
from pathlib import Path

import cv2
import numpy as np

from ruid_tools.models.calibration import Picture, measure_ranges, read_pictures
from ruid_tools.models.qdq import stored_bytes
from ruid_tools.models.reid_equalise import equalised
from ruid_tools.models.reid_files import FLOAT_FILE, INT8_FILE
from ruid_tools.models.reid_osnet import CropSize, build_graph, read_weights, watched_tensors


def build(weights_file: Path, size: CropSize, calibration: list[tuple[Path, int]], out: Path) -> None:
    """Write the float and the 8-bit graph into `out`; `calibration` names folders of crops and how many of each."""
    crops = [_fitted(crop, size) for source, most in calibration for crop in read_pictures(source, most=most)]
    weights = equalised(read_weights(weights_file), size, crops)
    graph = build_graph(weights, size)
    ranges = measure_ranges(graph, watched_tensors(weights, size), crops)
    out.mkdir(parents=True, exist_ok=True)
    (out / FLOAT_FILE).write_bytes(stored_bytes(graph))
    (out / INT8_FILE).write_bytes(stored_bytes(build_graph(weights, size, ranges)))


def _fitted(crop: Picture, size: CropSize) -> Picture:
    return np.asarray(cv2.resize(crop, (size.width_px, size.height_px)), np.uint8)


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--height", type=int, required=True)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--calibration", nargs=2, action="append", metavar=("SOURCE", "MOST"), required=True)
    options = parser.parse_args()
    sources = [(Path(source), int(most)) for source, most in options.calibration]
    build(options.weights, CropSize(options.height, options.width), sources, options.out)


if __name__ == "__main__":
    _main()
