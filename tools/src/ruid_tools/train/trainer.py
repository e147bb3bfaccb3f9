"""The training run: one object that owns the networks, the optimiser and every random stream.

Everything that decides the next step is in `Trainer.state()`, so that a run stopped at a checkpoint and resumed takes
the same steps as one that was never stopped (on the same hardware, with the schedule counted in steps).
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ruid_tools.evaluation.reid_protocol import LabelledEmbeddings, NoAnswerableQueryError, score_retrieval
from ruid_tools.train.augment import Augmentation, augment
from ruid_tools.train.corpus import BatchShape, Corpus, ValidationSet, draw_batch
from ruid_tools.train.embedder import EMBEDDING_DIM, Embedder, TrainingHeads, update_average
from ruid_tools.train.losses import LossWeights, training_loss
from ruid_tools.train.memory import PictureMemory
from ruid_tools.train.openvino_weights import begin_from_openvino
from ruid_tools.train.pixels import PixelStore
from ruid_tools.train.replicas import Replicas
from ruid_tools.train.schedule import Schedule, progress_of

_EMBED_BATCH = 64
_STATISTICS_CROPS = 384
_FITTED_PER_IDENTITY = 3
_RIDGE = 0.1


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run is, apart from its data."""

    backbone: str
    steps: int
    schedule: Schedule
    limit_s: float | None = None
    seed: int = 0
    weight_decay: float = 0.02
    clip_norm: float = 5.0
    batch: BatchShape = field(default_factory=BatchShape)
    augmentation: Augmentation = field(default_factory=Augmentation)
    losses: LossWeights = field(default_factory=LossWeights)
    device: str = "cpu"
    half_precision: bool = True
    threads: int = 2


