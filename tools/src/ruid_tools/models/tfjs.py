"""Read the weights of a TensorFlow.js graph model; the format is a JSON manifest beside a flat binary file."""

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[Any]]


_STORED = {"float16", "float32", "int32", "bool"}


def read_weights(model_json: Path) -> Weights:
    """Return every weight by its name.

    Weights stored as float16 come back in their original type. Affine `uint8` compression is not read: the
    models built here do not use it, and it raises ValueError.
    """
    manifest: list[dict[str, Any]] = json.loads(model_json.read_text(encoding="utf-8"))["weightsManifest"]
    weights: Weights = {}
    for group in manifest:
        stored = b"".join((model_json.parent / path).read_bytes() for path in group["paths"])
        offset = 0
        for entry in group["weights"]:
            weights[entry["name"]], offset = _read_one(entry, stored, offset)
    return weights


def _read_one(entry: Mapping[str, Any], stored: bytes, offset: int) -> tuple[NDArray[Any], int]:
    """Return a weight and where the next one begins."""
    shape: list[int] = entry["shape"]
    kept_as = str(entry.get("quantization", entry)["dtype"])
    if kept_as not in _STORED:
        raise ValueError(f"weight {entry['name']} is stored as {kept_as}, which is not supported")
    flat = np.frombuffer(stored, np.dtype(kept_as).newbyteorder("<"), count=prod(shape), offset=offset)
    return flat.astype(str(entry["dtype"])).reshape(shape), offset + flat.nbytes
