"""Tune what lies behind the detector's backbone on unlabelled pictures of people.

The backbone's maps are computed once for every picture, so a CPU does the training. Where the published network is
confident and the labels show nobody, nothing is asked of the new one: it should keep what it knows of other scenes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import onnxruntime as ort
import torch
from onnx import TensorProto, helper

from ruid_core.geometry.boxes import Boxes
from ruid_core.vision import Size, fit
from ruid_edge.inference.pictures import PictureBgr
from ruid_tools.models.calibration import letterboxed
from ruid_tools.models.nanodet import Layer, build_graph
from ruid_tools.models.qdq import stored_bytes
from ruid_tools.train.detector_head import Cells, Head, Wanted, loss_of
from ruid_tools.train.detector_labels import Labels

MAPS = ("s2", "s3", "s4")
SIZES_PX = (416, 352)
_CROP_ASPECTS = (0.8, 1.0, 1.25, 1.33)
_CROP_SHARES = (0.45, 0.8)
_CROPPED_HEIGHT_MIN_PX = 110
_CROPPED_SHARE_MAX = 0.62
_STRETCH = 0.08
_CONFIDENT = 0.15
"""Of the published network's own scale, on which a half is sure."""


class Labeller(Protocol):
    """What says where people are in a picture."""

    def label(self, picture: PictureBgr, /) -> Labels:
        """Return the people in a picture."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How long and how fast; `batch` inputs a step, `decay` of the average of the weights that is kept."""

    epochs: int = 6
    batch: int = 16
    learning_rate: float = 3e-4
    weight_decay: float = 1e-3
    decay: float = 0.98
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One input: the backbone's maps in half precision, what it shows, its side in pixels."""

    maps: list[torch.Tensor]
    wanted: Wanted
    side_px: int


def labelled_pictures(
    pictures: Iterable[PictureBgr], labeller: Labeller, rng: np.random.Generator
) -> Iterator[tuple[PictureBgr, Labels]]:
    """Give every picture with its labels, and up to two crops of it in which somebody is large."""
    for picture in pictures:
        labels = labeller.label(picture)
        yield picture, labels
        for crop in _crops(picture, labels, rng):
            yield crop, labeller.label(crop)


def make_lessons(
    labelled: Iterator[tuple[PictureBgr, Labels]], layers: list[Layer], rng: np.random.Generator
) -> list[Lesson]:
    """Return the inputs to learn from: mirrored, stretched and of one of two sizes by chance."""
    backbone, published = _backbone(layers), Head(layers).eval()
    return [_lesson(picture, labels, backbone, published, rng) for picture, labels in labelled]


