"""A consolidation in steps comes to what one at a go does, and never undoes what happened meanwhile."""

import gc
import itertools
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ruid_core.identity import (
    Correction,
    CorrectionRefused,
    Evidence,
    IdentitySettings,
    Rethinking,
    TrackletEngine,
    gallery,
    rethinking,
)
from ruid_core.identity.steps import STEP

F32 = NDArray[np.float32]
PEOPLE = np.random.default_rng(11).normal(size=(12, 24)).astype(np.float32)


def _engine(*, most_tracks: int = 3072) -> TrackletEngine:
    numbers = itertools.count(1)
    chosen = IdentitySettings(most_tracks=most_tracks, refresh_until=0, clock_tolerance_s=1e9)
    return TrackletEngine(next_identity_id=lambda: f"new-{next(numbers)}", settings=chosen)


def _evidence(track: str, at_s: float, row: F32, *, camera: str = "a", crops: int = 1) -> Evidence:
    rows = np.repeat(row[None] / np.float32(np.linalg.norm(row)), crops, axis=0)
    return Evidence(camera, track, 0, at_s, at_s, rows, np.ones(crops, np.float32), "model")


def _known(
    *, visits: int = 3, most_tracks: int = 3072, name: Callable[[int, int], str] | None = None
) -> TrackletEngine:
    """Everybody was seen on several tracks, named `person/visit`, and is called `p0`, `p1`, ..."""
    engine = _engine(most_tracks=most_tracks)
    for visit, (number, person) in itertools.product(range(visits), enumerate(PEOPLE)):
        called = name(number, visit) if name else f"p{number}"
        engine.restore(_evidence(f"{number}/{visit}", 1000.0 * visit + 10.0 * number, person, crops=2), called)
    return engine


def _apart(number: int, visit: int) -> str:
    """The first person was taken for two."""
    return f"p{number}-{visit}" if number == 0 else f"p{number}"


def _begun(engine: TrackletEngine) -> Rethinking:
    rethinking = engine.rethink()
    assert rethinking is not None
    assert not rethinking.step(1)
    return rethinking


def _adopted(engine: TrackletEngine, rethinking: Rethinking) -> set[str]:
    """Finish and adopt; returns the tracks that moved."""
    while not rethinking.step(1):
        assert engine.adopt(rethinking) == ()
    assert rethinking.step(1)
    return {revision.track for revision in engine.adopt(rethinking)}


def _answers(engine: TrackletEngine) -> dict[str, str]:
    held = engine.gallery
    assert held is not None
    return {track: held.name_of(track) for track in [*held.tracks.rows, *held.folded]}


def _state(engine: TrackletEngine) -> tuple[object, ...]:
    held = engine.gallery
    assert held is not None
    names = held.identities.names
    labels = {names[row]: label for row, label in held.labels.items()}
    return _answers(engine), engine.hand.statements(), labels, set(held.identities.rows)


def _check_sums(engine: TrackletEngine) -> None:
    """Identities are what their tracks and archives add up to."""
    held = engine.gallery
    assert held is not None
    tracks, identities = held.tracks, held.identities
    for row in identities.rows.values():
        own = np.flatnonzero(tracks.identities[: len(tracks.names)] == row)
        expected = identities.archive_sums[row] + tracks.vectors[own].sum(axis=0)
        assert np.allclose(identities.sums[row], expected, atol=1e-4)
        assert identities.counts[row] == identities.archive_counts[row] + len(own)


def test_many_steps_come_to_what_one_go_does() -> None:
    engines = [_known(name=_apart, most_tracks=24) for _ in range(2)]
    engines[0].consolidate(9000.0)
    _adopted(engines[1], _begun(engines[1]))
    assert _answers(engines[0]) == _answers(engines[1])
    _check_sums(engines[1])


