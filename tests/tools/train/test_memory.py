"""The memory of embeddings and the ranking against it. Needs PyTorch."""

import pytest

from tooling import require_module

torch = require_module("torch", hint="pip install torch==2.13.0")

from ruid_tools.train.memory import PictureMemory  # noqa: E402 - needs torch

LABELS = [0, 0, 0, 1, 1, -1]
CAMERAS = [1, 1, 2, 1, 2, 0]
ALIKE = [[1.0, 0], [1, 0], [1, 0], [0, 1], [0, 1], [1, 0]]
BY_CAMERA = [[1.0, 0], [1, 0], [0, 1], [1, 0], [0, 1], [1, 0]]


def memory_of(rows: list[list[float]]) -> PictureMemory:
    memory = PictureMemory(torch.tensor(LABELS), torch.tensor(CAMERAS), dim=2)
    memory.keep(torch.arange(len(rows)), torch.tensor(rows))
    return memory


def loss_of(rows: list[list[float]]) -> float:
    everyone = torch.arange(len(rows))
    return float(memory_of(rows).ranking_loss(everyone, torch.tensor(rows), temperature=0.1))


def test_people_told_apart_cost_nothing_and_cameras_told_apart_cost_much() -> None:
    assert loss_of(ALIKE) < 0.01
    assert loss_of(BY_CAMERA) > 5


def test_pictures_without_an_identity_are_not_remembered() -> None:
    assert memory_of(ALIKE).rows[5].tolist() == [0, 0]


def test_a_picture_by_the_same_camera_is_the_right_answer_only_where_there_is_no_other() -> None:
    memory = PictureMemory(torch.tensor([0, 0, 1]), torch.tensor([1, 1, 1]), dim=2)
    rows = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
    memory.keep(torch.arange(3), rows)
    assert float(memory.ranking_loss(torch.tensor([0]), rows[:1], temperature=0.1)) == pytest.approx(0, abs=1e-3)


def test_an_empty_memory_costs_nothing_and_gives_finite_gradients() -> None:
    memory = PictureMemory(torch.tensor(LABELS), torch.tensor(CAMERAS), dim=2)
    embeddings = torch.tensor(ALIKE, requires_grad=True)
    loss = memory.ranking_loss(torch.arange(6), embeddings, temperature=0.1)
    loss.backward()
    assert float(loss.detach()) == 0
    assert embeddings.grad is None or torch.isfinite(embeddings.grad).all()
