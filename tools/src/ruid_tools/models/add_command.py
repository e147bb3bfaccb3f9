"""`ruid models add` and `ruid models list`."""

import json as json_text
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from ruid_edge.inference.cards import added_models_folder, read_card, shipped_cards
from ruid_tools.models.added import Wish, add_model
from ruid_tools.models.catalogue import CATALOGUE, CatalogueEntry
from ruid_tools.models.pins import read_pins

VERIFIED = "by checksum"
PINNED = "as at first download"
FIRST = "first download trusted"
"""How the list says what a file is held against: a checksum that was known before, one recorded then, or none yet."""

_SETTINGS = {True: "RUID_EMBEDDER", False: "RUID_DETECTOR"}


def add(
    what: str,
    *,
    name: str = "",
    family: str = "",
    licence: str = "",
    sha256: str = "",
    embedder: bool = False,
    folder: Path | None = None,
) -> None:
    """Add a network of your own: from a file, an address, or the catalogue. The node then finds it by its name.

    Parameters
    ----------
    what
        A name that `ruid models list` shows, the address of an ONNX file, or a file.
    name
        What to call it; by default the catalogue's or the file's name.
    family
        How its boxes are written down; by default told from its outputs.
    licence
        Its licence; must be said of files and addresses.
    sha256
        The file's checksum; must be said of an address. Without it the first download of a catalogue's entry is
        trusted, its checksum recorded, and every later download must have the same.
    embedder
        It is an embedder, not a detector.
    folder
        Folder for it; by default RUID_MODELS_DIR, or ~/.local/share/ruid/models.
    """
    wish = Wish(name=name, family=family, licence=licence, sha256=sha256, embedder=embedder)
    card = read_card(add_model(what, wish, folder=folder or added_models_folder()))
    is_embedder = not card.output.get("family")
    Console().print(f"{card.model_id} is added: {_SETTINGS[is_embedder]}={card.name}", highlight=False)
    Console().print(f"SHA-256 {card.sha256}", highlight=False, soft_wrap=True)


def list_models(*, json: bool = False) -> None:
    """List the shipped networks, those that were added, and those of the catalogue.

    Parameters
    ----------
    json
        Print JSON.
    """
    pins = read_pins(added_models_folder())
    rows = [*_cards(None, "shipped", pins), *_cards(added_models_folder(), "added", pins)]
    rows += [
        {"name": entry.name, "state": "can be added" if entry.url else "needs an export", "family": entry.family,
         "licence": entry.licence, "trust": _trust(entry, pins), "source": entry.url or entry.page}
        for entry in CATALOGUE
    ]  # fmt: skip
    if json:
        Console().print_json(json_text.dumps(rows))
        return
    table = Table("name", "state", "family", "licence", "trust", Column("source", overflow="fold"))
    for row in rows:
        table.add_row(*({**row, "licence": _short(row["licence"]), "source": _short(row["source"])}).values())
    Console().print(table)


def _short(text: str) -> str:
    """Return what stands before the first bracket: cards say the rest."""
    return text.split(" (", 1)[0]


def _trust(entry: CatalogueEntry, pins: Mapping[str, str]) -> str:
    if not entry.url:
        return ""
    return VERIFIED if entry.sha256 else PINNED if entry.url in pins else FIRST


def _cards(folder: Path | None, state: str, pins: Mapping[str, str]) -> list[dict[str, str]]:
    cards = {name: read_card(path) for name, path in shipped_cards(folder).items()}
    known = {entry.url for entry in CATALOGUE if entry.sha256}
    return [
        {"name": name.removeprefix("detector-"), "state": state, "family": str(card.output.get("family", "")),
         "licence": card.licence,
         "trust": PINNED if str(card.source) in pins.keys() - known else VERIFIED, "source": str(card.source)}
        for name, card in cards.items()
    ]  # fmt: skip
