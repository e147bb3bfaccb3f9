"""The shipped models, each `.onnx` file beside its `.card.json`; `ruid models verify` checks one against the other."""