def test_who_is_seen_or_new_meanwhile_keeps_the_newer_answer() -> None:
    engine = _known(name=_apart)
    rethinking = _begun(engine)
    for number, person in enumerate(PEOPLE):
        engine.observe(_evidence(f"{number}/late", 5000.0 + 10 * number, person))
    said = {track: engine.identity_of(track) for track in ("0/late", "5/late")}
    assert _adopted(engine, rethinking) <= {f"0/{visit}" for visit in range(3)}
    assert {track: engine.identity_of(track) for track in said} == said
    assert engine.identity_of("0/0") == engine.identity_of("0/2")
    _check_sums(engine)


def test_who_came_into_view_beside_somebody_meanwhile_is_not_joined_with_them() -> None:
    engine = _known(name=_apart)
    rethinking = _begun(engine)
    engine.observe(_evidence("0/1", 1004.0, PEOPLE[0]))
    engine.observe(_evidence("beside", 1002.0, PEOPLE[0]))
    beside = engine.identity_of("beside")
    _adopted(engine, rethinking)
    assert engine.identity_of("0/1") != engine.identity_of("beside") == beside
    _check_sums(engine)


def test_who_cannot_go_where_they_should_stay_by_themselves() -> None:
    for lonely in (True, False):
        engine = _known(name=_apart)
        engine.hand.rename("p0-0", "Ada")
        if not lonely:
            engine.hand.move("1/1", "p0-1")
        rethinking = _begun(engine)
        engine.hand.move("2/2", "p0-0")
        engine.observe(_evidence("2/2", 1000.0, PEOPLE[2]))
        owner = engine.identity_of("2/2")
        _adopted(engine, rethinking)
        assert engine.identity_of("0/1") != owner == engine.identity_of("2/2")
        _check_sums(engine)


def test_what_operators_say_meanwhile_holds() -> None:
    engine = _known(name=_apart)
    rethinking = _begun(engine)
    engine.hand.different("p0-0", "p0-1")
    engine.hand.rename("p0-2", "Ada")
    engine.hand.merge("p3", "p4")
    _adopted(engine, rethinking)
    assert len({engine.identity_of(f"0/{visit}") for visit in range(3)}) == 3
    assert engine.identity_of("3/0") == engine.identity_of("4/2")
    assert engine.hand.label_of("p0-2") == "Ada"


def test_what_was_bound_before_moves_together_or_not_at_all() -> None:
    engine = _known(name=_apart)
    engine.hand.merge("p0-1", "p0-2")
    rethinking = _begun(engine)
    engine.observe(_evidence("0/2", 2001.0, PEOPLE[0]))
    _adopted(engine, rethinking)
    assert engine.identity_of("0/1") == engine.identity_of("0/2")


def test_who_is_erased_meanwhile_stays_erased() -> None:
    engine = _known(name=_apart)
    rethinking = _begun(engine)
    engine.hand.erase("p0-0")
    engine.hand.erase("p5")
    engine.observe(_evidence("another", 9000.0, PEOPLE[7]))
    _adopted(engine, rethinking)
    assert "0/0" not in _answers(engine)
    assert not engine.knows("p5")
    _check_sums(engine)


def test_whose_identity_is_gone_meanwhile_is_somebody_new() -> None:
    engine = _known(visits=1)
    engine.restore(_evidence("9/1", 2000.0, PEOPLE[9]), "p8")
    rethinking = _begun(engine)
    engine.hand.move("8/0", "p7")
    engine.hand.move("9/0", "p7")
    _adopted(engine, rethinking)
    assert engine.identity_of("9/1") == "p8"
    assert engine.identity_of("9/0") == "p7"


def test_tracks_folded_meanwhile_stay_with_their_person() -> None:
    engine = _known(name=_apart, most_tracks=36)
    rethinking = _begun(engine)
    for number in range(60):
        engine.observe(_evidence(f"late-{number}", 5000.0 + 10 * number, PEOPLE[number % 12]))
    folded = {track: owner for track, owner in _answers(engine).items() if track not in {"0/1", "0/2"}}
    assert engine.gallery is not None
    assert len(engine.gallery.folded) > 12
    _adopted(engine, rethinking)
    after = _answers(engine)
    assert all(after[track] == owner for track, owner in folded.items() if not track.startswith("0/"))
    _check_sums(engine)


