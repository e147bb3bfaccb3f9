"""Embeddings as bytes: rows of little-endian float16.

Half precision moves a cosine by less than 1e-3 and halves what crosses the network and fills the spool.
"""

import numpy as np
from numpy.typing import NDArray

from ruid_core.wire.errors import InvalidContent
from ruid_core.wire.messages import Tracklet

_NORM_TOLERANCE = 1e-2


def pack_embeddings(embeddings: NDArray[np.float32]) -> bytes:
    """Return (K, D) unit rows as bytes."""
    return embeddings.astype("<f2").tobytes()


def embedding_dim(tracklet: Tracklet) -> int:
    """Of how many values each of its embeddings is; 1 where there is none."""
    return len(tracklet.embeddings) // (2 * len(tracklet.qualities)) if tracklet.qualities else 1


def unpack_embeddings(packed: bytes, *, dim: int) -> NDArray[np.float32]:
    """Return the (K, dim) rows, normalised anew.

    Raises `InvalidContent` with the code `embedding_size`, `embedding_not_finite` or `embedding_norm`.
    """
    if dim <= 0 or len(packed) % (2 * dim):
        raise InvalidContent("embedding_size", f"{len(packed)} bytes do not hold rows of {dim} half floats")
    rows = np.frombuffer(packed, "<f2").astype(np.float32).reshape(-1, dim)
    # The squares of half floats cannot overflow: a length is finite exactly where its row is.
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if not np.isfinite(norms).all():
        raise InvalidContent("embedding_not_finite", "an embedding holds a value that is not a number")
    if (np.abs(norms - 1) > _NORM_TOLERANCE).any():
        raise InvalidContent("embedding_norm", "an embedding is not of unit length")
    rows /= norms[:, None]
    return rows
