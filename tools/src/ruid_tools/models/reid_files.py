"""Names of the embedder's files."""

CARD_NAME = "reid-osnet"
INT8_FILE = "reid-osnet.int8.onnx"
FLOAT_FILE = "reid-osnet.fp32.onnx"
WEIGHTS_FILE = "reid-osnet.weights.npz"
FACTS_FILE = "reid-osnet.facts.json"
