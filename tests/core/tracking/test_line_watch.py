"""People cross lines, once each time, and only when they do."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruid_core.tracking import Crossing, Foot, Line, LineWatch

MIDDLE = Line("middle", (0.5, 1.0), (0.5, 0.25))
"""Upwards at x = 100 px, from y = 100 to y = 25: to its right is on the right, so going right is going in."""
HEIGHT_PX = 50.0
"""A margin of 0.08 body heights is 4 px."""


def watch() -> LineWatch:
    return LineWatch([MIDDLE], width_px=200, height_px=100)


def near(seconds: float) -> Any:
    return pytest.approx(seconds)


def walk(lines: LineWatch, *xs: float, y: float = 80.0, track_id: int = 1, start_s: float = 0.0) -> list[Crossing]:
    return [
        crossing
        for number, x in enumerate(xs)
        for crossing in lines.see([Foot(track_id, (x, y), HEIGHT_PX)], at_s=start_s + number)
    ]


def test_a_crossing_is_told_once_with_its_direction_and_when_the_line_was_met() -> None:
    lines = watch()
    assert walk(lines, 80, 96, 104, 120) == [Crossing("middle", 1, 1, 1.5)]
    assert walk(lines, 110, 99, 90, 80, start_s=10) == [Crossing("middle", 1, -1, near(10 + 10 / 11))]


def test_somebody_who_sways_on_the_line_has_crossed_it_once() -> None:
    assert walk(watch(), 80, 101, 99, 102, 98, 103, 97, 110) == [Crossing("middle", 1, 1, near(6 + 3 / 13))]


def test_somebody_who_turns_back_on_the_line_has_not_crossed_it() -> None:
    assert walk(watch(), 80, 99, 103, 98, 80) == []


def test_somebody_who_begins_on_the_line_has_not_crossed_it() -> None:
    assert walk(watch(), 101, 99, 80) == []


def test_who_walks_round_an_end_has_not_crossed() -> None:
    lines = watch()
    assert walk(lines, 80, 120, y=20) == []
    assert walk(lines, 120, 80, y=80, start_s=5) == [Crossing("middle", 1, -1, 5.5)]


def test_tracks_and_lines_are_told_apart() -> None:
    lines = LineWatch([MIDDLE, Line("level", (0.0, 0.5), (1.0, 0.5))], width_px=200, height_px=100)
    assert lines.see([Foot(1, (80, 80), 50), Foot(2, (120, 20), 50)], at_s=0) == ()
    crossings = lines.see([Foot(1, (120, 80), 50), Foot(2, (120, 90), 50)], at_s=1)
    assert {(crossing.line_id, crossing.track_id, crossing.direction) for crossing in crossings} == {
        ("middle", 1, 1),
        ("level", 2, 1),
    }


def test_a_track_that_ended_is_forgotten() -> None:
    lines = watch()
    walk(lines, 80)
    lines.end([1, 99])
    assert walk(lines, 120) == []


def begun(x: float, *, began_x: float, began_at_s: float) -> Foot:
    return Foot(1, (x, 80.0), HEIGHT_PX, (began_x, 80.0), began_at_s)


def test_a_line_crossed_before_the_track_was_told_counts() -> None:
    lines = watch()
    lines.see([], at_s=0)
    assert lines.see([begun(110, began_x=90, began_at_s=1.0)], at_s=1.2) == (Crossing("middle", 1, 1, near(1.1)),)
    assert lines.see([begun(120, began_x=90, began_at_s=1.0)], at_s=1.3) == ()


def test_who_began_on_the_line_before_the_track_was_told_has_not_crossed_it() -> None:
    lines = watch()
    lines.see([], at_s=0)
    assert lines.see([begun(110, began_x=99, began_at_s=1.0)], at_s=1.2) == ()


def test_nobody_has_crossed_a_line_before_it_was_there() -> None:
    lines = watch()
    assert lines.see([begun(110, began_x=90, began_at_s=1.0)], at_s=60.0) == ()
    assert walk(lines, 80, start_s=61) == [Crossing("middle", 1, -1, near(60 + 1 / 3))]


def test_a_path_goes_on_when_the_track_is_taken_by_another() -> None:
    lines = watch()
    walk(lines, 80, 96)
    lines.hand_over(1, 2)
    assert walk(lines, 110, track_id=2, start_s=2) == [Crossing("middle", 2, 1, near(1 + 4 / 14))]
    assert walk(lines, 110, track_id=1, start_s=3) == []


def test_somebody_known_who_takes_a_track_goes_on_from_where_he_was_himself() -> None:
    lines = watch()
    walk(lines, 120, track_id=2)
    walk(lines, 80)
    lines.hand_over(1, 2)
    assert walk(lines, 80, track_id=2, start_s=1) == [Crossing("middle", 2, -1, near(0.5))]


@settings(deadline=None)
@given(st.lists(st.floats(0, 200, width=16), min_size=2, max_size=40))
def test_crossings_alternate_and_add_up(xs: list[float]) -> None:
    """Nobody can go in twice without going out in between, and the sum says on which side the walk began and ended."""
    crossings = walk(watch(), *xs)
    directions = [crossing.direction for crossing in crossings]
    assert all(one == -other for one, other in pairwise(directions))
    times = [crossing.at_s for crossing in crossings]
    assert times == sorted(times)
    clear = [np.sign(x - 100) for x in xs if abs(x - 100) >= 4]
    assert sum(directions) == ((clear[-1] - clear[0]) / 2 if clear else 0)
