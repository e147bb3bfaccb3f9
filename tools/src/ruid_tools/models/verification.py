"""Shipped models against their cards: the checksum, and the answer to the golden input."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ruid_edge.inference import InferenceError, ModelFile, shipped_cards
from ruid_edge.inference.cards import open_card
from ruid_tools.models.golden import SIMILARITY_MIN, golden_values, similarity


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about one card; `fault` is empty where all is well."""

    card: str
    model_id: str
    fault: str


def verify_models(folder: Path | None = None, *, runtime: str = "onnxruntime") -> Iterator[Verdict]:
    """Give a verdict on every card in a folder, by default on the shipped ones."""
    for name, path in shipped_cards(folder).items():
        try:
            model = open_card(path)
            yield Verdict(name, model.model_id, _fault(model, runtime))
        except InferenceError as error:
            yield Verdict(name, "", str(error))


def _fault(model: ModelFile, runtime: str) -> str:
    card = model.card
    if card is None or not card.model_id.endswith(card.sha256[:8]):
        return f"the card's model_id should end in {card.sha256[:8] if card else 'its checksum'}"
    values = golden_values(model.path, runtime=runtime)
    if not np.isfinite(values).all():
        return "the golden input gives values that are not finite"
    expected = card.golden.get("values")
    if not expected:
        return "the card has no answer to the golden input"
    found = similarity(values, expected)
    least = float(card.golden.get("similarity_min", SIMILARITY_MIN))
    return "" if found >= least else f"the golden input's answer has similarity {found:.3f}, should be {least} or more"