def test_the_gallery_may_grow_meanwhile() -> None:
    engine = _known()
    rethinking = _begun(engine)
    while rethinking.thought is None:
        rethinking.step(1)
    strangers = np.random.default_rng(3).normal(size=(120, 24)).astype(np.float32)
    for number, stranger in enumerate(strangers):
        engine.restore(_evidence(f"stranger-{number}", 5000.0 + 10 * number, stranger), f"s{number}")
    _adopted(engine, rethinking)
    assert engine.identity_of("stranger-119") == "s119"
    _check_sums(engine)


def test_nobody_is_joined_with_whose_folded_track_came_into_view_beside_them_meanwhile() -> None:
    engine = _known(name=_apart, most_tracks=36)
    engine.restore(_evidence("0/2", 2500.0, PEOPLE[0]), "p0-2")
    engine.hand.rename("p0-0", "Ada")
    rethinking = _begun(engine)
    engine.restore(_evidence("0/0", 2004.0, PEOPLE[0]), "p0-0")
    for number in range(26):
        engine.restore(_evidence(f"late-{number}", 5000.0 + number, PEOPLE[1 + number % 11], camera="b"), f"q{number}")
    assert engine.gallery is not None
    assert "0/0" in engine.gallery.folded
    assert "0/2" in engine.gallery.tracks.rows
    _adopted(engine, rethinking)
    assert engine.identity_of("0/2") != engine.identity_of("0/0")
    _check_sums(engine)


def test_an_archive_is_joined_with_whoever_was_seen_meanwhile_unless_an_operator_keeps_them_apart() -> None:
    for foes in (False, True):
        engine = _known(name=_apart, most_tracks=24)
        engine.hand.rename("p0-2", "Ada")
        engine.hand.different("p3", "p4")
        if foes:
            engine.hand.different("p0-0", "p5")
        rethinking = _begun(engine)
        engine.hand.move("5/2", "p0-2")
        assert engine.gallery is not None
        assert "0/0" in engine.gallery.folded
        _adopted(engine, rethinking)
        assert (engine.identity_of("0/0") == engine.identity_of("5/2")) is not foes
        _check_sums(engine)


def test_archives_are_found_by_a_coarse_first_look_too(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[list[str]] = []
    for coarse_from in (10_000, 4):
        monkeypatch.setattr(gallery, "COARSE_FROM", coarse_from)
        monkeypatch.setattr(gallery, "SHORTLIST", 8)
        engine = _known(most_tracks=24)
        engine.consolidate(9000.0)
        looks = (_evidence(f"again-{number}", 20_000.0 + 10 * number, row) for number, row in enumerate(PEOPLE))
        answers.append([engine.observe(look).identity_id for look in looks])
    assert answers[0] == answers[1]


def test_no_step_is_long_when_the_table_of_tracks_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    work: list[int] = []
    think = rethinking._think  # pyright: ignore[reportPrivateUsage]

    def counted(*given: Any) -> Generator[int, None, rethinking.Thought]:
        thinking = think(*given)
        while True:
            try:
                work.append(next(thinking))
            except StopIteration as ended:
                return ended.value
            yield work[-1]

    monkeypatch.setattr(rethinking, "_think", counted)
    engine, generator = _engine(), np.random.default_rng(4)
    looks = generator.normal(size=(1000, 256)).astype(np.float32)
    for number in range(3072):
        look = looks[number % 1000] + generator.normal(size=256).astype(np.float32) / np.float32(3.0)
        engine.restore(
            _evidence(f"t{number}", 10.0 * number, look, camera=f"c{number % 4}", crops=2), f"p{number % 1000}"
        )
    engine.consolidate(1e6)
    eigenvectors, of_all_tracks = 256**3, 16 * 3072 * 256
    longest = sorted(work, reverse=True)
    assert longest[0] == eigenvectors
    assert longest[1] <= of_all_tracks
    assert longest[2] <= 4 * STEP
    assert sum(one > 1.5 * STEP for one in work) < 12
    assert len(work) > 500


def test_folded_tracks_are_nothing_that_a_garbage_collection_looks_through() -> None:
    engine, looked_through = _engine(most_tracks=32), list[int]()
    for number in range(1200):
        engine.observe(_evidence(f"t{number}", 10.0 * number, PEOPLE[number % 12]))
        if number in {600, 1199}:
            gc.collect()
            looked_through.append(len(gc.get_objects()))
    assert looked_through[1] - looked_through[0] < 60


# --- whatever happens ----------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["look", "look", "late", "merge", "split", "move", "not", "different", "rename", "undo", "fold"]
        ),
        st.integers(0, 11),
        st.integers(0, 11),
        st.integers(0, 2),
        st.integers(0, 8),
    ),
    max_size=25,
)


