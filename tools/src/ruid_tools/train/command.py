"""`ruid train reid`. PyTorch is imported only when a training begins."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
from cyclopts import Parameter
from rich.console import Console

from ruid_tools.errors import ToolError
from ruid_tools.train.augment import MILD, Augmentation
from ruid_tools.train.composites import kept_composites
from ruid_tools.train.corpus import Corpus, batch_of, read_corpus
from ruid_tools.train.pixels import PixelStore, cached_pixels
from ruid_tools.train.run_folder import CHECKPOINT, SETTINGS, WEIGHTS
from ruid_tools.train.schedule import Schedule, growing_stages, one_stage
from ruid_tools.train.teacher import Floats, cached_teacher_embeddings, spread

BACKBONES = ("osnet_x0_25", "osnet_x0_5", "osnet_x1_0", "osnet_lct_x0_5", "resnet50")


class TorchMissingError(ToolError):
    """PyTorch is not installed."""

    def __str__(self) -> str:
        return "training needs PyTorch; install it with: pip install torch==2.13.0"


class UnknownBackboneError(ToolError):
    """There is no such backbone."""

    def __init__(self, backbone: str) -> None:
        super().__init__(backbone)
        self.backbone = backbone

    def __str__(self) -> str:
        return f"there is no backbone {self.backbone!r}: choose one of {', '.join(BACKBONES)}"


class NothingToResumeError(ToolError):
    """The run folder holds no checkpoint."""

    def __init__(self, out: Path) -> None:
        super().__init__(out)
        self.out = out

    def __str__(self) -> str:
        return f"{self.out} holds no {CHECKPOINT}: leave out --resume to begin a run there"


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How long, how large, on what.

    Parameters
    ----------
    height
        Height of the deployed input in pixels, a multiple of 16.
    width
        Width of the deployed input in pixels, a multiple of 16.
    steps
        Length of the schedule in steps of 96 crops.
    minutes
        Time limit: the schedule is shortened so that it ends by then.
    learning_rate
        Highest learning rate; about 0.0005 suits a run that begins from trained weights.
    identity_weight
        Weight of the identity and of the triplet loss; that of the imitation is 10.
    ranking_weight
        Weight of the loss that ranks each picture's right answers by other cameras before all other pictures.
    identities
        Identities of a batch, four pictures of each; the rest of its 96 crops are unlabelled.
    mild
        Change the light alone and hide little, so that the teacher's embeddings of the unchanged pictures stay right.
    composites
        How many composites of two training pictures are made for imitation: the upper half of one over the lower half
        of the other, or with other hues. They need a teacher.
    teacher_spread
        How far the teacher's embeddings are whitened before they are imitated: 0 not at all, 1 wholly.
    validation_share
        Share of each set's identities that is held out for the validation mAP.
    seed
        Seeds every random stream.
    device
        cpu or cuda.
    threads
        CPU threads; each trains on its part of the batch.
    """

    height: int = 160
    width: int = 64
    steps: int = 20_000
    minutes: float | None = None
    learning_rate: float = 2e-3
    identity_weight: float = 1.0
    ranking_weight: float = 0.0
    identities: int = 18
    mild: bool = False
    composites: int = 0
    teacher_spread: float = 0.0
    validation_share: float = 0.04
    seed: int = 0
    device: str = "cpu"
    threads: int = 2


