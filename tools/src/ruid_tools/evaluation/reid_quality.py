"""Does the crop quality score predict whether a crop can be trusted? A set's gallery, put into scenes that hurt it.

Every gallery picture becomes a person in a picture: at a random distance, with or without a neighbour who stands
before or behind, whole or cut by the picture's edge. The score sees the boxes alone; the embedder sees the pixels.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ruid_core.vision import crop_quality
from ruid_tools.evaluation.reid import embed_images
from ruid_tools.evaluation.reid_layout import GALLERY, QUERY, read_reid_split
from ruid_tools.evaluation.reid_networks import ReidNetwork, read_crop
from ruid_tools.evaluation.reid_protocol import LabelledEmbeddings, score_retrieval

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

_PICTURE_PX = (1280, 720)
_SOURCE_PX = (160, 64)
_HEIGHTS_PX = (32, 240)
_NEIGHBOUR_SHARE = 0.4
_CUT_SHARE = 0.25
_CUT_MOST = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A person's crop as a detector would cut it, and the boxes that the score sees, the person's first."""

    crop: Pixels
    boxes_xyxy_px: Floats


@dataclass(frozen=True, slots=True)
class QualityFigures:
    """What the score is worth.

    `rank_correlation`: Spearman's, between score and the cosine to the same person's query by another camera. `mAP_…`
    (fractions of 1): of the gallery's better half by score, of a random half, of the worse half.
    """

    crops: int
    rank_correlation: float
    mAP_better_half: float
    mAP_random_half: float
    mAP_worse_half: float


def measure_quality(network: ReidNetwork, data: Path, *, rng: Generator) -> QualityFigures:
    """Put the gallery of a folder in Market-1501 layout into scenes, and compare scores with what the embedder says."""
    query, gallery = embed_images(network, read_reid_split(data, QUERY)), read_reid_split(data, GALLERY)
    crops = [read_crop(image.path, height_px=_SOURCE_PX[0], width_px=_SOURCE_PX[1]) for image in gallery]
    scenes = [draw_scene(crop, crops[int(rng.integers(len(crops)))], rng=rng) for crop in crops]
    width_px, height_px = _PICTURE_PX
    scores = np.array(
        [crop_quality(scene.boxes_xyxy_px, width_px=width_px, height_px=height_px)[0] for scene in scenes]
    )
    seen = LabelledEmbeddings(
        embeddings=np.concatenate([network.embed(_fitted(scene.crop, network)[None]) for scene in scenes]),
        identities=np.array([image.identity for image in gallery]),
        cameras=np.array([image.camera for image in gallery]),
    )
    similarities, known = _similarities(query, seen)
    shuffled = rng.permutation(len(scores))
    return QualityFigures(
        crops=len(scores),
        rank_correlation=rank_correlation(scores[known], similarities[known]),
        mAP_better_half=_half_score(query, seen, np.argsort(-scores, kind="stable")),
        mAP_random_half=_half_score(query, seen, shuffled),
        mAP_worse_half=_half_score(query, seen, np.argsort(scores, kind="stable")),
    )


def draw_scene(crop: Pixels, neighbour: Pixels, *, rng: Generator) -> Scene:
    """Return the crop of a person (H, W, 3) as seen at a random distance, hidden or cut by chance."""
    height_px = _HEIGHTS_PX[0] * (_HEIGHTS_PX[1] / _HEIGHTS_PX[0]) ** rng.random()
    width_px = height_px * crop.shape[1] / crop.shape[0]
    size = (max(4, round(width_px)), max(8, round(height_px)))
    patch = np.array(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
    left, top = _PICTURE_PX[0] / 2, _PICTURE_PX[1] / 2 - height_px / 2
    box = np.array([left, top, left + width_px, top + height_px])
    boxes = [box]
    if rng.random() < _NEIGHBOUR_SHARE:
        shift = np.array([rng.uniform(-0.9, 0.9) * width_px, rng.uniform(-0.15, 0.15) * height_px])
        boxes.append(box + np.tile(shift, 2))
        if shift[1] >= 0:
            _cover(patch, np.asarray(cv2.resize(neighbour, size), np.uint8), shift)
    if rng.random() < _CUT_SHARE:
        return _cut_by_edge(patch, np.array(boxes), rng=rng)
    return Scene(patch, np.array(boxes, np.float32))


def rank_correlation(left: NDArray[Any], right: NDArray[Any]) -> float:
    """Spearman's rank correlation; equal values share their mean rank."""
    return float(np.corrcoef(_ranks(left), _ranks(right))[0, 1])


def _ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[group]


def _cover(patch: Pixels, neighbour: Pixels, shift: NDArray[np.float64]) -> None:
    """Draw a neighbour of the same size, moved by (x, y), over the patch."""
    height, width = patch.shape[:2]
    x, y = (round(float(value)) for value in shift)
    rows, columns = slice(max(0, y), height + min(0, y)), slice(max(0, x), width + min(0, x))
    patch[rows, columns] = neighbour[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]


def _cut_by_edge(patch: Pixels, boxes: NDArray[np.float64], *, rng: Generator) -> Scene:
    """Move the scene over the picture's left, right or lower edge, and keep what is inside."""
    height, width = patch.shape[:2]
    share = rng.uniform(0.05, _CUT_MOST)
    edge = int(rng.integers(3))
    box = boxes[0]
    moves = ((-box[0] - share * width, 0.0), (_PICTURE_PX[0] - box[2] + share * width, 0.0),
             (0.0, _PICTURE_PX[1] - box[3] + share * height))  # fmt: skip
    lost_x, lost_y = min(round(share * width), width - 2), min(round(share * height), height - 2)
    kept = (patch[:, lost_x:], patch[:, : width - lost_x], patch[: height - lost_y])[edge]
    moved = boxes + np.tile(moves[edge], 2)
    limits = np.array([*_PICTURE_PX, *_PICTURE_PX], np.float64)
    return Scene(kept, np.clip(moved, 0, limits).astype(np.float32))


def _fitted(crop: Pixels, network: ReidNetwork) -> Pixels:
    return np.asarray(cv2.resize(crop, (network.width_px, network.height_px)), np.uint8)


def _similarities(query: LabelledEmbeddings, seen: LabelledEmbeddings) -> tuple[Floats, NDArray[np.bool_]]:
    """Return each crop's cosine to its person's queries by other cameras (their mean), and where there are any."""
    matches = (seen.identities[:, None] == query.identities) & (seen.cameras[:, None] != query.cameras)
    sums = ((seen.embeddings @ query.embeddings.T) * matches).sum(axis=1)
    counts = matches.sum(axis=1)
    return (sums / np.maximum(counts, 1)).astype(np.float32), counts > 0


def _half_score(query: LabelledEmbeddings, seen: LabelledEmbeddings, order: NDArray[np.int64]) -> float:
    half = order[: len(order) // 2]
    gallery = LabelledEmbeddings(seen.embeddings[half], seen.identities[half], seen.cameras[half])
    return score_retrieval(query, gallery).mean_average_precision
