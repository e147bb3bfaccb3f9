"""A person seen twice is one identity; two people in view at once are two."""

import itertools

import numpy as np
from numpy.typing import NDArray

from ruid_core.identity import Evidence, IdentityState, TrackletEngine


def _engine() -> TrackletEngine:
    numbers = itertools.count(1)
    return TrackletEngine(next_identity_id=lambda: f"person-{next(numbers)}")


def _evidence(camera: str, track: str, at_s: float, row: NDArray[np.float32]) -> Evidence:
    rows = row[None] / np.linalg.norm(row)
    return Evidence(camera, track, 0, at_s, at_s, rows.astype(np.float32), np.ones(1, np.float32), "model")


def test_somebody_seen_again_is_matched() -> None:
    engine = _engine()
    rng = np.random.default_rng(7)
    people = rng.normal(size=(4, 64)).astype(np.float32)
    for number, person in enumerate(people):
        first = engine.observe(_evidence("a/1", f"a{number}", 10.0 * number, person))
        assert first.state is IdentityState.NEW
    again = engine.observe(_evidence("a/1", "again", 100.0, people[2]))
    assert again.state is IdentityState.MATCHED
    assert again.identity_id == engine.identity_of("a2")


def test_two_in_view_at_once_are_two() -> None:
    engine = _engine()
    person = np.ones(8, np.float32)
    first = engine.observe(_evidence("a/1", "a", 1.0, person))
    second = engine.observe(_evidence("a/1", "b", 1.0, person))
    assert first.identity_id != second.identity_id
