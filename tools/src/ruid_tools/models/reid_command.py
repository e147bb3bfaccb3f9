"""`ruid models build reid`."""

import json as json_text
from pathlib import Path

from rich.console import Console

from ruid_edge.inference.cards import models_folder
from ruid_tools.errors import ToolError
from ruid_tools.evaluation.reid_figures import measure_reid
from ruid_tools.models.reid_cards import write_card
from ruid_tools.models.reid_files import FACTS_FILE, FLOAT_FILE, INT8_FILE, WEIGHTS_FILE
from ruid_tools.models.workshop import Workshop

_CROPS_OF_EACH = 300


class NoCropsError(ToolError):
    """Nothing to calibrate with."""

    def __str__(self) -> str:
        return "8 bits need crops to calibrate with: name one or more folders of them with --calibration"


def build_reid(
    *,
    calibration: list[Path],
    weights: Path | None = None,
    out: Path | None = None,
    workshop: Path = Path("build/workshop"),
    height: int = 160,
    width: int = 64,
    measure: list[Path] | None = None,
    json: bool = False,
) -> None:
    """Make the shipped embedder (8 bits, float, card) from trained weights.

    Parameters
    ----------
    calibration
        Folders of crops, up to 300 of each; `bounding_box_train/` of a training set is one.
    weights
        `weights.npz` of a run with an osnet backbone; by default the shipped weights.
    out
        Folder for the files; by default where the node looks for them.
    workshop
        Folder for the throw-away environment that makes them; used again when it is there.
    height, width
        Input size in pixels, multiples of 16.
    measure
        Folders in Market-1501 layout to score the float and the 8-bit file on, for the card.
    json
        Print the file's name and checksum as JSON.
    """
    if not calibration:
        raise NoCropsError
    folder = out or models_folder()
    made = workshop / "reid"
    source = weights or models_folder() / WEIGHTS_FILE
    arguments = ["--weights", str(source.resolve()), "--height", str(height), "--width", str(width)]
    arguments += ["--out", str(made.resolve())]
    for crops in calibration:
        arguments += ["--calibration", str(crops.resolve()), str(_CROPS_OF_EACH)]
    Workshop(workshop).run("ruid_tools.models.reid_build", arguments)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (INT8_FILE, FLOAT_FILE):
        (folder / name).write_bytes((made / name).read_bytes())
    if source != folder / WEIGHTS_FILE:
        (folder / WEIGHTS_FILE).write_bytes(source.read_bytes())
    figures = measure_reid(folder / FLOAT_FILE, folder / INT8_FILE, measure) if measure else {}
    facts = json_text.loads((made / FACTS_FILE).read_text(encoding="utf-8"))
    card = write_card(folder / INT8_FILE, figures, facts)
    stated = json_text.loads(card.read_text(encoding="utf-8"))
    told = {"file": str(folder / INT8_FILE), "model_id": stated["model_id"], "sha256": stated["sha256"]}
    if json:
        Console().print_json(json_text.dumps(told))
    else:
        Console().print(f"{told['file']}\n{told['model_id']}\ncard: {card.name}")
