"""The shipped embedder: what its card says is so."""

import json
from typing import Any

import numpy as np
import pytest

from ruid_edge.inference.cards import file_sha256, models_folder
from ruid_tools.evaluation.reid_networks import open_reid_network
from ruid_tools.models.golden import golden_values, similarity
from ruid_tools.models.reid_files import CARD_NAME, INT8_FILE

MODEL = models_folder() / INT8_FILE


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    return json.loads((models_folder() / f"{CARD_NAME}.card.json").read_text(encoding="utf-8"))


def test_model_id_comes_from_the_checksum(card: dict[str, Any]) -> None:
    assert card["sha256"] == file_sha256(MODEL)
    assert card["model_id"] == f"{CARD_NAME}-{card['sha256'][:8]}"


def test_file_is_within_its_budget() -> None:
    assert MODEL.stat().st_size < 1.5e6


def test_golden_input_gets_the_golden_answer(card: dict[str, Any]) -> None:
    assert similarity(golden_values(MODEL), card["golden"]["values"]) >= card["golden"]["similarity_min"]


def test_card_states_accuracy_in_both_precisions_for_every_set(card: dict[str, Any]) -> None:
    assert card["accuracy"]
    for by_precision in card["accuracy"].values():
        assert set(by_precision) == {"fp32", "int8"}


def test_any_batch_gives_the_same_unit_embeddings() -> None:
    network = open_reid_network(MODEL)
    crops = np.random.default_rng(0).integers(0, 256, (16, network.height_px, network.width_px, 3)).astype(np.uint8)
    together = network.run(crops)
    one_by_one = np.concatenate([network.run(crops[index : index + 1]) for index in range(16)])
    assert together.shape[1] <= 256
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(together, one_by_one, atol=1e-5)
