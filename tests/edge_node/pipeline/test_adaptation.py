"""Under strain the node gives up one thing after another, and takes them back by itself."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruid_edge.pipeline.adaptation import STEP_NAMES, Effort, Load, Strain, adapt, effort_of, steps_of

EASE = Load(busy=0.3, keeps_up=True, temperature_c=60)
HOT = Load(busy=0.3, keeps_up=True, temperature_c=82)
BUSY = Load(busy=1.0, keeps_up=False)


@dataclass
class Days:
    """Lives through seconds of load and notes the level after each."""

    strain: Strain = field(default_factory=Strain)
    at_s: float = 0.0

    def live(self, load: Load, *, seconds: int) -> list[int]:
        levels: list[int] = []
        for _ in range(seconds):
            self.at_s += 1
            self.strain = adapt(self.strain, load, at_s=self.at_s)
            levels.append(self.strain.level)
        return levels


@pytest.mark.parametrize("load", [HOT, BUSY, Load(busy=0.2, keeps_up=True, throttled=True)])
def test_each_kind_of_strain_takes_one_step_after_the_other(load: Load) -> None:
    levels = Days().live(load, seconds=40)
    assert levels[:4] == [0] * 4
    assert levels == sorted(levels)
    assert levels[-1] == len(STEP_NAMES)
    assert {after - before for before, after in pairwise(levels)} == {0, 1}


def test_a_moment_of_strain_is_nothing() -> None:
    days = Days()
    for _ in range(10):
        days.live(BUSY, seconds=3)
        days.live(EASE, seconds=1)
    assert days.strain.level == 0


def test_when_it_is_at_ease_everything_comes_back() -> None:
    days = Days()
    days.live(HOT, seconds=40)
    levels = days.live(EASE, seconds=130)
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] == 0
    assert effort_of(days.strain) == Effort()
    assert steps_of(days.strain) == ()


@pytest.mark.parametrize("load", [Load(busy=0.9, keeps_up=True), Load(busy=0.1, keeps_up=True, temperature_c=77)])
def test_between_strain_and_ease_nothing_changes(load: Load) -> None:
    days = Days()
    days.live(HOT, seconds=10)
    level = days.strain.level
    assert set(days.live(load, seconds=300)) == {level}


def test_a_step_back_that_does_not_hold_is_tried_again_later_each_time() -> None:
    days = Days()
    waits: list[int] = []
    days.live(BUSY, seconds=5)
    for _ in range(4):
        waits.append(days.live(EASE, seconds=700).index(0))
        days = Days(days.strain, days.strain.changed_at_s)
        days.live(BUSY, seconds=5)
    assert all(later > 1.8 * sooner for sooner, later in pairwise(waits))


def test_patience_is_bounded_and_forgotten_after_a_good_time() -> None:
    days = Days()
    days.live(BUSY, seconds=5)
    for _ in range(10):
        days.live(EASE, seconds=601)
        days = Days(days.strain, days.strain.changed_at_s)
        days.live(BUSY, seconds=5)
    assert 0 in days.live(EASE, seconds=601)
    days.live(EASE, seconds=100)
    days.live(BUSY, seconds=5)
    assert 0 in days.live(EASE, seconds=25)


def test_the_steps_cost_more_and_more() -> None:
    efforts = [effort_of(Strain(level=level)) for level in range(len(STEP_NAMES) + 1)]
    assert len(set(efforts)) == len(efforts)
    for less, more in pairwise(efforts):
        assert more.embed_slower >= less.embed_slower
        assert more.smaller_input >= less.smaller_input
        assert more.detect_every_s >= less.detect_every_s


@settings(deadline=None)
@given(st.lists(st.sampled_from([EASE, HOT, BUSY]), max_size=200))
def test_the_level_moves_by_one_within_bounds(loads: list[Load]) -> None:
    days = Days()
    before = 0
    for load in loads:
        (level,) = days.live(load, seconds=1)
        assert 0 <= level <= len(STEP_NAMES)
        assert abs(level - before) <= 1
        before = level
