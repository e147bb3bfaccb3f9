"""Read the weights of a TensorFlow.js graph model; the format is a JSON manifest beside a flat binary file."""

import json
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.generic]]


def read_weights(model_json: Path) -> Weights:
    """Return every weight by its name.

    Weights stored as float16 come back in their original type. Affine `uint8` compression is not read: the
    models built here do not use it, and it raises ValueError.
    """
    manifest = json.loads(model_json.read_text())["weightsManifest"]
    weights: Weights = {}
    for group in manifest:
        stored = b"".join((model_json.parent / path).read_bytes() for path in group["paths"])
        offset = 0
        for entry in group["weights"]:
            weights[entry["name"]], offset = _read_one(entry, stored, offset)
    return weights


def _read_one(entry: dict[str, object], stored: bytes, offset: int) -> tuple[NDArray[np.generic], int]:
    shape = [int(side) for side in entry["shape"]]  # type: ignore[attr-defined]
    kept_as = entry.get("quantization", entry)["dtype"]  # type: ignore[index]
    if kept_as not in {"float16", "float32", "int32", "bool"}:
        raise ValueError(f"weight {entry['name']} is stored as {kept_as}, which is not supported")
    dtype = np.dtype(str(kept_as)).newbyteorder("<")
    flat = np.frombuffer(stored, dtype, count=prod(shape), offset=offset)
    wanted = "bool" if kept_as == "bool" else str(entry["dtype"])
    return flat.astype(wanted).reshape(shape), offset + flat.nbytes
