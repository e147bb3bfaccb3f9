"""Embeddings of crops, by a network whose answer is a crop's mean colour."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_edge.inference import load_embedder
from ruid_edge.inference.errors import ModelMissingError, WrongInputError

_BLUE = (0, 0, 40, 60)
_RED = (40, 0, 80, 60)


class Networks(Protocol):
    """What the fixture gives."""

    def answering_mean_colour(self, taken: Sequence[int | str], *, channels_last: bool = ...) -> Path:
        """Write an embedder."""
        ...


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """Blue on the left, red on the right."""
    halves = np.zeros((60, 80, 3), np.uint8)
    halves[:, :40, 0] = 200
    halves[:, 40:, 2] = 100
    return halves


def _boxes(*boxes: Sequence[float]) -> NDArray[np.float32]:
    return np.array(boxes, np.float32).reshape(-1, 4)


@pytest.mark.parametrize("channels_last", [True, False])
def test_each_box_gives_the_unit_vector_of_its_crop(
    networks: Networks, picture: NDArray[np.uint8], channels_last: bool
) -> None:
    shape = ("n", 16, 8, 3) if channels_last else ("n", 3, 16, 8)
    embedder = load_embedder(str(networks.answering_mean_colour(shape, channels_last=channels_last)), threads=1)
    found = embedder.embed(picture, _boxes(_BLUE, _RED, (20, 0, 60, 60)))
    assert embedder.dim == 3
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:2], [[1, 0, 0], [0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert 0 < found[2, 2] < found[2, 0]


@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_more_boxes_than_a_batch_holds_keep_their_order(
    networks: Networks, picture: NDArray[np.uint8], batch: int | str
) -> None:
    path = networks.answering_mean_colour((batch, 3, 16, 8))
    embedder = load_embedder(str(path), threads=1, most_crops=3)
    found = embedder.embed(picture, _boxes(*[_BLUE, _RED] * 4, _RED))
    assert found.argmax(axis=1).tolist() == [0, 2] * 4 + [2]


def test_no_boxes_give_no_rows(networks: Networks, picture: NDArray[np.uint8]) -> None:
    embedder = load_embedder(str(networks.answering_mean_colour(("n", 3, 16, 8))), threads=1)
    assert embedder.embed(picture, _boxes()).shape == (0, 3)


def test_boxes_beyond_the_picture_are_cut_to_what_is_there(networks: Networks, picture: NDArray[np.uint8]) -> None:
    embedder = load_embedder(str(networks.answering_mean_colour(("n", 3, 16, 8))), threads=1)
    found = embedder.embed(picture, _boxes((-30, -30, 20, 30), (79, 59, 500, 500), (200, 200, 300, 300), (5, 5, 5, 5)))
    np.testing.assert_allclose(found, [[1, 0, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0]], atol=1e-6)


def test_a_black_crop_gives_zeros_instead_of_nonsense(networks: Networks) -> None:
    embedder = load_embedder(str(networks.answering_mean_colour(("n", 3, 16, 8))), threads=1)
    assert embedder.embed(np.zeros((60, 80, 3), np.uint8), _boxes(_BLUE)).tolist() == [[0, 0, 0]]


def test_a_network_of_open_crop_size_is_refused(networks: Networks) -> None:
    with pytest.raises(WrongInputError, match="a fixed height and width"):
        load_embedder(str(networks.answering_mean_colour(("n", 3, "h", "w"))), threads=1)


def test_a_missing_embedder_is_told() -> None:
    with pytest.raises(ModelMissingError, match="'nobody'"):
        load_embedder("nobody", threads=1)
