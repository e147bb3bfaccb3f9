"""`eval_reid`: score an embedder on a folder in Market-1501 layout, and time it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ruid_tools.evaluation.reid_layout import GALLERY, QUERY, LabelledImage, find_reid_root, read_reid_split
from ruid_tools.evaluation.reid_networks import Pixels, ReidNetwork, open_reid_network, read_crop
from ruid_tools.evaluation.reid_protocol import LabelledEmbeddings, RetrievalScores, score_retrieval

_BATCH = 16
_TIMED_S = 1.0
_LEAST_TIMINGS = 10


@dataclass(frozen=True, slots=True)
class ReidReport:
    """Accuracy (fractions of 1) and time of one model on one set.

    `ms_per_crop_b1` and `ms_per_crop_b8` are medians at batch 1 and 8 on this machine: compare them only with figures
    of the same run.
    """

    model_id: str
    dataset: str
    runtime: str
    threads: int
    mAP: float
    rank1: float
    rank5: float
    rank10: float
    queries: int
    gallery: int
    ms_per_crop_b1: float
    ms_per_crop_b8: float


def eval_reid(
    data: Path,
    *,
    model: Path,
    model_id: str = "",
    runtime: str = "onnxruntime",
    threads: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> ReidReport:
    """Embed the folder's query and gallery, score them by the Market-1501 protocol, and time batches of 1 and 8.

    `model_id` is what the report calls the model; by default its file's name.

    Raises `ReidLayoutError`, `ReidNetworkError` or `NoAnswerableQueryError`.
    """
    network = open_reid_network(model, runtime=runtime, threads=threads)
    scores = score_set(network, data)
    sample = read_reid_split(data, QUERY)[:8]
    return ReidReport(
        model_id=model_id or model.stem,
        dataset=find_reid_root(data).name,
        runtime=runtime,
        threads=threads,
        mAP=scores.mean_average_precision,
        rank1=scores.rank1,
        rank5=scores.rank5,
        rank10=scores.rank10,
        queries=scores.queries,
        gallery=scores.gallery,
        ms_per_crop_b1=time_per_crop_ms(network, sample[:1], clock=clock),
        ms_per_crop_b8=time_per_crop_ms(network, sample, clock=clock),
    )


def score_set(network: ReidNetwork, data: Path) -> RetrievalScores:
    """Embed a folder's query and gallery and score them."""
    query, gallery = (embed_images(network, read_reid_split(data, split)) for split in (QUERY, GALLERY))
    return score_retrieval(query, gallery)


def embed_images(network: ReidNetwork, images: tuple[LabelledImage, ...]) -> LabelledEmbeddings:
    """Return unit embeddings of the pictures with their labels."""
    embeddings = [
        network.embed(np.stack([_crop(network, image) for image in images[first : first + _BATCH]]))
        for first in range(0, len(images), _BATCH)
    ]
    return LabelledEmbeddings(
        embeddings=np.concatenate(embeddings),
        identities=np.array([image.identity for image in images], dtype=np.int64),
        cameras=np.array([image.camera for image in images], dtype=np.int64),
    )


def time_per_crop_ms(
    network: ReidNetwork, images: tuple[LabelledImage, ...], *, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the median milliseconds per crop of the network alone, on one batch of these pictures."""
    crops = np.stack([_crop(network, image) for image in images])
    network.run(crops)
    timings_s: list[float] = []
    while len(timings_s) < _LEAST_TIMINGS or sum(timings_s) < _TIMED_S:
        started_s = clock()
        network.run(crops)
        timings_s.append(clock() - started_s)
    return float(np.median(timings_s)) * 1000 / len(images)


def _crop(network: ReidNetwork, image: LabelledImage) -> Pixels:
    return read_crop(image.path, height_px=network.height_px, width_px=network.width_px)