def tune(layers: list[Layer], lessons: Sequence[Lesson], recipe: Recipe) -> Iterator[tuple[float, list[Layer]]]:
    """Give each epoch's mean loss and the tuned layers, averaged over the steps so far."""
    rng = np.random.default_rng(recipe.seed)
    net, average = Head(layers), Head(layers)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = max(1, recipe.epochs * len(lessons) // recipe.batch)
    step = 0
    for _ in range(recipe.epochs):
        losses: list[float] = []
        for batch in _batches(lessons, recipe.batch, rng):
            optimiser.param_groups[0]["lr"] = _rate(recipe.learning_rate, step, steps)
            losses.append(_step(net, optimiser, batch))
            step += 1
            _follow(average, net, min(recipe.decay, (1 + step) / (10 + step)))
        yield float(np.mean(losses)), average.layers()


def blended(published: Sequence[Layer], tuned: Sequence[Layer], share: float) -> list[Layer]:
    """Return weights between two networks' (Wortsman et al. 2022): `share` of the tuned, the rest published."""
    return [
        tuple((1 - share) * before + share * after for before, after in zip(one, other, strict=True))  # type: ignore[misc]
        for one, other in zip(published, tuned, strict=True)
    ]


def _crops(picture: PictureBgr, labels: Labels, rng: np.random.Generator) -> Iterator[PictureBgr]:
    height_px, width_px = picture.shape[:2]
    heights = labels.boxes_xyxy_px[:, 3] - labels.boxes_xyxy_px[:, 1]
    fitting = labels.sure & (heights >= _CROPPED_HEIGHT_MIN_PX) & (heights < _CROPPED_SHARE_MAX * height_px)
    for index in rng.permutation(np.flatnonzero(fitting))[:2]:
        x1, y1, x2, y2 = labels.boxes_xyxy_px[index]
        down = min(height_px, (y2 - y1) / rng.uniform(*_CROP_SHARES))
        across = min(width_px, down * rng.choice(_CROP_ASPECTS))
        left = np.clip((x1 + x2 - across) / 2 + rng.uniform(-0.25, 0.25) * across, 0, width_px - across)
        top = np.clip((y1 + y2 - down) / 2 + rng.uniform(-0.08, 0.08) * down, 0, height_px - down)
        yield np.ascontiguousarray(picture[int(top) : int(top + down), int(left) : int(left + across)])


def _lesson(picture: PictureBgr, labels: Labels, backbone: Any, published: Head, rng: np.random.Generator) -> Lesson:
    side_px = int(rng.choice(SIZES_PX, p=(0.6, 0.4)))
    boxes = labels.boxes_xyxy_px
    if rng.random() < 0.5:
        stretch = rng.uniform(1 - _STRETCH, 1 + _STRETCH)
        wide = max(1, round(picture.shape[1] * stretch))
        boxes = boxes * np.array([wide / picture.shape[1], 1, wide / picture.shape[1], 1], np.float32)
        picture = np.asarray(cv2.resize(picture, (wide, picture.shape[0])), np.uint8)
    canvas, boxes = _in_square(picture, boxes, side_px, mirrored=rng.random() < 0.5)
    maps = [torch.from_numpy(tensor) for tensor in backbone.run(None, {"images": canvas[None]})]
    with torch.no_grad():
        confident = published(maps)[0, :, 0].sigmoid() > _CONFIDENT
    wanted = Wanted(torch.from_numpy(boxes), torch.from_numpy(labels.sure), confident)
    return Lesson([tensor[0].half() for tensor in maps], wanted, side_px)


def _in_square(picture: PictureBgr, boxes: Boxes, side_px: int, *, mirrored: bool) -> tuple[PictureBgr, Boxes]:
    square = Size(side_px, side_px)
    placed = fit(Size(picture.shape[1], picture.shape[0]), square).to_input(boxes)
    canvas = letterboxed(picture, width_px=side_px, height_px=side_px)
    if not mirrored:
        return canvas, placed
    turned = placed.copy()
    turned[:, [0, 2]] = side_px - placed[:, [2, 0]]
    return np.ascontiguousarray(canvas[:, ::-1]), turned


def _backbone(layers: list[Layer]) -> Any:
    graph = build_graph(layers)
    del graph.graph.output[:]
    graph.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in MAPS)
    return ort.InferenceSession(stored_bytes(graph), providers=["CPUExecutionProvider"])


def _batches(lessons: Sequence[Lesson], batch: int, rng: np.random.Generator) -> list[list[Lesson]]:
    """Return the lessons in batches of one size each, in random order."""
    batches: list[list[Lesson]] = []
    for side_px in SIZES_PX:
        own = [lessons[index] for index in rng.permutation(len(lessons)) if lessons[index].side_px == side_px]
        batches += [own[start : start + batch] for start in range(0, len(own), batch)]
    return [batches[index] for index in rng.permutation(len(batches))]


def _step(net: Head, optimiser: torch.optim.Optimizer, batch: Sequence[Lesson]) -> float:
    cells = Cells.of(Size(batch[0].side_px, batch[0].side_px))
    tables = net([torch.stack([lesson.maps[level] for lesson in batch]).float() for level in range(len(MAPS))])
    parts = [loss_of(table, lesson.wanted, cells) for table, lesson in zip(tables, batch, strict=True)]
    loss = sum(loss for loss, _ in parts) / torch.stack([targets for _, targets in parts]).sum().clamp(min=1)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimiser.step()
    return float(loss.detach())


def _rate(highest: float, step: int, steps: int) -> float:
    """Return a rate that rises for 20 steps and falls along a cosine."""
    falling = 0.5 + 0.5 * np.cos(np.pi * min(1.0, step / steps))
    return float(max(1e-6, highest * min(1.0, (step + 1) / 20) * falling))


@torch.no_grad()
def _follow(average: Head, net: Head, decay: float) -> None:
    for kept, new in zip(average.parameters(), net.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)
