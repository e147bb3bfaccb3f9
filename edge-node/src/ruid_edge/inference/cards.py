"""Model cards, and the catalogue of shipped models that they make up."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from ruid_core.vision import Family
from ruid_edge.inference.errors import BadCardError, DamagedModelError, ModelMissingError

CARD_SUFFIX = ".card.json"
_PREFIXES = ("", "detector-", "reid-")


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a model file. `file` lies beside the card; `sha256` is its checksum.

    `source`, `licence`, `data` and `reproduce` are for people. `input` and `output` describe the tensors, and for
    a detector hold what its use needs (`DetectorUse`). `golden` is the answer to the golden input, with its tolerance.
    """

    name: str
    model_id: str
    file: str
    sha256: str
    source: Any
    licence: str
    data: Any
    input: dict[str, Any]
    output: dict[str, Any]
    accuracy: Any
    speed: Any
    reproduce: Any
    golden: dict[str, Any] = {}


class DetectorUse(msgspec.Struct, frozen=True, kw_only=True):
    """How a detector is run; a card's `input` and `output` joined, other fields passed over.

    `short_side_4_3_px` belongs to `long_side_px`: the short side for cameras of 4:3, if not the smallest that holds
    their pictures.
    """

    long_side_px: int = 416
    short_side_4_3_px: int | None = None
    family: str = ""
    confidence_min: float = 0.4
    iou_max: float = 0.6
    person_class: int = 0


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model on disk with what names it; `card` is None for a file that came without one."""

    path: Path
    model_id: str
    card: ModelCard | None

    @property
    def detector_use(self) -> DetectorUse:
        """How to run it as a detector; raise `BadCardError` where the card says it wrongly."""
        if self.card is None:
            return DetectorUse()
        stated: Mapping[str, Any] = {**self.card.input, **self.card.output}
        try:
            use = msgspec.convert(stated, DetectorUse)
        except msgspec.ValidationError as error:
            raise BadCardError(self.card.name, str(error)) from error
        if use.family and use.family not in {family.value for family in Family}:
            raise BadCardError(self.card.name, f"there is no family {use.family!r}")
        return use


def models_folder() -> Path:
    """Return the folder of the shipped models."""
    return Path(str(files("ruid_edge.models")))


def added_models_folder() -> Path:
    """Return the folder of the networks that the user added: RUID_MODELS_DIR, or ruid/models among the user's data."""
    stated = os.environ.get("RUID_MODELS_DIR")
    if stated:
        return Path(stated)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "ruid/models"


def read_card(path: Path) -> ModelCard:
    """Return a card; raise `BadCardError` that says what is wrong with it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ModelCard)
    except (msgspec.DecodeError, OSError) as error:
        raise BadCardError(str(path), str(error)) from error


def shipped_cards(folder: Path | None = None) -> dict[str, Path]:
    """Return the cards in a folder, by default the shipped ones, by their file names' stems."""
    found = sorted((folder or models_folder()).glob(f"*{CARD_SUFFIX}"))
    return {path.name.removesuffix(CARD_SUFFIX): path for path in found}


def find_model(path_or_name: str) -> ModelFile:
    """Return the model that a path, a shipped name (`accurate`, `fast`, `reid-osnet`) or an added one stands for.

    Shipped names win over added ones, and names over paths. A card beside a file counts. Raises `ModelMissingError`,
    `BadCardError`, or `DamagedModelError` when the file is not the one that its card describes.
    """
    cards = shipped_cards()
    for prefix in _PREFIXES:
        if prefix + path_or_name in cards:
            return open_card(cards[prefix + path_or_name])
    added = shipped_cards(added_models_folder())
    if path_or_name in added:
        return open_card(added[path_or_name])
    path = Path(path_or_name)
    if not path.is_file():
        names = (*(name.removeprefix("detector-") for name in cards), *added)
        raise ModelMissingError(path_or_name, names)
    if path.name.endswith(CARD_SUFFIX):
        return open_card(path)
    beside = path.with_name(path.name.split(".", maxsplit=1)[0] + CARD_SUFFIX)
    if beside.is_file() and read_card(beside).file == path.name:
        return open_card(beside)
    return ModelFile(path, f"{path.stem}-{file_sha256(path)[:8]}", None)


def open_card(card_path: Path) -> ModelFile:
    """Return the model that a card describes, its checksum verified."""
    card = read_card(card_path)
    path = card_path.with_name(card.file)
    if not path.is_file():
        raise ModelMissingError(str(path), tuple(shipped_cards()))
    found = file_sha256(path)
    if found != card.sha256:
        raise DamagedModelError(str(path), expected_sha256=card.sha256, found_sha256=found)
    return ModelFile(path, card.model_id, card)


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
