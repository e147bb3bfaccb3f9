"""The parts that the engine is made of, one by one."""

from itertools import count

import numpy as np
import pytest

from ruid_core.identity import (
    CameraClocks,
    Evidence,
    TimeWentBackwards,
    TrackletEngine,
    UnknownIdentity,
    gallery,
    regrouping,
)
from ruid_core.identity.calibration import CalibrationPriors, FreeLabels, Histogram, calibrate, first_price, least_price
from ruid_core.identity.constraints import ArchivedSpans, overlapping
from ruid_core.identity.projection import ProjectionPriors, learn_projection
from ruid_core.identity.steps import finish

LABELS = FreeLabels(same=0.7, different=0.0)


def test_more_people_make_a_match_dearer() -> None:
    strangers = np.random.default_rng(1).normal(0.0, 0.1, 100_000).astype(np.float32)
    prices = [
        calibrate(Histogram.of(strangers), people, LABELS, CalibrationPriors(), floor=0.25).price
        for people in (100, 1000, 10_000)
    ]
    assert prices == sorted(prices)
    assert 0.25 < prices[0] < prices[-1] < 0.42


def test_without_strangers_the_price_leans_on_the_free_labels() -> None:
    price = calibrate(Histogram.of(np.zeros(0, np.float32)), 1, LABELS, CalibrationPriors(), floor=0.25).price
    assert price == pytest.approx(0.35 * 0.7)


def test_pairs_of_one_person_hardly_raise_the_first_price() -> None:
    strangers = np.random.default_rng(5).normal(0.0, 0.05, 100_000).astype(np.float32)
    same = np.full(5_000, 0.5, np.float32)
    alone, mixed = (
        first_price(Histogram.of(pairs), LABELS, CalibrationPriors()) for pairs in (strangers, np.r_[strangers, same])
    )
    assert alone == pytest.approx(4.5 * 0.05, abs=0.01)
    assert alone < mixed < alone + 0.03


def test_cameras_that_see_people_very_differently_lower_the_least_price() -> None:
    labels, priors = FreeLabels(same=0.92, different=0.0), CalibrationPriors()
    links = np.random.default_rng(6).normal(0.44, 0.05, 10_000).astype(np.float32)
    floors = [least_price(Histogram.of(made), labels, 0.2, priors) for made in (links[:7], links, links + 0.2)]
    assert floors == pytest.approx([0.47, 0.34, 0.47], abs=0.005)
    assert least_price(Histogram.of(links), labels, 0.4, priors) == pytest.approx(0.4)


def test_a_cameras_cast_is_taken_away() -> None:
    generator = np.random.default_rng(3)
    people = generator.normal(size=(60, 32))
    casts = 3.0 * generator.normal(size=(2, 32))
    rows = np.concatenate([people + cast for cast in casts]).astype(np.float32)
    cameras, who = np.repeat([0, 1], 60), np.tile(np.arange(60), 2)
    ones = np.ones(120, np.float32)
    projection = finish(learn_projection(rows, ones, cameras, who, priors=ProjectionPriors(), camera_count=2))
    vectors = projection.project(rows, cameras)
    similarities = vectors[:60] @ vectors[60:].T
    assert (similarities.argmax(axis=1) == np.arange(60)).all()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_overlap_needs_one_camera_and_one_time() -> None:
    cameras = np.array([0, 0, 0, 1])
    started_s, until_s = np.array([0.0, 5.0, 11.0, 0.0]), np.array([5.0, 10.0, 12.0, 12.0])
    together = overlapping(cameras, started_s, until_s)
    assert np.argwhere(together).tolist() == [[0, 1], [1, 0]]


def test_spans_are_widened_and_dropped() -> None:
    spans = ArchivedSpans()
    spans.add(0, 7, 10.0, 20.0)
    spans.add(0, 7, 15.0, 30.0)
    assert spans.of(7) == [(0, 10.0, 30.0)]
    assert spans.overlapped(0, 30.0, 31.0) == [7]
    assert spans.overlapped(0, 31.0, 32.0) == []
    assert spans.overlapped(1, 0.0, 99.0) == []
    spans.drop(7)
    assert spans.overlapped(0, 15.0, 16.0) == []


def test_an_unknown_identity_is_named() -> None:
    assert "person-9" in str(UnknownIdentity("person-9"))


def test_people_whom_cameras_see_very_differently_are_found_again() -> None:
    generator = np.random.default_rng(8)
    people, views = (generator.normal(size=shape) for shape in ((12, 256), (12, 4, 256)))
    numbers = count()
    engine = TrackletEngine(next_identity_id=lambda: str(next(numbers)))
    for visit in range(16):
        looks = people + 1.1 * views[:, visit % 4] + 0.1 * generator.normal(size=people.shape)
        for number, row in enumerate(looks.astype(np.float32)):
            unit, at_s = np.tile(row / np.float32(np.linalg.norm(row)), (4, 1)), 500.0 * visit + 9.0 * number
            camera, track = str(visit % 4), f"{visit}/{number}"
            engine.observe(Evidence(camera, track, 0, at_s, at_s, unit, np.ones(4, np.float32), "m"))
    engine.consolidate(9999.0)
    assert len({engine.identity_of(f"{visit}/{number}") for visit in range(16) for number in range(12)}) == 12


def test_a_price_that_does_not_settle_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regrouping, "MOST_ROUNDS", 1)
    numbers = count()
    engine = TrackletEngine(next_identity_id=lambda: str(next(numbers)))
    for number, row in enumerate(np.random.default_rng(4).normal(size=(20, 16)).astype(np.float32)):
        unit = (row / np.float32(np.linalg.norm(row)))[None]
        engine.observe(Evidence("a", str(number), 0, float(number), float(number), unit, np.ones(1, np.float32), "m"))
    engine.consolidate(99.0)
    assert all(engine.identity_of(str(number)) for number in range(20))


def test_a_coarse_first_look_finds_whom_a_full_comparison_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(12)
    people = generator.normal(size=(160, 96)).astype(np.float32)
    answers: list[list[str]] = []
    for coarse_from in (10_000, 40):
        monkeypatch.setattr(gallery, "COARSE_FROM", coarse_from)
        monkeypatch.setattr(gallery, "SHORTLIST", 30)
        numbers = count()
        engine = TrackletEngine(next_identity_id=lambda made=numbers: str(next(made)))
        said: list[str] = []
        for visit in range(3):
            for number, row in enumerate(people):
                unit = (row / np.float32(np.linalg.norm(row)))[None]
                at_s = 1000.0 * visit + 5.0 * number
                evidence = Evidence("a", f"{visit}/{number}", 0, at_s, at_s, unit, np.ones(1, np.float32), "m")
                said.append(engine.observe(evidence).identity_id)
            engine.consolidate(1000.0 * visit + 900.0)
        answers.append(said)
    assert answers[0] == answers[1]


def test_a_clock_that_jumped_ahead_and_came_back_is_believed_again() -> None:
    clocks = CameraClocks(tolerance_s=60.0)
    for at_s in (0.0, 10.0, 3610.0):
        clocks.check("a", at_s)
        clocks.advance("a", at_s)
    for at_s in (20.0, 30.0, 500.0, 510.0, 520.0, 530.0, 540.0):
        with pytest.raises(TimeWentBackwards):
            clocks.check("a", at_s)
    clocks.check("a", 550.0)
    clocks.advance("a", 550.0)
    clocks.check("a", 500.0)
    clocks.check("b", -1000.0)
