"""Who was hidden for a moment is known again by his or her looks."""

import numpy as np
from numpy.typing import NDArray

from ruid_core.tracking.appearance import Appearances


def looks(*values: float) -> NDArray[np.float32]:
    """A unit embedding."""
    row = np.array(values, np.float32)
    return (row / np.linalg.norm(row)).astype(np.float32)


RED, BLUE, REDDISH, PURPLE = looks(1, 0), looks(0, 1), looks(1, 0.3), looks(1, 0.9)


def followed() -> Appearances:
    appearances = Appearances()
    appearances.note(1, RED)
    appearances.note(1, RED)
    appearances.note(2, BLUE)
    return appearances


def test_the_most_alike_is_recognised() -> None:
    assert followed().recognise(REDDISH, among=[1, 2]) == 1
    assert followed().recognise(looks(0.3, 1), among=[1, 2]) == 2


def test_somebody_unlike_all_is_new() -> None:
    assert followed().recognise(-RED, among=[1, 2]) is None
    assert Appearances().recognise(RED, among=[1]) is None


def test_somebody_more_like_one_who_is_in_view_is_new() -> None:
    assert followed().recognise(REDDISH, among=[2]) is None


def test_looks_follow_what_is_seen_and_end_with_the_track() -> None:
    appearances = followed()
    for _ in range(10):
        appearances.note(1, BLUE)
    appearances.forget([2, 3])
    assert appearances.recognise(BLUE, among=[1, 2]) == 1
    assert appearances.recognise(RED, among=[1, 2]) is None
