"""`ruid models add` and `ruid models list`."""

import json as json_text
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ruid_edge.inference.cards import added_models_folder, read_card, shipped_cards
from ruid_tools.models.added import Wish, add_model
from ruid_tools.models.catalogue import CATALOGUE

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
        The file's checksum; must be said of what is fetched.
    embedder
        It is an embedder, not a detector.
    folder
        Folder for it; by default RUID_MODELS_DIR, or ~/.local/share/ruid/models.
    """
    wish = Wish(name=name, family=family, licence=licence, sha256=sha256, embedder=embedder)
    card = read_card(add_model(what, wish, folder=folder or added_models_folder()))
    is_embedder = not card.output.get("family")
    Console().print(f"{card.model_id} is added: {_SETTINGS[is_embedder]}={card.name}", highlight=False)


def list_models(*, json: bool = False) -> None:
    """List the shipped networks, those that were added, and those of the catalogue.

    Parameters
    ----------
    json
        Print JSON.
    """
    rows = [*_cards(None, "shipped"), *_cards(added_models_folder(), "added")]
    rows += [
        {"name": entry.name, "state": "can be added" if entry.url else "needs an export", "family": entry.family,
         "licence": entry.licence, "source": entry.url or entry.page}
        for entry in CATALOGUE
    ]  # fmt: skip
    if json:
        Console().print_json(json_text.dumps(rows))
        return
    table = Table("name", "state", "family", "licence", "source")
    for row in rows:
        table.add_row(*row.values())
    Console().print(table)


def _cards(folder: Path | None, state: str) -> list[dict[str, str]]:
    cards = {name: read_card(path) for name, path in shipped_cards(folder).items()}
    return [
        {"name": name.removeprefix("detector-"), "state": state, "family": str(card.output.get("family", "")),
         "licence": card.licence, "source": str(card.source)}
        for name, card in cards.items()
    ]  # fmt: skip
