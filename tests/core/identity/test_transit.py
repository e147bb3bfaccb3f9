"""What is learned of the times that people take from camera to camera, and how it bears on who is who."""

import itertools
from dataclasses import replace
from math import inf

import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_core.identity import CameraClocks, Decision, Evidence, IdentitySettings, TimeWentBackwards, TrackletEngine
from ruid_core.identity.arrays import unit_rows
from ruid_core.identity.calibration import Calibration
from ruid_core.identity.gallery import Tracks
from ruid_core.identity.steps import blocks, finish
from ruid_core.identity.timekeeper import Timekeeper
from ruid_core.identity.transit import (
    GAPS,
    Seen,
    Sighted,
    TransitPriors,
    TransitTimes,
    lean_of_links,
    lean_on,
    learn_transits,
)

F32 = NDArray[np.float32]
Ints = NDArray[np.int64]
HOUR_S = 3600.0
PRIORS = TransitPriors()
CALIBRATION = Calibration(0.5, 0.05)


def _sighted(*sightings: tuple[int, float, float]) -> Sighted:
    cameras, started_s, until_s = zip(*sightings, strict=True)
    return Sighted(np.array(cameras), np.array(started_s), np.array(until_s))


def _walks(people: int, gap_s: float, *, every_s: float = 60.0, spread: float = 0.2) -> tuple[Sighted, Ints, F32]:
    """Everybody goes from camera 0 to camera 1 in about `gap_s`; with who they are, and what they look like."""
    generator = np.random.default_rng(3)
    leave_s = every_s * np.arange(people) + 5.0
    arrive_s = leave_s + gap_s * np.exp(spread * generator.standard_normal(people))
    looks = unit_rows(generator.normal(size=(people, 64)).astype(np.float32))
    cameras = np.repeat([0, 1], people)
    sighted = Sighted(cameras, np.r_[leave_s - 5.0, arrive_s], np.r_[leave_s, arrive_s + 5.0])
    return sighted, np.tile(np.arange(people), 2), np.tile(looks, (2, 1))


def _learn(sighted: Sighted, people: Ints, vectors: F32, priors: TransitPriors = PRIORS) -> TransitTimes:
    return finish(learn_transits(sighted, people, vectors, CALIBRATION, camera_count=2, priors=priors))


def _speaks(times: TransitTimes, gap_s: float, one: int = 0, other: int = 1) -> float:
    return float(times.between(_sighted((one, 0.0, 5.0)), _sighted((other, 5.0 + gap_s, 9.0 + gap_s)))[0][0, 0])


def test_the_usual_time_speaks_for_the_same_person_and_others_against() -> None:
    times = _learn(*_walks(200, 40.0))
    assert _speaks(times, 40.0) > 1.0
    assert _speaks(times, 2000.0) < -1.0
    assert abs(_speaks(times, 40.0)) <= PRIORS.most_log_odds


def test_while_little_is_known_time_says_little() -> None:
    opinions = [abs(_speaks(_learn(*_walks(people, 40.0)), 40.0)) for people in (2, 10, 100)]
    assert opinions[0] < 0.3
    assert opinions == sorted(opinions)
    alone = _walks(1, 40.0)
    assert _speaks(_learn(alone[0].at(slice(0, 1)), alone[1][:1], alone[2][:1]), 40.0) == 0.0
    assert not TransitTimes.unknown()


def test_where_times_are_meaningless_time_tells_nothing() -> None:
    generator = np.random.default_rng(4)
    people = np.tile(np.arange(300), 2)
    started_s = generator.uniform(0.0, HOUR_S, 600)
    vectors = np.tile(unit_rows(generator.normal(size=(300, 64)).astype(np.float32)), (2, 1))
    times = _learn(Sighted(np.repeat([0, 1], 300), started_s, started_s + 2.0), people, vectors)
    assert max(abs(_speaks(times, gap_s)) for gap_s in (100.0, 300.0, 1000.0, 2000.0)) < 0.5


def test_links_that_looks_leave_in_doubt_teach_nothing() -> None:
    sighted, people, vectors = _walks(200, 40.0)
    noise = np.random.default_rng(5).normal(size=vectors.shape)
    blurred = unit_rows((vectors + 0.2 * noise).astype(np.float32))
    assert _speaks(_learn(sighted, people, blurred), 40.0) == 0.0


def test_who_would_have_to_be_too_fast_is_somebody_else() -> None:
    times = _learn(*_walks(200, 40.0))
    assert _speaks(times, 1.0) == -np.inf
    assert _speaks(times, -3.0) == -np.inf
    assert _speaks(times, 1.0, 1, 0) > -np.inf
    assert _speaks(_learn(*_walks(15, 40.0)), 1.0) > -np.inf


def test_views_that_overlap_never_rule_anybody_out() -> None:
    sighted, people, vectors = _walks(200, 40.0)
    at_once = sighted.started_s.copy()
    at_once[200:260] = sighted.started_s[:60] + 1.0
    times = _learn(replace(sighted, started_s=at_once), people, vectors)
    assert _speaks(times, -3.0) > 0.0
    assert _speaks(times, 1.0) > -np.inf


