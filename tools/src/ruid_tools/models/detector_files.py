"""Names of the files that the workshop makes of the detector."""

INT8_FILE = "detector-nanodet-g.int8.onnx"
FLOAT_FILE = "detector-nanodet-g.fp32.onnx"
RANGES_FILE = "ranges.json"
