"""Make the embedder's files; runs inside the workshop as `python -m ruid_tools.models.reid_build`."""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx

from ruid_tools.models.bias_correction import correct_biases
from ruid_tools.models.calibration import KEPT_SHARE, Picture, measure_ranges, read_pictures
from ruid_tools.models.qdq import stored_bytes
from ruid_tools.models.reid_equalise import equalised, refit_head
from ruid_tools.models.reid_files import FACTS_FILE, FLOAT_FILE, INT8_FILE
from ruid_tools.models.reid_osnet import CropSize, build_graph, read_weights, watched_tensors

_CORRECTED_ON = 100
"""Crops; the network runs on them once for each convolution."""


def build(weights_file: Path, size: CropSize, calibration: list[tuple[Path, int]], out: Path) -> None:
    """Write the float and the 8-bit graph into `out`; `calibration` names folders of crops and how many of each."""
    crops = [_fitted(crop, size) for source, most in calibration for crop in read_pictures(source, most=most)]
    weights = equalised(read_weights(weights_file), size, crops)
    graph = build_graph(weights, size)
    ranges = measure_ranges(graph, watched_tensors(weights, size), crops, share=KEPT_SHARE)
    out.mkdir(parents=True, exist_ok=True)
    (out / FACTS_FILE).write_text(json.dumps(count_work(graph)), encoding="utf-8")
    (out / FLOAT_FILE).write_bytes(stored_bytes(graph))
    quantised = build_graph(weights, size, ranges)
    correct_biases(quantised, graph, crops[:: max(1, len(crops) // _CORRECTED_ON)])
    refit_head(quantised, graph, crops)
    (out / INT8_FILE).write_bytes(stored_bytes(quantised))


def count_work(graph: onnx.ModelProto) -> dict[str, float]:
    """Return `gflop` for one crop (two for each multiplication with addition of its convolutions) and `parameters`."""
    shaped: Any = onnx.shape_inference.infer_shapes(graph).graph
    constants = {constant.name: list(constant.dims) for constant in shaped.initializer}
    sizes = {value.name: [side.dim_value for side in value.type.tensor_type.shape.dim] for value in shaped.value_info}
    products = sum(
        math.prod(constants[node.input[1]]) * math.prod(sizes[node.output[0]][2:])
        for node in shaped.node
        if node.op_type == "Conv"
    )
    return {"gflop": round(2e-9 * products, 4), "parameters": sum(map(math.prod, constants.values()))}


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