def test_cameras_without_a_believed_clock_have_no_opinion() -> None:
    sighted, people, vectors = _walks(200, 40.0)
    times = _learn(sighted, people, vectors)
    for one, other in ((-1, 1), (0, -1), (7, 8)):
        assert _speaks(times, 40.0, one, other) == _speaks(times, 1.0, one, other) == 0.0
    unsure = replace(sighted, cameras=np.where(np.arange(400) % 200 < 100, -1, sighted.cameras))
    half = np.r_[100:200, 300:400]
    known = _learn(sighted.at(half), people[half], vectors[half])
    assert np.array_equal(_learn(unsure, people, vectors).log_odds, known.log_odds)


def test_two_sightings_are_judged_one_by_one_as_in_arrays() -> None:
    times = _learn(*_walks(200, 40.0))
    generator = np.random.default_rng(8)
    for _ in range(400):
        cameras = generator.integers(-1, 4, size=2).tolist()
        starts_s = generator.choice([0.0, 3.0, 7.5, 30.0, 45.0, 64.0, 5e3, 5e5], size=2).tolist()
        one, other = (Seen(camera, start_s, start_s + 4.0) for camera, start_s in zip(cameras, starts_s, strict=True))
        log_odds, gaps_s = times.between(_sighted(one), _sighted(other))
        assert times.of_two(one, other) == (pytest.approx(log_odds[0, 0]), pytest.approx(gaps_s[0, 0]))


def test_of_very_many_sightings_the_nearest_have_a_say() -> None:
    tracks = Tracks(4)
    for number in range(200):
        row = tracks.add(str(number), 0, 10.0 * number)
        tracks.identities[row] = number % 2
    keeper = Timekeeper(CameraClocks(60.0), _learn(*_walks(200, 40.0)))
    ways = keeper.ways(tracks, tracks.rows["100"], [0, 1, 5])
    assert [way.gap_s for way in ways] == [20.0, 10.0, inf]


def test_what_is_known_does_not_grow_with_time() -> None:
    sighted, people, vectors = _walks(100, 40.0)
    times = finish(learn_transits(sighted, people, vectors, CALIBRATION, camera_count=500, priors=PRIORS))
    assert times.log_odds.shape == (64, 64, GAPS)


def test_time_leans_the_same_both_ways_and_says_nothing_of_archives() -> None:
    sighted, people, vectors = _walks(60, 40.0)
    times = _learn(sighted, people, vectors)
    lean = finish(lean_on(times, sighted, np.arange(122), 0.1))
    assert np.array_equal(lean, lean.T)
    assert not lean[120:].any()
    assert np.isinf(lean).any()
    owners = np.arange(122)
    owners[60] = 0
    merged = finish(lean_on(times, sighted, np.unique(owners, return_inverse=True)[1], 0.1))
    assert merged.shape == (121, 121)
    assert merged[0, 7] == pytest.approx((lean[0, 7] + lean[60, 7]) / 2.0)


def test_what_time_says_of_many_is_what_it_says_of_every_two() -> None:
    sighted, people, vectors = _walks(200, 40.0)
    times = _learn(sighted, people, vectors)
    assert len(list(blocks(400, 32 * 400))) > 1
    lean = finish(lean_on(times, sighted, np.arange(400), 0.5))
    assert np.array_equal(lean, np.float32(0.5) * times.between(sighted, sighted)[0])


def test_what_time_spoke_for_links_is_a_mean_over_tracks_of_several_cameras() -> None:
    generator = np.random.default_rng(5)
    groups, cameras = generator.integers(0, 9, 60), generator.integers(0, 3, 60)
    lean = generator.normal(size=(60, 60)).astype(np.float32)
    across = (groups[:, None] == groups) & (cameras[:, None] != cameras)
    means = [float(lean[one, linked].mean()) for one, linked in enumerate(across) if linked.any()]
    assert finish(lean_of_links(lean, np.arange(60), groups, cameras)) == pytest.approx(np.mean(means), abs=1e-6)
    assert finish(lean_of_links(lean, np.arange(60), np.arange(60), cameras)) == 0.0


# --- in the engine -----------------------------------------------------------------------------------------------


