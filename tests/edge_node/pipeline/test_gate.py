"""The detector is spared unchanged pictures, and never for long."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_edge.pipeline.gate import ChangeGate

SIZE = (144, 192)


def noisy(level: float = 100.0, *, seed: int = 0, sigma: float = 3.0) -> NDArray[np.uint8]:
    grain = np.random.default_rng(seed).normal(level, sigma, SIZE)
    return np.clip(grain, 0, 255).astype(np.uint8)


def play(gate: ChangeGate, pictures: list[NDArray[np.uint8]], *, fps: float, occupied: bool = False) -> list[int]:
    """Return the numbers of the pictures that the detector looked at; it finds somebody where `occupied`."""
    looked: list[int] = []
    for number, picture in enumerate(pictures):
        if gate.opens_for(picture, at_s=number / fps, occupied=occupied):
            looked.append(number)
            gate.looked(at_s=number / fps, found_somebody=occupied)
    return looked


def test_an_empty_scene_is_looked_at_now_and_then() -> None:
    assert play(ChangeGate(), [noisy(seed=seed) for seed in range(31)], fps=10) == [0, 15, 30]


def test_an_unchanged_scene_with_people_is_looked_at_more_often() -> None:
    assert play(ChangeGate(), [noisy(seed=seed) for seed in range(21)], fps=20, occupied=True) == [0, 5, 10, 15, 20]


def test_somebody_small_who_comes_in_is_looked_at_at_once() -> None:
    pictures = [noisy(seed=seed) for seed in range(8)]
    pictures[5][40:60, 20:26] = 60
    assert 5 in play(ChangeGate(), pictures, fps=10)


def test_a_slow_change_is_compared_with_what_the_detector_saw_last() -> None:
    pictures = [noisy(seed=seed) for seed in range(9)]
    for number, picture in enumerate(pictures):
        picture[40:80, 20:40] += np.uint8(2 * number)
    assert play(ChangeGate(), pictures, fps=10)[:3] == [0, 4, 8]


def test_another_light_as_a_whole_is_no_change() -> None:
    pictures = [noisy(100 + 5 * (number % 2), seed=number) for number in range(9)]
    assert play(ChangeGate(), pictures, fps=10) == [0]


def test_a_tree_in_the_wind_is_learned() -> None:
    pictures = [noisy(seed=number) for number in range(120)]
    for number, picture in enumerate(pictures):
        picture[:40, :40] = 100 + 20 * (number % 2)
    looked = play(ChangeGate(), pictures, fps=10)
    assert len([number for number in looked if number < 20]) > 10
    assert len([number for number in looked if number >= 60]) <= 8


def test_a_clock_that_goes_back_or_another_size_opens_the_gate() -> None:
    gate = ChangeGate()
    play(gate, [noisy()], fps=10)
    assert gate.opens_for(noisy(), at_s=-5.0, occupied=False)
    assert gate.opens_for(noisy()[:96, :96], at_s=0.1, occupied=False)
    gate.looked(at_s=0.1, found_somebody=False)
    assert not gate.opens_for(noisy()[:96, :96], at_s=0.2, occupied=False)


@pytest.mark.parametrize("shape", [(33, 50), (4, 4)])
def test_pictures_of_any_size_can_be_compared(shape: tuple[int, int]) -> None:
    assert play(ChangeGate(), [np.full(shape, 90, np.uint8)] * 5, fps=10) == [0]