class Trainer:
    """Lives as long as one process of a run; `state` and `restore` carry the run over to the next."""

    def __init__(
        self,
        settings: RunSettings,
        corpus: Corpus,
        *,
        pixels: PixelStore,
        teacher: NDArray[np.float32] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.step = 0
        self.spent_s = 0.0
        self._corpus = corpus
        self._pixels = pixels
        self._teacher = teacher
        self._clock = clock
        self._by_label = corpus.positions_by_label()
        self._rng = np.random.default_rng(settings.seed)
        layout = torch.channels_last
        self.embedder = Embedder(settings.backbone).to(settings.device, memory_format=layout)  # pyright: ignore[reportCallIssue]
        teacher_dim = None if teacher is None else teacher.shape[1]
        self.heads = TrainingHeads(identities=corpus.identities, teacher_dim=teacher_dim).to(settings.device)
        self._replicas = Replicas(
            self.embedder,
            threads=settings.threads if settings.device == "cpu" else 1,
            device=settings.device,
            half_precision=settings.half_precision,
        )
        self._memory = PictureMemory(
            torch.from_numpy(corpus.labels).to(settings.device),
            torch.from_numpy(corpus.cameras).to(settings.device),
            dim=EMBEDDING_DIM,
        )
        self.average = copy.deepcopy(self.embedder).eval()
        groups = _parameter_groups([self.embedder, self.heads], settings.weight_decay)
        self._optimiser = torch.optim.AdamW(groups, fused=True)

    @property
    def progress(self) -> float:
        """How far the run is, in 0 to 1."""
        settings = self.settings
        return progress_of(step=self.step, steps=settings.steps, spent_s=self.spent_s, limit_s=settings.limit_s)

    def take_step(self) -> dict[str, float]:
        """Draw a batch, take one optimiser step, and return the loss terms and the learning rate."""
        started_s = self._clock()
        learning_rate = self.settings.schedule.learning_rate(self.progress)
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate
        shape = self.settings.batch
        terms = self._losses(draw_batch(self._by_label, self._corpus.unlabelled, shape=shape, rng=self._rng))
        total = torch.stack(list(terms.values())).sum()
        self._optimiser.zero_grad()
        total.backward()
        self._replicas.backward()
        nn.utils.clip_grad_norm_([*self.embedder.parameters(), *self.heads.parameters()], self.settings.clip_norm)
        self._optimiser.step()
        self.step += 1
        update_average(self.average, self.embedder, decay=self.settings.schedule.decay_at(self.step))
        self.spent_s += self._clock() - started_s
        losses = {f"loss_{name}": float(value.detach()) for name, value in terms.items()}
        return {**losses, "learning_rate": learning_rate}

    def _losses(self, positions: NDArray[np.int64]) -> dict[str, Tensor]:
        """Loss terms of one batch; their gradients stop at the replicas' features."""
        slices = [positions[index :: len(self._replicas)] for index in range(len(self._replicas))]
        seeds = [self._rng.integers(2**63, size=len(part)) for part in slices]
        features = self._replicas.forward(lambda index: self._augmented(slices[index], seeds[index]))
        ordered = np.concatenate(slices)
        device = self.settings.device
        labels = torch.from_numpy(self._corpus.labels[ordered]).to(device)
        teacher = None if self._teacher is None else torch.from_numpy(self._teacher[ordered]).to(device)
        output = self.heads(features)
        terms = training_loss(output, labels, teacher, weights=self.settings.losses)
        return {**terms, **self._ranking(torch.from_numpy(ordered).to(device), output.embeddings)}

    def _ranking(self, positions: Tensor, embeddings: Tensor) -> dict[str, Tensor]:
        weights = self.settings.losses
        if weights.ranking == 0:
            return {}
        loss = self._memory.ranking_loss(positions, embeddings, temperature=weights.ranking_temperature)
        self._memory.keep(positions, embeddings)
        return {"ranking": weights.ranking * loss}

    def _augmented(self, positions: NDArray[np.int64], seeds: NDArray[np.int64]) -> Tensor:
        stage = self.settings.schedule.stage(self.progress)
        crops = [
            augment(
                self._pixels.crop(int(position)),
                height_px=stage.height_px,
                width_px=stage.width_px,
                how=self.settings.augmentation,
                rng=np.random.default_rng(int(seed)),
            )
            for position, seed in zip(positions, seeds, strict=True)
        ]
        return _to_images(np.stack(crops), device=self.settings.device)

    def validate(self) -> dict[str, float]:
        """Return the averaged weights' mAP on the held-out identities of each set, at the stage's resolution."""
        scores = {f"mAP_{held_out.name}": self._score(held_out) for held_out in self._corpus.validation}
        return {name: score for name, score in scores.items() if score is not None}

    def _score(self, held_out: ValidationSet) -> float | None:
        query, gallery = split_validation(held_out, self._embed(held_out.positions))
        try:
            return score_retrieval(query, gallery).mean_average_precision
        except NoAnswerableQueryError:
            return None

    @torch.no_grad()
    def _embed(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        batches = [positions[first : first + _EMBED_BATCH] for first in range(0, len(positions), _EMBED_BATCH)]
        return np.concatenate([self.average(self._plain(batch)).cpu().numpy() for batch in batches])

    def _plain(self, positions: NDArray[np.int64]) -> Tensor:
        """The crops at these positions as images of the stage's size, not augmented."""
        stage = self.settings.schedule.stage(self.progress)
        size = (stage.width_px, stage.height_px)
        crops = [cv2.resize(self._pixels.crop(int(position)), size) for position in positions]
        return _to_images(np.stack(crops).astype(np.uint8, copy=False), device=self.settings.device)

    def state(self) -> dict[str, Any]:
        """Return everything that decides the next step."""
        return {
            "step": self.step,
            "spent_s": self.spent_s,
            "embedder": self.embedder.state_dict(),
            "heads": self.heads.state_dict(),
            "average": self.average.state_dict(),
            "memory": self._memory.rows,
            "optimiser": self._optimiser.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "numpy_rng": self._rng.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state returned by `state`."""
        self.step, self.spent_s = state["step"], state["spent_s"]
        self.embedder.load_state_dict(state["embedder"])
        self.heads.load_state_dict(state["heads"])
        self.average.load_state_dict(state["average"])
        self._memory.rows.copy_(state["memory"])
        self._optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["torch_rng"])
        self._rng.bit_generator.state = state["numpy_rng"]

    def start_from(self, weights: Path) -> None:
        """Begin a new run from an embedder: an earlier run's `.npz`, or an OpenVINO IR (.xml) of the same design.

        The heads are fitted to it, so that their first gradients do not undo it.
        """
        if weights.suffix == ".xml":
            sample = self._rng.choice(len(self._pixels), size=min(_STATISTICS_CROPS, len(self._pixels)), replace=False)
            begin_from_openvino(self.embedder, weights, self._plain(sample))
        else:
            self.embedder.load_state_dict(load_weights(weights))
        self.average.load_state_dict(self.embedder.state_dict())
        self._fit_heads()

    def _fit_heads(self) -> None:
        """Set each identity's prototype to the mean of a few embeddings, and the projection by least squares."""
        chosen = [positions[:_FITTED_PER_IDENTITY] for positions in self._by_label]
        positions = np.concatenate(chosen)
        labels = np.repeat(np.arange(len(chosen)), [len(part) for part in chosen])
        embeddings = torch.from_numpy(self._embed(positions))
        self._memory.keep(torch.from_numpy(positions), embeddings)
        with torch.no_grad():
            means = torch.zeros(len(chosen), embeddings.shape[1]).index_add_(0, torch.from_numpy(labels), embeddings)
            self.heads.prototypes.copy_(nn.functional.normalize(means, dim=1))
            if self.heads.projection is not None and self._teacher is not None:
                targets = torch.from_numpy(self._teacher[positions])
                ridge = _RIDGE * torch.eye(embeddings.shape[1])
                mapping = torch.linalg.solve(embeddings.T @ embeddings + ridge, embeddings.T @ targets)
                self.heads.projection.weight.copy_(mapping.T)


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Write the trainer's state; a crash while writing leaves the previous checkpoint whole."""
    partial = path.with_suffix(".partial")
    torch.save(trainer.state(), partial)
    partial.replace(path)


def save_weights(network: nn.Module, path: Path) -> None:
    """Write a network's weights as a plain npz archive."""
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    with path.open("wb") as archive:
        np.savez(archive, **arrays)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read weights written by `save_weights`."""
    with np.load(path) as archive:
        return {name: torch.from_numpy(archive[name]) for name in archive.files}


def split_validation(
    held_out: ValidationSet, embeddings: NDArray[np.float32]
) -> tuple[LabelledEmbeddings, LabelledEmbeddings]:
    """Return query (the first picture of each identity by each camera) and gallery (all pictures)."""
    keys = np.stack([held_out.identities, held_out.cameras], axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    everything = LabelledEmbeddings(embeddings, held_out.identities, held_out.cameras)
    query = LabelledEmbeddings(embeddings[first], held_out.identities[first], held_out.cameras[first])
    return query, everything


def _to_images(crops: NDArray[np.uint8], *, device: str) -> Tensor:
    """BGR crops (N, H, W, 3) -> float images (N, 3, H, W), channels last in memory."""
    return torch.from_numpy(crops).to(device).permute(0, 3, 1, 2).float()


def _parameter_groups(modules: list[nn.Module], weight_decay: float) -> list[dict[str, Any]]:
    parameters = [parameter for module in modules for parameter in module.parameters()]
    decayed = [parameter for parameter in parameters if parameter.ndim > 1]
    plain = [parameter for parameter in parameters if parameter.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