def _correct(engine: TrackletEngine, kind: str, one: int, other: int, visit: int) -> Correction | None:
    answers, hand = _answers(engine), engine.hand
    track = f"{one}/{visit}"
    here, there = answers.get(track), answers.get(f"{other}/{visit}")
    if here is None or there is None:
        return None
    operations = {
        "merge": lambda: hand.merge(here, there),
        "split": lambda: hand.split(here, (track,)),
        "move": lambda: hand.move(track, there),
        "not": lambda: hand.not_this_person(track, there),
        "different": lambda: hand.different(here, there),
        "rename": lambda: hand.rename(here, f"name {other % 3}"),
    }
    try:
        return operations[kind]()
    except CorrectionRefused:
        return None


def _check(engine: TrackletEngine, in_view: dict[str, list[float]]) -> None:
    answers = _answers(engine)
    for (one, (from_s, to_s)), (other, (start_s, end_s)) in itertools.combinations(in_view.items(), 2):
        if one in answers and other in answers and from_s <= end_s and start_s <= to_s:
            assert answers[one] != answers[other]
    for _, statement in engine.hand.statements():
        left, right = ({answers[track] for track in names} for names in (statement.left, statement.right))
        assert not left & right
        assert len(left) == 1 or statement.right
    _check_sums(engine)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.sampled_from([3072, 30]))
def test_nothing_that_holds_is_broken_whatever_happens_between_the_steps(
    steps: list[tuple[str, int, int, int, int]], most_tracks: int
) -> None:
    engine = _known(name=_apart, most_tracks=most_tracks)
    in_view = {f"{n}/{v}": [1000.0 * v + 10.0 * n] * 2 for v in range(3) for n in range(12)}
    done: list[Correction] = []
    rethinking, at_s = engine.rethink(), 10_000.0
    for kind, one, other, visit, work in steps:
        at_s += 0.5 * visit
        if kind in {"look", "late", "fold"}:
            track = {"look": f"{one}/{visit}", "late": f"late-{one}", "fold": f"{at_s}-{one}-{other}-{visit}"}[kind]
            engine.observe(_evidence(track, at_s, PEOPLE[other]))
            in_view.setdefault(track, [at_s, at_s])[1] = at_s
        elif kind == "undo" and done:
            engine.hand.undo(done.pop())
        elif kind != "undo":
            done += [one for one in [_correct(engine, kind, one, other, visit)] if one is not None]
        _check(engine, in_view)
        if rethinking is None or any(rethinking.step(1) for _ in range(work)):
            if rethinking is not None:
                engine.adopt(rethinking)
            rethinking = engine.rethink()
            _check(engine, in_view)


@settings(max_examples=20, deadline=None)
@given(STEPS, st.sampled_from([3072, 30]))
def test_undoing_everything_between_the_steps_restores_the_exact_state(
    steps: list[tuple[str, int, int, int, int]], most_tracks: int
) -> None:
    engine = _known(name=_apart, most_tracks=most_tracks)
    before, rethinking = _state(engine), _begun(engine)
    done: list[Correction] = []
    for kind, one, other, visit, work in steps:
        if kind in {"merge", "split", "move", "not", "different", "rename"}:
            done += [one for one in [_correct(engine, kind, one, other, visit)] if one is not None]
        for _ in range(work):
            rethinking.step(1)
    for correction in reversed(done):
        engine.hand.undo(correction)
        rethinking.step(1)
    assert _state(engine) == before
    _adopted(engine, rethinking)
    _check(engine, {})
