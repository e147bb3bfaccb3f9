"""People are in zones, and the edge does not flicker."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruid_core.tracking import Foot, Stay, Zone, ZoneWatch

TILL = Zone("till", ((0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (0.0, 1.0)))
"""Of 200 by 100 pixels: x from 0 to 100, y from 50 to 100."""
HEIGHT_PX = 50.0
"""A margin of 0.1 body heights is 5 px."""


def watch() -> ZoneWatch:
    return ZoneWatch([TILL], width_px=200, height_px=100)


def near(seconds: float) -> Any:
    return pytest.approx(seconds)


def walk(zones: ZoneWatch, *xs: float, y: float = 75.0, start_s: float = 0.0, every_s: float = 0.1) -> list[Stay]:
    return [
        stay
        for number, x in enumerate(xs)
        for stay in zones.see([Foot(1, (x, y), HEIGHT_PX)], at_s=start_s + number * every_s)
    ]


def test_a_stay_is_told_when_it_begins_and_when_it_ends() -> None:
    zones = watch()
    assert walk(zones, 120, 98, 90) == [Stay("till", 1, 0, near(0.1), near(0.2), final=False)]
    assert zones.zones_of(1) == ("till",)
    assert walk(zones, 101, 102, 106, start_s=5) == [Stay("till", 1, 0, near(0.1), 5.0, final=True)]
    assert zones.zones_of(1) == ()


def test_stays_of_one_track_are_numbered() -> None:
    zones = watch()
    stays = walk(zones, 80, 120, 80, 120)
    assert [(stay.stay, stay.final) for stay in stays] == [(0, False), (0, True), (1, False), (1, True)]


def test_somebody_who_sways_on_the_edge_neither_comes_nor_goes() -> None:
    assert walk(watch(), *(98, 102) * 20) == []


def test_who_stays_just_inside_for_a_moment_has_come_in() -> None:
    stays = walk(watch(), *[98.0] * 8)
    assert stays == [Stay("till", 1, 0, 0.0, near(0.6), final=False)]


def test_a_stay_that_goes_on_is_told_again() -> None:
    stays = walk(watch(), *[50.0] * 25, every_s=1.0)
    assert [stay.left_at_s for stay in stays] == [0, 10, 20]
    assert not any(stay.final for stay in stays)


def test_a_stay_ends_with_its_track_when_it_was_last_seen() -> None:
    zones = watch()
    walk(zones, 50, 50)
    assert zones.end([1, 99]) == (Stay("till", 1, 0, 0.0, 0.1, final=True),)
    assert zones.end([1]) == ()
    assert zones.zones_of(1) == ()


def test_every_stay_ends_when_the_watch_does() -> None:
    zones = watch()
    zones.see([Foot(1, (50, 75), 50), Foot(2, (150, 75), 50)], at_s=1)
    assert [stay.track_id for stay in zones.finish()] == [1]


def test_a_foot_on_the_lower_edge_of_the_picture_is_in_a_zone_that_reaches_it() -> None:
    stays = walk(watch(), *[50.0] * 8, y=104.0)
    assert len(stays) == 1


def test_a_camera_without_zones_has_nothing_to_tell() -> None:
    assert ZoneWatch([], width_px=200, height_px=100).see([Foot(1, (1, 1), 50)], at_s=0) == ()
    assert watch().see([], at_s=0) == ()


@settings(deadline=None)
@given(st.lists(st.floats(0, 200, width=16), min_size=1, max_size=60))
def test_every_stay_that_begins_ends_once_and_none_overlap(xs: list[float]) -> None:
    zones = watch()
    stays = [*walk(zones, *xs), *zones.finish()]
    final = [stay for stay in stays if stay.final]
    assert [stay.stay for stay in final] == list(range(len(final)))
    assert {stay.stay for stay in stays} == set(range(len(final)))
    assert all(stay.entered_at_s <= stay.left_at_s for stay in stays)
    assert all(one.left_at_s <= other.entered_at_s for one, other in pairwise(final))
