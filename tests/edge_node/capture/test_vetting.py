"""Frames that are no frames, clocks that jump and rates that are wanted."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruid_edge.capture import Frame
from ruid_edge.capture.vetting import ClockWatch, OpeningWatch, RateLimit, fault_of

PICTURE = np.zeros((48, 64, 3), np.uint8)


@pytest.mark.parametrize(
    ("picture", "at_s", "fault"),
    [
        (PICTURE, 1.0, ""),
        (PICTURE[:, :, 0], 1.0, "not_a_picture"),
        (np.zeros((48, 64, 4), np.uint8), 1.0, "not_a_picture"),
        (PICTURE.astype(np.float32), 1.0, "not_a_picture"),
        (PICTURE[:0], 1.0, "picture_too_small"),
        (PICTURE[:, :8], 1.0, "picture_too_small"),
        (PICTURE, math.nan, "time_unreadable"),
        (PICTURE, math.inf, "time_unreadable"),
    ],
)
def test_what_cannot_be_worked_on_is_named(picture: Any, at_s: float, fault: str) -> None:
    assert fault_of(Frame(picture, at_s, 1.0, 1)) == fault


def test_a_clock_that_is_set_is_noticed_and_one_that_drifts_is_not() -> None:
    clock = ClockWatch()
    pairs = [(1000.0, 5.0), (1000.6, 5.5), (1301.0, 6.0), (1301.5, 6.5), (1201.0, 7.0)]
    steps = [clock.step_s(Frame(PICTURE, at_s, at_s, 1), monotonic_s=monotonic_s) for at_s, monotonic_s in pairs]
    assert steps == [0.0, 0.0, pytest.approx(299.9), 0.0, pytest.approx(-101.0)]


def passed_over(*moments: tuple[float | None, float]) -> list[bool]:
    """Whether frames of these times, by the sender's clock and ours, are stale just after a stream was opened."""
    watch = OpeningWatch()
    frames = [(Frame(PICTURE, 1.0, 1.0, 1, stream_s=stream_s), at_s) for stream_s, at_s in moments]
    return [watch.is_stale(frame, monotonic_s=at_s) for frame, at_s in frames]


def test_pictures_that_come_faster_than_they_were_taken_are_stale_until_two_are_waited_for() -> None:
    gathered = [(0.0, 50.0), (0.0, 50.001), (0.1, 50.002), (0.2, 50.102), (0.3, 50.103)]  # fetched late once
    live = [(0.4, 50.3), (0.5, 50.4), (0.6, 50.6), (0.7, 50.601)]  # late, and the next at once: that is the network
    assert passed_over(*gathered, *live) == [True] * 6 + [False] * 3


def test_a_stream_in_its_time_loses_two_pictures_and_a_camera_without_a_clock_none() -> None:
    assert passed_over((7.0, 50.0), (7.1, 50.1), (7.2, 50.2)) == [True, True, False]
    assert passed_over((None, 50.0), (None, 50.001)) == [False, False]


def test_what_comes_too_fast_for_long_is_shown_as_it_comes() -> None:
    a_file = [(number / 10, 50 + number / 1000) for number in range(200)]
    assert passed_over(*a_file).index(False) == 101
    clock_that_stands = [(0.0, 50 + number / 10) for number in range(40)]
    assert passed_over(*clock_that_stands).index(False) == 21


@settings(deadline=None)
@given(st.floats(1, 60), st.floats(1, 60))
def test_the_wanted_rate_is_met_in_the_long_run(source_fps: float, wanted_fps: float) -> None:
    limit = RateLimit()
    passed = sum(limit.passes(number / source_fps, frame_rate_fps=wanted_fps) for number in range(2000))
    assert passed / (2000 / source_fps) == pytest.approx(min(source_fps, wanted_fps), rel=0.12)


def test_without_a_wanted_rate_every_frame_passes_and_a_clock_set_back_stops_nothing() -> None:
    limit = RateLimit()
    assert all(limit.passes(number / 100, frame_rate_fps=None) for number in range(10))
    assert limit.passes(1000.0, frame_rate_fps=5)
    assert not limit.passes(1000.1, frame_rate_fps=5)
    assert limit.passes(10.0, frame_rate_fps=5)
    assert not limit.passes(10.1, frame_rate_fps=5)