class Town:
    """Three cameras in a row; people walk along them, 40 s and 90 s apart."""

    def __init__(self, *, walks: int = 150) -> None:
        self._generator = np.random.default_rng(11)
        self.faces = unit_rows(self._generator.normal(size=(walks, 64)).astype(np.float32))
        self.sightings: list[tuple[float, str, int]] = []
        for person in range(walks):
            at_s = 30.0 * person
            for camera, transit_s in (("a", 40.0), ("b", 90.0), ("c", 0.0)):
                self.sightings.append((at_s, camera, person))
                at_s += 4.0 + transit_s * float(np.exp(0.15 * self._generator.standard_normal()))
        self.sightings.sort()

    def evidence(self, *, jumps: dict[str, tuple[float, float]] | None = None) -> list[Evidence]:
        """Every sighting; `jumps` says from when on a camera's clock is how wrong."""
        told: list[Evidence] = []
        for at_s, camera, person in self.sightings:
            since_s, by_s = (jumps or {}).get(camera, (0.0, 0.0))
            wrong_s = by_s if at_s >= since_s else 0.0
            noise = np.random.default_rng((person, ord(camera))).normal(size=(4, 64)).astype(np.float32)
            rows = unit_rows(self.faces[person] + 0.06 * noise)
            told.append(
                Evidence(camera, f"{camera}/{person}", 0, at_s + wrong_s, at_s + wrong_s + 4.0, rows,
                         np.ones(4, np.float32), "model")
            )  # fmt: skip
        return told


def _engine(settings: IdentitySettings | None = None) -> TrackletEngine:
    numbers = itertools.count(1)
    return TrackletEngine(next_identity_id=lambda: f"person-{next(numbers)}", settings=settings)


def _replay(evidence: list[Evidence]) -> TrackletEngine:
    """As a hub does it, with a consolidation now and then and one at the end."""
    engine = _engine()
    for number, one in enumerate(evidence):
        engine.observe(one)
        engine.end_track(one.track, one.at_s)
        if number % 90 == 89:
            engine.consolidate(one.at_s)
    engine.consolidate(evidence[-1].at_s)
    return engine


def _together(engine: TrackletEngine, evidence: list[Evidence]) -> set[frozenset[str]]:
    """Who is one, by the names of their tracks."""
    groups: dict[str, set[str]] = {}
    for one in evidence:
        groups.setdefault(engine.identity_of(one.track), set()).add(one.track)
    return {frozenset(tracks) for tracks in groups.values()}


def test_time_decides_between_look_alikes() -> None:
    town = Town()
    evidence = town.evidence()
    engine = _replay(evidence)
    face = town.faces[-1] + 0.7 * town.faces[20]
    at_s = evidence[-1].at_s + 500.0
    known = [engine.identity_of(f"a/{person}") for person in (149, 20)]
    rows = unit_rows(np.stack([town.faces[149], town.faces[20]]))

    def seen(camera: str, track: str, when_s: float, row: F32) -> Decision:
        crops = np.ones(1, np.float32)
        return engine.observe(Evidence(camera, track, 0, when_s, when_s + 4.0, unit_rows(row[None]), crops, "model"))

    assert seen("a", "first", at_s, rows[0]).identity_id == known[0]
    decision = seen("b", "second", at_s + 44.0, face)
    assert decision.identity_id == known[0]
    (time,) = [reason for reason in decision.reasons if reason.kind == "time"]
    assert time.weight > 1.0
    assert time.text == f"in view of camera a 40 s apart, which speaks {time.weight:+.1f} for the same person"
    assert engine.explain("second").decision.reasons[1].kind == "time"
    beside = seen("c", "elsewhere", at_s + 5.0, rows[0])
    assert beside.identity_id not in known


def test_what_was_learned_is_learned_again_after_a_restart() -> None:
    evidence = Town().evidence()
    engine = _replay(evidence)
    again = _engine()
    for one in evidence:
        again.restore(one, engine.identity_of(one.track))
        again.end_track(one.track, one.at_s)
    again.observe(replace(evidence[-1], part=1, at_s=evidence[-1].at_s + 1.0))
    for camera, gap_s in ((0, 40.0), (1, 90.0)):
        learned = [_speaks(one.transits, gap_s, camera, camera + 1) for one in (engine, again)]
        assert learned[1] == pytest.approx(learned[0], abs=0.3)
        assert min(learned) > 1.0


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S])
def test_a_clock_that_jumps_by_an_hour_leaves_the_learned_times_and_the_answers_as_they_are(by_s: float) -> None:
    town = Town()
    steady, jumpy = town.evidence(), town.evidence(jumps={"b": (2500.0, by_s)})
    undisturbed = _replay(steady)
    engine = _engine()
    refused, gone = 0, set[str]()
    before = TransitTimes.unknown()
    for number, (one, true) in enumerate(zip(jumpy, steady, strict=True)):
        if one.at_s != true.at_s and not before:
            engine.consolidate(true.at_s)
            before = engine.transits
        try:
            engine.observe(one)
        except TimeWentBackwards:
            refused += 1
            gone.add(one.track)
            continue
        engine.end_track(one.track, one.at_s)
        if number % 90 == 89:
            engine.consolidate(true.at_s)
    engine.consolidate(steady[-1].at_s)
    assert refused == (5 if by_s < 0 else 0)
    after, expected = engine.transits.log_odds, undisturbed.transits.log_odds
    assert np.abs(after - before.log_odds).mean() < 0.15
    assert np.abs(after - expected).mean() < 0.15
    assert _together(engine, [one for one in jumpy if one.track not in gone]) == {
        tracks - gone for tracks in _together(undisturbed, steady) if tracks - gone
    }
