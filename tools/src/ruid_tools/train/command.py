"""`train_reid`: what `ruid train reid` runs. Torch is imported only when a training begins."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from ruid_tools.train.corpus import read_corpus
from ruid_tools.train.pixels import PixelStore, cached_pixels
from ruid_tools.train.run_folder import CHECKPOINT, SETTINGS, WEIGHTS
from ruid_tools.train.schedule import Schedule, growing_stages, one_stage
from ruid_tools.train.teacher import cached_teacher_embeddings

TORCH_HINT = "training needs PyTorch; install it with: pip install torch==2.13.0"


class TorchMissingError(Exception):
    """PyTorch is not installed; the text says how to get it."""

    def __str__(self) -> str:
        return TORCH_HINT


def train_reid(
    *,
    data: list[str],
    out: Path,
    backbone: str = "osnet_x0_5",
    teacher: Path | None = None,
    unlabelled: list[Path] | None = None,
    init_from: Path | None = None,
    resume: bool = False,
    height: int = 160,
    width: int = 64,
    steps: int = 20_000,
    minutes: float | None = None,
    learning_rate: float = 2e-3,
    validation_fraction: float = 0.05,
    seed: int = 0,
    device: str = "cpu",
    threads: int = 2,
    report: Callable[[dict[str, float]], None] | None = None,
) -> Path:
    """Train a ReID embedder and return the file of its averaged weights, `out/weights.npz`.

    Parameters
    ----------
    data
        A folder in Market-1501 layout, of which `bounding_box_train/` is used. May be given several times; each
        folder's identities are kept apart. Folders joined by commas show the same people under the same numbers.
    out
        Run folder: settings, journal, checkpoint, weights and curves.
    backbone
        osnet_x0_25, osnet_x0_5, osnet_x1_0, osnet_lct_x0_5 or resnet50.
    teacher
        A network whose embeddings are imitated: OpenVINO .xml or .onnx, raw BGR input.
    unlabelled
        Folders of person crops without labels; with a teacher only.
    init_from
        Weights to begin with: `weights.npz` of an earlier run, or for osnet_lct_x0_5 the OpenVINO .xml of
        person-reidentification-retail-0287. Give it again with `resume`.
    resume
        Go on from the checkpoint in `out`.
    height, width
        Deployed input size in pixels, multiples of 16.
    steps
        Length of the schedule in optimiser steps.
    minutes
        Time limit: the schedule is shortened so that it ends by then.
    learning_rate
        Peak learning rate.
    validation_fraction
        Share of each set's identities held out for the validation mAP.
    seed
        Seeds every random stream.
    device
        cpu or cuda.
    threads
        CPU threads.
    report
        Called with every line of the journal.
    """
    try:
        import torch  # noqa: PLC0415 - optional dependency of the tools

        from ruid_tools.train import loop, trainer as training  # noqa: PLC0415 - imports torch
    except ImportError as error:
        raise TorchMissingError from error
    torch.set_num_threads(threads if device != "cpu" else 1)
    cv2.setNumThreads(1)
    corpus = read_corpus(
        data, unlabelled or [], validation_fraction=validation_fraction, rng=np.random.default_rng(seed)
    )
    cache = out.parent / "cache"
    folders = _by_folder(corpus.paths)
    pixels = PixelStore([cached_pixels(paths, cache=cache) for paths in folders])
    embeddings = (
        None
        if teacher is None
        else np.concatenate([cached_teacher_embeddings(paths, model=teacher, cache=cache, threads=threads) for paths in folders])
    )
    stages = growing_stages if init_from is None else one_stage
    settings = training.RunSettings(
        backbone=backbone,
        steps=steps,
        schedule=Schedule(stages=stages(height_px=height, width_px=width), peak_rate=learning_rate),
        limit_s=None if minutes is None else minutes * 60,
        seed=seed,
        device=device,
        threads=threads,
    )
    run = training.Trainer(settings, corpus, pixels=pixels, teacher=embeddings)
    out.mkdir(parents=True, exist_ok=True)
    if resume:
        run.restore(torch.load(out / CHECKPOINT, weights_only=False))
    elif init_from is not None:
        run.start_from(init_from)
    (out / SETTINGS).write_text(json.dumps({**asdict(settings), "data": data}, indent=2, default=str))
    loop.train_to_the_end(run, out=out, rhythm=loop.Rhythm(), report=report or (lambda _: None))
    return out / WEIGHTS


def _by_folder(paths: list[Path]) -> list[list[Path]]:
    """Split the corpus where the folder changes: each folder has its own caches, which other runs share."""
    return [list(group) for _, group in groupby(paths, key=lambda path: path.parent)]
