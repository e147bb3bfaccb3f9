"""What is wrong with a view is found on made-up pictures; on footage, tests/edge_node/pipeline does it."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_core.vision.sense import BLURRED, COVERED, DARK, FROZEN, MOVED, SceneSense

Picture = NDArray[np.uint8]


def street(seed: int = 0) -> NDArray[np.float32]:
    """A still picture with edges of every size: random rectangles."""
    rng = np.random.default_rng(seed)
    view = np.full((288, 384), 120, np.float32)
    for _ in range(400):
        x, y = rng.integers(0, 370), rng.integers(0, 270)
        view[y : y + rng.integers(3, 60), x : x + rng.integers(3, 60)] = rng.integers(30, 220)
    return view


def camera(view: NDArray[np.float32], *, noise: float = 2.0) -> Callable[[int], Picture]:
    def picture(number: int) -> Picture:
        grain = np.random.default_rng(number).normal(0, noise, view.shape) if noise else 0
        grey = np.clip(view + grain, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)

    return picture


def watch(sense: SceneSense, picture: Callable[[int], Picture], seconds: Iterable[float]) -> list[tuple[str, ...]]:
    pictures = ((at_s, picture(int(at_s * 2))) for at_s in seconds)
    return [sense.see(shown[::2, ::2, 1], shown, at_s=at_s) for at_s, shown in pictures]


def half_seconds(first_s: float, last_s: float) -> list[float]:
    return np.arange(first_s, last_s, 0.5).tolist()


def soft(view: NDArray[np.float32], width: int = 9) -> NDArray[np.float32]:
    for axis in (0, 1):
        shifts = [np.roll(view, shift, axis=axis) for shift in range(-(width // 2), width // 2 + 1)]
        view = np.stack(shifts).mean(axis=0).astype(np.float32)
    return view


STREET = street()


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        (COVERED, np.full_like(STREET, 70)),
        (DARK, STREET * 0.08),
        (BLURRED, soft(STREET)),
        (MOVED, np.roll(STREET, 25, axis=1)),
    ],
)
def test_a_view_gone_bad_is_told_after_two_seconds_and_so_is_its_return(
    name: str, changed: NDArray[np.float32]
) -> None:
    sense = SceneSense()
    good, bad = camera(STREET), camera(changed)
    assert set(watch(sense, good, half_seconds(0, 10))) == {()}
    told = watch(sense, bad, half_seconds(10, 20))
    assert told[:4] == [()] * 4
    assert set(told[4:]) == {(name,)}
    assert watch(sense, good, half_seconds(20, 25))[-1] == ()


def test_one_bad_picture_is_nothing() -> None:
    sense = SceneSense()
    watch(sense, camera(STREET), half_seconds(0, 5))
    assert watch(sense, camera(STREET * 0), [5.0]) == [()]
    assert set(watch(sense, camera(STREET), half_seconds(5.5, 9))) == {()}


def test_a_picture_that_never_changes_is_frozen() -> None:
    sense = SceneSense()
    told = watch(sense, camera(STREET, noise=0), half_seconds(0, 20))
    assert set(told[:24]) == {()}
    assert set(told[24:]) == {(FROZEN,)}
    assert watch(sense, camera(STREET), half_seconds(20, 24))[-1] == ()


def test_a_lens_cap_is_both_dark_and_covered() -> None:
    sense = SceneSense()
    watch(sense, camera(STREET), half_seconds(0, 5))
    assert set(watch(sense, camera(STREET * 0, noise=0), half_seconds(5, 9))[-1]) == {DARK, COVERED}


def test_a_camera_that_is_covered_from_the_start_says_so() -> None:
    assert watch(SceneSense(), camera(np.full_like(STREET, 90)), half_seconds(0, 5))[-1] == (COVERED,)


def test_a_crowd_and_another_light_are_nothing() -> None:
    sense = SceneSense()
    watch(sense, camera(STREET), half_seconds(0, 10))
    crowd = STREET.copy()
    crowd[:, :190] = street(7)[:, :190]
    assert set(watch(sense, camera(crowd), half_seconds(10, 20))) == {()}
    assert set(watch(sense, camera(STREET * 0.5), half_seconds(20, 30))) == {()}


def test_another_view_becomes_the_usual_one_in_the_end() -> None:
    sense = SceneSense()
    watch(sense, camera(STREET), half_seconds(0, 10))
    told = watch(sense, camera(street(5)), np.arange(10, 640, 1.0).tolist())
    assert told[100] == (MOVED,)
    assert told[-1] == ()


def test_a_bare_wall_cannot_be_seen_to_move() -> None:
    wall = np.full_like(STREET, 120)
    wall[:60, :60] = STREET[:60, :60]
    sense = SceneSense()
    watch(sense, camera(wall), half_seconds(0, 10))
    assert (MOVED,) not in watch(sense, camera(np.roll(wall, 40, axis=1)), half_seconds(10, 20))


def test_pictures_of_another_size_begin_anew() -> None:
    sense = SceneSense()
    watch(sense, camera(STREET), half_seconds(0, 10))
    assert set(watch(sense, camera(street(3)[:200, :200]), half_seconds(10, 15))) == {()}
