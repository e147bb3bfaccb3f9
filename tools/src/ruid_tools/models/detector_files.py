"""Names of the files that the detector is made of, and of those that the workshop makes."""

from pathlib import Path

INT8_FILE = "detector-nanodet-g.int8.onnx"
FLOAT_FILE = "detector-nanodet-g.fp32.onnx"
PLANES_FILE = "nanodet_planes.onnx"
"""The float graph for converters such as pnnx, which leaves no hyphens in names."""

RANGES_FILE = "ranges.json"
TUNED_FILE = Path(__file__).with_name("detector_head.npz")
"""The tuned layers behind the backbone, which `ruid train detector` makes."""
