"""How many are inside."""

import numpy as np

from ruid_core.occupancy import Level, inside, levels


def people(*steps: int, start: int = 0) -> list[int]:
    at_s = np.arange(1.0, len(steps) + 1.0)
    return [level.people for level in levels(at_s, np.array(steps, np.int64), start=Level(0.0, start))]


def test_in_and_out():
    assert people(1, 1, -1, 1) == [1, 2, 1, 2]


def test_it_goes_on_from_where_somebody_set_it():
    assert people(1, -1, -1, start=10) == [11, 10, 9]


def test_it_never_falls_below_nobody_and_does_not_owe_anybody():
    assert people(-1, -1, 1, 1, -1) == [0, 0, 1, 2, 1]


def test_what_was_before_the_start_does_not_count():
    walk = levels(np.array([1.0, 5.0, 6.0]), np.array([1, 1, 1], np.int64), start=Level(5.0, 3))
    assert walk == (Level(6.0, 4),)


def test_the_people_alone_are_those_of_the_levels():
    at_s, steps = np.array([1.0, 5.0, 6.0, 7.0]), np.array([1, -1, -1, 1], np.int64)
    start = Level(1.0, 1)
    assert inside(at_s, steps, start=start).tolist() == [level.people for level in levels(at_s, steps, start=start)]


def test_nothing_happened():
    assert levels(np.zeros(0), np.zeros(0, np.int64), start=Level(0.0, 2)) == ()
