"""`ruid train detector`. PyTorch is imported only when a training begins."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from ruid_tools.errors import ToolError
from ruid_tools.models.command import data_folder, published_weights
from ruid_tools.train.command import TorchMissingError

_MOST_PICTURES = 20_000


class HeldOutError(ToolError):
    """--held-out names no pictures, or all of them."""


def train_detector(
    *,
    pictures: Path | None = None,
    teacher: Path | None = None,
    out: Path = Path("build/detector_head.npz"),
    workshop: Path = Path("build/workshop"),
    held_out: str = "",
    epochs: int = 6,
    stop_after: int = 0,
    share: float = 1.0,
) -> None:
    """Tune the detector's neck and heads on unlabelled pictures, labelled by a YOLOX network. One core will do.

    Parameters
    ----------
    pictures
        A folder, tar file or video of pictures with people; by default the street pictures in RUID_DATA_DIR.
    teacher
        The YOLOX network that labels them; by default YOLOX-nano in RUID_DATA_DIR.
    out
        The file to write, for `ruid models build detector --tuned`.
    workshop
        Folder for the published weights; used again when they are there.
    held_out
        Numbers of pictures to leave out, for scoring, such as 500-689,960-1031.
    epochs
        How often each picture is seen; the learning rate falls over this long.
    stop_after
        End after so many of the epochs; 0 does them all.
    share
        How far to go from the published weights to the tuned ones, 0 to 1.
    """
    if find_spec("torch") is None:
        raise TorchMissingError
    from ruid_tools.models.calibration import read_pictures  # noqa: PLC0415 - these four need onnx, and the last PyTorch
    from ruid_tools.models.nanodet import persons_alone, read_layers, store_tuned  # noqa: PLC0415
    from ruid_tools.train.detector_labels import Labeller  # noqa: PLC0415
    from ruid_tools.train.detector_training import (  # noqa: PLC0415
        Recipe,
        blended,
        labelled_pictures,
        make_lessons,
        tune,
    )

    every = read_pictures(pictures or data_folder() / "street" / "street.tar", most=_MOST_PICTURES)
    left_out = numbers_in(held_out)
    taken = [picture for number, picture in enumerate(every) if number not in left_out]
    if not taken:
        raise HeldOutError(f"--held-out leaves none of the {len(every)} pictures")
    layers = read_layers(published_weights(workshop))
    rng = np.random.default_rng(0)
    labeller = Labeller(teacher or data_folder() / "models" / "yolox_nano.onnx", workshop)
    labelled = labelled_pictures(track(taken, description="labels and features"), labeller, rng)
    lessons = make_lessons(labelled, layers, rng)
    Console().print(f"{len(lessons)} inputs of {len(taken)} pictures")
    for epoch, (loss, tuned) in enumerate(tune(layers, lessons, Recipe(epochs=epochs)), start=1):
        Console().print(f"epoch {epoch}: loss {loss:.4f}")
        store_tuned(blended(persons_alone(layers), tuned, share), out)
        if epoch == stop_after:
            break


def numbers_in(spans: str) -> set[int]:
    """Return the numbers that a text such as `3,500-689` names, both ends included; raise `HeldOutError`."""
    ends = [span.partition("-") for span in spans.split(",") if span]
    if not all(first.isdecimal() and (last.isdecimal() or not dash) for first, dash, last in ends):
        raise HeldOutError(f"--held-out names pictures by number, as in 3,500-689; not as {spans}")
    return {number for first, _, last in ends for number in range(int(first), int(last or first) + 1)}