def train_reid(
    *,
    data: list[str],
    out: Path,
    backbone: str = "osnet_x0_5",
    teacher: Path | None = None,
    unlabelled: list[Path] | None = None,
    init_from: Path | None = None,
    resume: bool = False,
    options: Annotated[TrainingOptions, Parameter(name="*")] = TrainingOptions(),
) -> None:
    """Train a ReID embedder; its averaged weights end up in OUT/weights.npz.

    Parameters
    ----------
    data
        Folder in Market-1501 layout, of which bounding_box_train/ is used; may be given several times, and each
        folder's identities are kept apart. Folders joined by commas show the same people under the same numbers.
    out
        Run folder: settings, journal, checkpoint, weights and curves.
    backbone
        osnet_x0_25, osnet_x0_5, osnet_x1_0, osnet_lct_x0_5 or resnet50.
    teacher
        Network whose embeddings are imitated: OpenVINO .xml or .onnx that takes raw BGR.
    unlabelled
        Folder of person crops without identities, for imitation of the teacher; may be given several times.
    init_from
        Weights to begin with: weights.npz of an earlier run, or for osnet_lct_x0_5 the OpenVINO .xml of
        person-reidentification-retail-0287. Give it again with --resume.
    resume
        Go on from the checkpoint in OUT.
    """
    if backbone not in BACKBONES:
        raise UnknownBackboneError(backbone)
    if resume and not (out / CHECKPOINT).is_file():
        raise NothingToResumeError(out)
    try:
        import torch  # noqa: PLC0415 - not a dependency of RuID: only training wants it

        from ruid_tools.train import loop, trainer  # noqa: PLC0415 - they import torch
        from ruid_tools.train.losses import LossWeights  # noqa: PLC0415 - the same
    except ImportError as error:
        raise TorchMissingError from error
    torch.set_num_threads(1 if options.device == "cpu" else options.threads)
    cv2.setNumThreads(1)
    cache = out.parent / "cache"
    corpus = _gather(data, unlabelled or [], options, cache)
    pixels, targets = _caches(corpus, teacher, cache, threads=options.threads)
    imitated = None if targets is None else spread(targets, strength=options.teacher_spread)
    stages = growing_stages if init_from is None else one_stage
    settings = trainer.RunSettings(
        backbone=backbone,
        steps=options.steps,
        schedule=Schedule(
            stages=stages(height_px=options.height, width_px=options.width), peak_rate=options.learning_rate
        ),
        limit_s=None if options.minutes is None else options.minutes * 60,
        seed=options.seed,
        batch=batch_of(options.identities),
        augmentation=MILD if options.mild else Augmentation(),
        losses=LossWeights(
            identity=options.identity_weight, triplet=options.identity_weight, ranking=options.ranking_weight
        ),
        device=options.device,
        threads=options.threads,
    )
    run = trainer.Trainer(settings, corpus, pixels=pixels, teacher=imitated)
    out.mkdir(parents=True, exist_ok=True)
    if resume:
        run.restore(torch.load(out / CHECKPOINT, weights_only=False))
    elif init_from is not None:
        run.start_from(init_from)
    stated = {"data": data, "teacher": teacher, "unlabelled": unlabelled, "init_from": init_from}
    (out / SETTINGS).write_text(json.dumps({**asdict(settings), **stated}, indent=2, default=str), encoding="utf-8")
    loop.train_to_the_end(run, out=out, rhythm=loop.Rhythm(), report=_tell)
    Console().print(f"weights: {out / WEIGHTS}")


def _gather(data: list[str], unlabelled: list[Path], options: TrainingOptions, cache: Path) -> Corpus:
    """Return all pictures of a run, its composites included."""
    rng = np.random.default_rng(options.seed)
    corpus = read_corpus(data, unlabelled, validation_share=options.validation_share, rng=rng)
    if not options.composites:
        return corpus
    made = kept_composites(corpus.paths_for_training, count=options.composites, cache=cache, seed=options.seed)
    return corpus.with_unlabelled(made)


def _caches(corpus: Corpus, teacher: Path | None, cache: Path, *, threads: int) -> tuple[PixelStore, Floats | None]:
    """Return pixels and teacher's embeddings, cached for each folder, so that other runs share them."""
    folders = [list(group) for _, group in groupby(corpus.paths, key=lambda path: path.parent)]
    pixels = PixelStore([cached_pixels(paths, cache=cache) for paths in folders])
    if teacher is None:
        return pixels, None
    parts = [cached_teacher_embeddings(paths, model=teacher, cache=cache, threads=threads) for paths in folders]
    return pixels, np.concatenate(parts)


def _tell(entry: Mapping[str, float]) -> None:
    """Print one line of the journal: how far, how long still, and what was measured."""
    position = f"{entry['progress']:6.1%}  step {entry['step']:.0f}  {entry['left_s'] / 60:.0f} min left"
    measured = (f"{name} {value:.4g}" for name, value in entry.items() if name not in _POSITION)
    Console().print(position, *measured, sep="  ", highlight=False)


_POSITION = frozenset({"step", "progress", "spent_s", "left_s"})
