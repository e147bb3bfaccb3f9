"""Embeddings of a teacher network, computed once per picture and cached on disk.

The target for a picture is the normalised sum of the teacher's embeddings of the picture and of its mirror image:
mirroring a person changes nothing that should matter.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ruid_tools.evaluation.reid_networks import ReidNetwork, open_reid_network, read_crop
from ruid_tools.train.pixels import listing_key

Floats = NDArray[np.float32]

_BATCH = 16
_SAVE_EVERY_BATCHES = 64
_LEAST_VARIANCE = 1e-4


def cached_teacher_embeddings(paths: list[Path], *, model: Path, cache: Path, threads: int) -> Floats:
    """Return the teacher's unit embeddings (N, D) of the pictures; an interrupted computation goes on where it was."""
    cache.mkdir(parents=True, exist_ok=True)
    stored = cache / f"teacher-{model.stem}-{listing_key(paths)}.npy"
    if stored.exists():
        return np.load(stored)
    network = open_reid_network(model, threads=threads)
    embeddings = _embed_all(paths, network=network, partial=stored.with_suffix(".partial.npy"))
    np.save(stored, embeddings)
    return embeddings


def _embed_all(paths: list[Path], *, network: ReidNetwork, partial: Path) -> Floats:
    batches = [np.load(partial)] if partial.exists() else []
    start = len(batches[0]) if batches else 0
    for count, first in enumerate(range(start, len(paths), _BATCH), start=1):
        crops = [
            read_crop(path, height_px=network.height_px, width_px=network.width_px)
            for path in paths[first : first + _BATCH]
        ]
        batches.append(_embed_both_ways(network, np.stack(crops)))
        if count % _SAVE_EVERY_BATCHES == 0:
            np.save(partial, np.concatenate(batches))
    return np.concatenate(batches)


def _embed_both_ways(network: ReidNetwork, crops: NDArray[np.uint8]) -> Floats:
    """BGR crops (N, H, W, 3) -> unit embeddings (N, D)."""
    summed = network.embed(crops) + network.embed(crops[:, :, ::-1])
    return (summed / np.linalg.norm(summed, axis=1, keepdims=True)).astype(np.float32)


def spread(embeddings: Floats, *, strength: float) -> Floats:
    """Return unit embeddings centred and partly whitened: each principal direction divided by deviation^strength.

    What all pictures share says nothing about who is shown, and the teacher's strongest directions hide the others.
    """
    if strength == 0:
        return embeddings
    centred = embeddings - embeddings.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(centred.T))
    factors = (np.maximum(variances, 0) + _LEAST_VARIANCE) ** (-strength / 2)
    turned = centred @ (directions * factors) @ directions.T
    return (turned / np.linalg.norm(turned, axis=1, keepdims=True)).astype(np.float32)
