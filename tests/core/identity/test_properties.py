"""What holds whatever happens."""

import itertools
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ruid_core.identity import Evidence, IdentitySettings, TrackletEngine

ONE_CROP = np.ones(1, np.float32)
PEOPLE = np.random.default_rng(5).normal(size=(6, 16)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Look:
    """A piece of evidence to come: who, on which track, how long after the last one of its camera."""

    person: int
    camera: int
    track: int
    pause_s: float
    blur: int
    ends: bool
    consolidates: bool


LOOKS = st.lists(
    st.builds(
        Look,
        person=st.integers(0, 5),
        camera=st.integers(0, 2),
        track=st.integers(0, 12),
        pause_s=st.sampled_from([0.0, 0.2, 1.5, 30.0, 3600.0]),
        blur=st.integers(0, 999),
        ends=st.booleans(),
        consolidates=st.sampled_from([False, False, False, True]),
    ),
    max_size=80,
)
SMALL = IdentitySettings(most_tracks=8, most_folded=500, most_identities=500, refresh_until=6)
ROOMY = IdentitySettings()


def _evidence(look: Look, at_s: float) -> Evidence:
    noise = np.random.default_rng(look.blur).normal(size=16).astype(np.float32)
    row = PEOPLE[look.person] + np.float32(look.blur / 700) * noise
    row = (row / np.linalg.norm(row))[None]
    return Evidence(str(look.camera), f"{look.camera}/{look.track}", 0, at_s, at_s, row, ONE_CROP, "model")


def _play(looks: list[Look], chosen: IdentitySettings) -> tuple[TrackletEngine, list[str], dict[str, list[float]]]:
    """Play the looks; returns the engine, what it said, and when each track was in view."""
    numbers = itertools.count()
    engine = TrackletEngine(next_identity_id=lambda: str(next(numbers)), settings=chosen)
    clocks_s = [0.0, 5000.0, 100_000.0]
    said: list[str] = []
    in_view: dict[str, list[float]] = {}
    for look in looks:
        clocks_s[look.camera] += look.pause_s
        evidence = _evidence(look, clocks_s[look.camera])
        said.append(engine.observe(evidence).identity_id)
        in_view.setdefault(evidence.track, [evidence.at_s, evidence.at_s])[1] = evidence.at_s
        _check_nobody_is_twice_in_view(engine, in_view)
        if look.ends:
            engine.end_track(evidence.track, evidence.at_s)
        if look.consolidates:
            engine.consolidate(evidence.at_s)
            _check_nobody_is_twice_in_view(engine, in_view)
    return engine, said, in_view


def _check_nobody_is_twice_in_view(engine: TrackletEngine, in_view: dict[str, list[float]]) -> None:
    for (one, (from_s, to_s)), (other, (start_s, end_s)) in itertools.combinations(in_view.items(), 2):
        if one[0] == other[0] and from_s <= end_s and start_s <= to_s:
            assert engine.identity_of(one) != engine.identity_of(other)


@settings(max_examples=60, deadline=None)
@given(LOOKS)
def test_two_in_view_together_are_never_one(looks: list[Look]) -> None:
    _play(looks, ROOMY)


@settings(max_examples=60, deadline=None)
@given(LOOKS)
def test_two_in_view_together_are_never_one_even_when_tracks_are_folded(looks: list[Look]) -> None:
    _play(_with_tracks_that_are_not_resumed_late(looks), SMALL)


@settings(max_examples=30, deadline=None)
@given(LOOKS)
def test_the_same_stream_gives_the_same_identities(looks: list[Look]) -> None:
    assert _play(looks, ROOMY)[1] == _play(looks, ROOMY)[1]


@settings(max_examples=30, deadline=None)
@given(LOOKS)
def test_every_track_has_exactly_one_identity_and_no_identity_is_empty(looks: list[Look]) -> None:
    engine, said, in_view = _play(looks, ROOMY)
    answers = {engine.identity_of(track) for track in in_view}
    assert answers <= set(said) | answers
    assert len(answers) <= len(in_view)


def _with_tracks_that_are_not_resumed_late(looks: list[Look]) -> list[Look]:
    """A track's name is new after eight others, as a camera's are, so that nobody resumes a folded one."""
    return [
        Look(
            look.person,
            look.camera,
            100 * (index // 6) + look.track % 3,
            look.pause_s,
            look.blur,
            look.ends,
            look.consolidates,
        )
        for index, look in enumerate(looks)
    ]
