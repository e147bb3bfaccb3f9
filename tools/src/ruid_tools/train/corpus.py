"""The training corpus: labelled sets mixed with identities kept apart, unlabelled crops, and a validation split."""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ruid_tools.evaluation.reid_layout import TRAIN, LabelledImage, read_reid_split

Integers = NDArray[np.int64]

UNLABELLED = -1
_PICTURES = {".jpg", ".jpeg", ".png"}
_MIN_PER_IDENTITY = 2
_BATCH_CROPS = 96


@dataclass(frozen=True, slots=True, eq=False)
class ValidationSet:
    """Held-out identities of one set: positions in the corpus, with their labels."""

    name: str
    positions: Integers
    identities: Integers
    cameras: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """All pictures by position. `labels` (N,): class for training, -1 for unlabelled and for held-out pictures.

    `cameras` (N,) counts within a set, 0 for unlabelled pictures.
    """

    paths: list[Path]
    labels: Integers
    cameras: Integers
    unlabelled: Integers
    validation: tuple[ValidationSet, ...]

    @property
    def identities(self) -> int:
        """How many classes the labels count."""
        return int(self.labels.max()) + 1

    @property
    def paths_for_training(self) -> list[Path]:
        """The pictures that training may look at: all but the held-out ones."""
        held_out = {int(position) for part in self.validation for position in part.positions}
        return [path for position, path in enumerate(self.paths) if position not in held_out]

    def with_unlabelled(self, more: list[Path]) -> "Corpus":
        """Return the corpus with more pictures without identities."""
        first = len(self.paths)
        positions = np.arange(first, first + len(more), dtype=np.int64)
        return replace(
            self,
            paths=self.paths + more,
            labels=np.concatenate([self.labels, np.full(len(more), UNLABELLED, np.int64)]),
            cameras=np.concatenate([self.cameras, np.zeros(len(more), np.int64)]),
            unlabelled=np.concatenate([self.unlabelled, positions]),
        )

    def positions_by_label(self) -> list[Integers]:
        """Return, for each class, the positions of its pictures."""
        order = np.argsort(self.labels, kind="stable")
        order = order[self.labels[order] >= 0]
        return np.split(order, np.flatnonzero(np.diff(self.labels[order])) + 1)


def read_corpus(labelled: list[str], unlabelled: list[Path], *, validation_share: float, rng: Generator) -> Corpus:
    """Read folders in Market-1501 layout (their `bounding_box_train/` alone) and folders of unlabelled crops.

    Each entry of `labelled` is a folder, or several joined by commas that show the same people under the same
    numbers. `validation_share` of each entry's identities is held out.
    """
    images: list[LabelledImage] = []
    labels: list[int] = []
    validation: list[ValidationSet] = []
    next_label = 0
    for entry in labelled:
        entry_images = _read_entry(entry)
        held_out = _held_out_identities(entry_images, share=validation_share, rng=rng)
        classes = _number_classes(entry_images, held_out, first=next_label)
        validation.extend(_validation_set(entry, entry_images, held_out, offset=len(images)))
        labels.extend(classes.get(image.identity, UNLABELLED) for image in entry_images)
        images.extend(entry_images)
        next_label += len(classes)
    crops = [path for folder in unlabelled for path in sorted(folder.iterdir()) if path.suffix.lower() in _PICTURES]
    return Corpus(
        paths=[image.path for image in images] + crops,
        labels=np.array(labels + [UNLABELLED] * len(crops), dtype=np.int64),
        cameras=np.array([image.camera for image in images] + [0] * len(crops), dtype=np.int64),
        unlabelled=np.arange(len(images), len(images) + len(crops), dtype=np.int64),
        validation=tuple(validation),
    )


def _read_entry(entry: str) -> list[LabelledImage]:
    images = [image for folder in entry.split(",") for image in read_reid_split(Path(folder), TRAIN)]
    return [image for image in images if image.identity > 0]


def _held_out_identities(images: list[LabelledImage], *, share: float, rng: Generator) -> set[int]:
    identities = sorted({image.identity for image in images})
    count = round(share * len(identities))
    return {int(identity) for identity in rng.choice(identities, size=count, replace=False)}


def _number_classes(images: list[LabelledImage], held_out: set[int], *, first: int) -> dict[int, int]:
    counts: defaultdict[int, int] = defaultdict(int)
    for image in images:
        counts[image.identity] += 1
    usable = sorted(identity for identity in counts.keys() - held_out if counts[identity] >= _MIN_PER_IDENTITY)
    return {identity: first + index for index, identity in enumerate(usable)}


def _validation_set(entry: str, images: list[LabelledImage], held_out: set[int], *, offset: int) -> list[ValidationSet]:
    """Pictures of the held-out identities in the entry's first folder, the one that names the set."""
    folder = Path(entry.split(",", maxsplit=1)[0])
    chosen = [
        (position, image)
        for position, image in enumerate(images)
        if image.identity in held_out and folder in image.path.parents
    ]
    if not chosen:
        return []
    return [
        ValidationSet(
            name=folder.name,
            positions=np.array([offset + position for position, _ in chosen], dtype=np.int64),
            identities=np.array([image.identity for _, image in chosen], dtype=np.int64),
            cameras=np.array([image.camera for _, image in chosen], dtype=np.int64),
        )
    ]


@dataclass(frozen=True, slots=True)
class BatchShape:
    """How a batch is drawn: identities × pictures of each, plus unlabelled crops."""

    identities: int = 18
    pictures: int = 4
    unlabelled: int = 24


def batch_of(identities: int) -> BatchShape:
    """Return the shape of a batch of 96 crops with that many identities, the rest unlabelled."""
    labelled = BatchShape(identities=identities, unlabelled=0)
    return replace(labelled, unlabelled=max(0, _BATCH_CROPS - identities * labelled.pictures))


def draw_batch(by_label: list[Integers], unlabelled: Integers, *, shape: BatchShape, rng: Generator) -> Integers:
    """Return the positions of one batch: random identities, random pictures of each, then unlabelled crops."""
    chosen = rng.choice(len(by_label), size=min(shape.identities, len(by_label)), replace=False)
    drawn = [
        rng.choice(by_label[label], size=shape.pictures, replace=len(by_label[label]) < shape.pictures)
        for label in chosen
    ]
    if len(unlabelled) > 0:
        drawn.append(rng.choice(unlabelled, size=min(shape.unlabelled, len(unlabelled)), replace=False))
    return np.concatenate(drawn)
