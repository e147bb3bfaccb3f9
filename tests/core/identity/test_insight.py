"""What a person who looks things over is told."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_core.identity import (
    Evidence,
    IdentitySettings,
    TrackletEngine,
    UnknownIdentity,
    UnknownTrack,
    WrongDimension,
)

F32 = NDArray[np.float32]
PEOPLE = np.random.default_rng(7).normal(size=(24, 32)).astype(np.float32)


def _evidence(track: str, at_s: float, row: F32) -> Evidence:
    rows = np.repeat(row[None] / np.float32(np.linalg.norm(row)), 2, axis=0)
    return Evidence("a", track, 0, at_s, at_s, rows, np.ones(2, np.float32), "model")


def _engine(*, most_tracks: int = 3072) -> TrackletEngine:
    numbers = itertools.count(1)
    settings = IdentitySettings(most_tracks=most_tracks, refresh_until=0, clock_tolerance_s=1e9)
    return TrackletEngine(next_identity_id=lambda: f"new-{next(numbers)}", settings=settings)


def _known(*, most_tracks: int = 3072) -> TrackletEngine:
    engine = _engine(most_tracks=most_tracks)
    for visit in range(2):
        for number, person in enumerate(PEOPLE):
            engine.restore(_evidence(f"{number}/{visit}", 1000.0 * visit + 10.0 * number, person), f"p{number}")
    return engine


def test_a_track_is_explained_by_the_most_alike_and_what_spoke() -> None:
    engine = _known()
    engine.consolidate(5000.0)
    before = engine.state_bytes()
    told = engine.explain("3/0")
    assert (told.nearest[0].track, told.nearest[0].identity_id) == ("3/1", "p3")
    assert told.nearest[0].similarity == pytest.approx(1.0, abs=1e-3)
    assert len(told.nearest) == 8
    assert told.decision.identity_id == "p3"
    assert told.decision.alternatives[0].identity_id == "p3"
    assert "operator" not in {reason.kind for reason in told.decision.reasons}
    assert engine.state_bytes() == before


def test_what_operators_said_is_told_first() -> None:
    engine = _known()
    engine.hand.not_this_person("3/0", "p4")
    engine.hand.merge("p3", "p5")
    bound, apart = engine.explain("3/0").decision.reasons[:2]
    assert (bound.kind, bound.weight) == ("operator", 3.0)
    assert (apart.kind, apart.weight) == ("operator", -2.0)


def test_a_folded_track_can_only_say_whose_it_is() -> None:
    engine = _known(most_tracks=32)
    told = engine.explain("0/0")
    assert (told.decision.identity_id, told.nearest) == ("p0", ())
    assert told.decision.reasons[0].kind == "folded"


def test_pairs_that_may_be_one_are_suggested_and_impossible_ones_are_not() -> None:
    engine = _engine()
    engine.restore(_evidence("warm-up", 0.0, PEOPLE[23]), "p23")
    for number in range(6):
        for visit, at_s in ((0, 100.0), (1, 1000.0)):
            engine.restore(_evidence(f"{number}/{visit}", at_s + 10.0 * number, PEOPLE[number]), f"{number}/{visit}")
    engine.restore(_evidence("beside", 120.0, PEOPLE[2]), "beside")
    engine.hand.different("3/0", "3/1")
    for name, label in (("4/0", "Ada"), ("4/1", "Bob"), ("5/0", "Eve")):
        engine.hand.rename(name, label)
    pairs = {frozenset((one.one_id, one.other_id)): one for one in engine.suggestions(100)}
    assert {frozenset((f"{number}/0", f"{number}/1")) for number in (0, 1, 2, 5)} <= set(pairs)
    assert frozenset(("3/0", "3/1")) not in pairs
    assert frozenset(("4/0", "4/1")) not in pairs
    assert frozenset(("2/0", "beside")) not in pairs
    likeliest = engine.suggestions(2)
    assert len(likeliest) == 2
    assert likeliest[0].probability >= likeliest[1].probability > 0.5


def test_the_similar_are_ranked_and_leave_oneself_out() -> None:
    engine = _known()
    found = engine.similar("p3", 5)
    assert len(found) == 5
    assert "p3" not in {one.identity_id for one in found}
    assert [one.similarity for one in found] == sorted((one.similarity for one in found), reverse=True)
    assert len(engine.similar("p3", 100)) == 23
    assert engine.knows("p3")


def test_an_empty_engine_tells_nothing() -> None:
    engine = _engine()
    assert engine.suggestions(5) == ()
    assert not engine.knows("p0")
    with pytest.raises(UnknownIdentity):
        engine.similar("p0", 5)
    with pytest.raises(UnknownTrack):
        engine.explain("0/0")


def test_a_search_with_another_models_embedding_is_refused() -> None:
    with pytest.raises(WrongDimension):
        _known().search(np.ones(5, np.float32))
