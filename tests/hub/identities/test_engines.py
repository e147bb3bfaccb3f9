"""What every engine keeps, whoever it is made of."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruid_core.identity import (
    Evidence,
    EvidenceRefused,
    IdentityEngine,
    TimeWentBackwards,
    TrackMoved,
    UnknownTrack,
    WrongDimension,
    WrongModel,
)
from ruid_hub.identities import ENGINE_NAMES, UnknownEngine, build_engine

DIM = 8
PEOPLE = np.random.default_rng(2).normal(size=(5, DIM)).astype(np.float32)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(0, 1), st.integers(0, 6), st.sampled_from([0.0, 1.0, 60.0]), st.booleans()
    ),
    max_size=40,
)


def _engine(name: str) -> IdentityEngine:
    numbers = itertools.count()
    return build_engine(name, next_identity_id=lambda: f"person-{next(numbers)}")


def _evidence(camera: str, track: str, at_s: float, person: int, *, model: str = "m", dim: int = DIM) -> Evidence:
    row = PEOPLE[person][None, :dim] / np.float32(np.linalg.norm(PEOPLE[person, :dim]))
    return Evidence(camera, track, 0, at_s, at_s, row, np.ones(1, np.float32), model)


@pytest.mark.parametrize("name", ENGINE_NAMES)
@settings(max_examples=15, deadline=None)
@given(STEPS)
def test_two_in_view_together_are_never_one(name: str, steps: list[tuple[int, int, int, float, bool]]) -> None:
    engine, clocks_s = _engine(name), [0.0, 9000.0]
    seen: dict[tuple[int, str], list[float]] = {}
    for person, camera, track, pause_s, consolidates in steps:
        clocks_s[camera] += pause_s
        name_of_track = f"{camera}/{track}"
        decision = engine.observe(_evidence(str(camera), name_of_track, clocks_s[camera], person))
        assert decision.identity_id == engine.identity_of(name_of_track)
        seen.setdefault((camera, name_of_track), [clocks_s[camera]] * 2)[1] = clocks_s[camera]
        if consolidates:
            for revision in engine.consolidate(clocks_s[camera]):
                assert engine.identity_of(revision.track) == revision.to_identity_id
        for (one, others), (two, times) in itertools.combinations(seen.items(), 2):
            if one[0] == two[0] and others[0] <= times[1] and times[0] <= others[1]:
                assert engine.identity_of(one[1]) != engine.identity_of(two[1])


@pytest.mark.parametrize("name", ENGINE_NAMES)
def test_bad_evidence_is_refused_by_name(name: str) -> None:
    engine = _engine(name)
    engine.observe(_evidence("a", "t", 1000.0, 0))
    refusals: list[tuple[Evidence, type[EvidenceRefused]]] = [
        (_evidence("a", "u", 1000.0, 0, model="other"), WrongModel),
        (_evidence("a", "u", 1000.0, 0, dim=4), WrongDimension),
        (_evidence("a", "u", 1.0, 0), TimeWentBackwards),
        (_evidence("b", "t", 1001.0, 0), TrackMoved),
    ]
    for evidence, refusal in refusals:
        with pytest.raises(refusal):
            engine.observe(evidence)


@pytest.mark.parametrize("name", ENGINE_NAMES)
def test_restored_tracks_keep_their_identity(name: str) -> None:
    engine = _engine(name)
    engine.restore(_evidence("a", "t", 1.0, 0), "somebody")
    engine.end_track("t", 1.0)
    assert engine.identity_of("t") == "somebody"
    assert engine.estimate().value == pytest.approx(1.0)
    assert engine.state_bytes() > 0
    with pytest.raises(UnknownTrack):
        engine.identity_of("u")


@pytest.mark.parametrize("name", ENGINE_NAMES)
def test_an_engine_that_begins_anew_compares_another_model(name: str) -> None:
    engine = _engine(name)
    former = engine.observe(_evidence("a", "t", 9000.0, 0)).identity_id
    engine.begin_anew()
    with pytest.raises(UnknownTrack):
        engine.identity_of("t")
    assert engine.estimate().value == 0
    assert engine.observe(_evidence("a", "u", 1.0, 0, model="other", dim=4)).identity_id != former
    with pytest.raises(WrongModel):
        engine.observe(_evidence("a", "v", 2.0, 0))


def test_somebody_seen_again_keeps_the_identity_in_dbstream() -> None:
    engine = _engine("dbstream")
    for visit in range(3):
        for person in range(5):
            engine.observe(_evidence("a", f"{person}/{visit}", 100.0 * visit + 10 * person, person))
    engine.consolidate(500.0)
    for person in range(5):
        assert len({engine.identity_of(f"{person}/{visit}") for visit in range(3)}) == 1


def test_an_engine_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownEngine, match="kohonen"):
        _engine("kohonen")
