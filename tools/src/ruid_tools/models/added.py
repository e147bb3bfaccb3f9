"""Take a network that a user brings into the folder where the node looks, with a card."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from ruid_core.vision import Family
from ruid_edge.inference import InferenceError, ModelCard, load_detector, load_embedder
from ruid_edge.inference.cards import CARD_SUFFIX, file_sha256, shipped_cards
from ruid_edge.inference.errors import UnknownFamilyError
from ruid_tools.errors import ToolError
from ruid_tools.models.catalogue import DETECTOR, EMBEDDER, CatalogueEntry, find_entry
from ruid_tools.models.download import fetch
from ruid_tools.models.pins import pin, read_pins

_NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,63}$")
_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_FAMILIES = {family.value for family in Family}


class AddingError(ToolError):
    """A network cannot be added; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user says of a network; empty where nothing was said."""

    name: str = ""
    family: str = ""
    licence: str = ""
    sha256: str = ""
    embedder: bool = False


@dataclass(frozen=True, slots=True)
class _Origin:
    name: str
    kind: str
    family: str
    licence: str
    source: str
    remote: bool
    catalogued: bool = False
    sha256: str = ""


def add_model(what: str, wish: Wish, *, folder: Path) -> Path:
    """Fetch or copy a network into `folder`, check it, and write its card; return the card.

    `what` is a name of the catalogue, an address, or a path. What is fetched must have the checksum that the user
    states, else the catalogue's, else the one that was pinned at the first download of the same entry. Raises
    `AddingError`, `DamagedPinsError` or `DownloadError`; nothing is left in the folder that the node would use.
    """
    origin = _origin_of(what, wish)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{origin.name}.partial"
    if origin.remote:
        fetch(origin.source, partial)
    else:
        shutil.copyfile(origin.source, partial)
    found = _checked(partial, _expected(wish, origin, folder), origin)
    family = _tried(partial, origin, folder)
    file = folder / f"{origin.name}.onnx"
    partial.replace(file)
    if origin.catalogued:
        pin(folder, origin.source, found)
    card = folder / f"{origin.name}{CARD_SUFFIX}"
    card.write_bytes(msgspec.json.format(msgspec.json.encode(_card(origin, file, found, family))))
    return card


def _origin_of(what: str, wish: Wish) -> _Origin:
    entry = find_entry(what)
    path, remote = Path(what), "://" in what
    if entry is None and not remote and not path.is_file():
        raise AddingError(f"{what} is no file, no address and no name of the catalogue: see ruid models list")
    if wish.family and wish.family not in _FAMILIES:
        raise AddingError(f"there is no family {wish.family!r}: choose from {', '.join(sorted(_FAMILIES))}")
    origin = _catalogued(entry, wish) if entry else _brought(what, wish, remote=remote)
    if not _NAME.match(origin.name) or origin.name in _taken():
        raise AddingError(f"{origin.name!r} cannot be its name: give another of a-z, 0-9, dots and dashes with --name")
    if wish.sha256 and not _SHA256.match(wish.sha256.lower()):
        raise AddingError("--sha256 takes 64 hexadecimal digits")
    return origin


def _catalogued(entry: CatalogueEntry, wish: Wish) -> _Origin:
    if not entry.url:
        raise AddingError(
            f"{entry.name}: upstream offers no ONNX file; export one from {entry.page} and add the file "
            "with --embedder --licence " + entry.licence
        )
    name = wish.name or entry.name
    return _Origin(
        name, entry.kind, entry.family, entry.licence, entry.url, remote=True, catalogued=True, sha256=entry.sha256
    )


def _brought(what: str, wish: Wish, *, remote: bool) -> _Origin:
    if not wish.licence:
        raise AddingError("say under which licence it comes: --licence Apache-2.0, or --licence unknown")
    name = wish.name or Path(what.partition("?")[0]).stem.lower().replace(" ", "-")
    kind = EMBEDDER if wish.embedder else DETECTOR
    return _Origin(name, kind, wish.family, wish.licence, what, remote=remote)


def _taken() -> set[str]:
    shipped = set(shipped_cards())
    return shipped | {name.partition("-")[2] for name in shipped}


def _expected(wish: Wish, origin: _Origin, folder: Path) -> str:
    """Return the checksum that the file must have; empty where it is trusted as it arrives, or nothing was said."""
    pinned = read_pins(folder).get(origin.source, "") if origin.catalogued else ""
    return wish.sha256.lower() or origin.sha256 or pinned


def _checked(partial: Path, stated: str, origin: _Origin) -> str:
    """Return the checksum; what was fetched and is not what was meant is not taken."""
    found = file_sha256(partial)
    if origin.remote and not stated and not origin.catalogued:
        raise AddingError(
            f"{origin.source} arrived with SHA-256 {found}: compare it with a source that you trust, then run it again "
            f"with --sha256 (what has arrived is kept)"
        )
    if stated and found != stated:
        partial.unlink()
        hint = "; if its publisher replaced it, state the new checksum with --sha256" if origin.catalogued else ""
        raise AddingError(
            f"{origin.source} has SHA-256 {found}, not {stated}: it is another file, and was not added{hint}"
        )
    return found


def _tried(partial: Path, origin: _Origin, folder: Path) -> str:
    """Open the network as the node would and run it once; return its family, empty for an embedder."""
    trial = folder / f"{origin.name}.trial.onnx"
    partial.rename(trial)
    try:
        family = _embedders_family(trial) if origin.kind == EMBEDDER else _detectors_family(trial)
    except InferenceError as error:
        hint = "; if it is an embedder, say --embedder" if isinstance(error, UnknownFamilyError) else ""
        raise AddingError(str(error).replace(str(trial), origin.source) + hint) from error
    finally:
        trial.rename(partial)
    if origin.kind == DETECTOR and origin.family not in {"", family}:
        raise AddingError(f"the outputs of {origin.source} are those of {family}, not of {origin.family}")
    return family


def _embedders_family(trial: Path) -> str:
    load_embedder(str(trial), threads=1)
    return ""


def _detectors_family(trial: Path) -> str:
    detector = load_detector(str(trial), threads=1, width_px=640, height_px=480)
    detector.detect(np.zeros((480, 640, 3), np.uint8))
    return detector.family.value


def _card(origin: _Origin, file: Path, sha256: str, family: str) -> ModelCard:
    return ModelCard(
        name=origin.name,
        model_id=f"{origin.name}-{sha256[:8]}",
        file=file.name,
        sha256=sha256,
        source=origin.source,
        licence=origin.licence,
        data="not stated here: see its source",
        input={},
        output={"family": family} if family else {},
        accuracy="not measured: ruid eval detector or ruid eval reid",
        speed="not measured",
        reproduce=f"ruid models add {origin.source} --sha256 {sha256}",
    )
