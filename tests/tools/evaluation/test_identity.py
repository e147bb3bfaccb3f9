"""Streams are scored as the published definitions say."""

import itertools
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from river import metrics

from ruid_tools.evaluation.identity import eval_identity
from ruid_tools.evaluation.identity_command import IdentityUsageError, identity
from ruid_tools.evaluation.identity_scores import Ints, count_switches, score_clustering
from ruid_tools.evaluation.identity_streams import (
    IdentityStream,
    StreamError,
    arrange,
    load_stream,
    save_stream,
)


def _stream(people: int = 12, crops: int = 8) -> IdentityStream:
    generator = np.random.default_rng(6)
    centres = generator.normal(size=(people, 32))
    rows = np.repeat(centres, crops, axis=0) + 0.3 * generator.normal(size=(people * crops, 32))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cameras = np.tile(np.repeat([1, 2], crops // 2), people)
    return arrange(rows.astype(np.float32), np.repeat(np.arange(people), crops), cameras, name="made", seed=4)


def test_bcubed_agrees_with_a_sum_by_hand() -> None:
    scores = score_clustering(np.array([1, 1, 1, 2, 2]), np.array([7, 7, 8, 8, 8]))
    precision = (2 / 3 + 2 / 3 + 1 / 3 + 1 + 1) / 5
    recall = (1 + 1 + 1 / 3 + 2 / 3 + 2 / 3) / 5
    assert scores.bcubed_precision == pytest.approx(precision)
    assert scores.bcubed_recall == pytest.approx(recall)
    assert scores.bcubed_f1 == pytest.approx(2 * precision * recall / (precision + recall))
    assert scores.pairwise_f1 == pytest.approx(2 * 2 / (4 + 4))


def test_bcubed_agrees_with_its_definition_on_random_labels() -> None:
    generator = np.random.default_rng(8)
    answers: Ints = generator.integers(0, 9, 60)
    people: Ints = generator.integers(0, 7, 60)
    same_answer, same_person = answers[:, None] == answers, people[:, None] == people
    both = (same_answer & same_person).sum(axis=1)
    precisions, recalls = both / same_answer.sum(axis=1), both / same_person.sum(axis=1)
    scores = score_clustering(answers, people)
    assert scores.bcubed_precision == pytest.approx(float(precisions.mean()))
    assert scores.bcubed_recall == pytest.approx(float(recalls.mean()))


def test_the_v_measure_agrees_with_rivers() -> None:
    generator = np.random.default_rng(9)
    answers: Ints = generator.integers(0, 5, 200)
    people: Ints = generator.integers(0, 4, 200)
    metric: Any = metrics.VBeta(beta=1.0)
    for answer, person in zip(answers.tolist(), people.tolist(), strict=True):
        metric.update(int(person), int(answer))
    assert score_clustering(answers, people).v_measure == pytest.approx(float(metric.get()))


def test_one_answer_for_one_person_is_perfect() -> None:
    scores = score_clustering(np.zeros(4, np.int64), np.zeros(4, np.int64))
    assert (scores.bcubed_f1, scores.pairwise_f1, scores.v_measure, scores.id_switches) == (1.0, 1.0, 1.0, 0)


def test_a_switch_is_a_change_of_answer_from_one_look_to_the_next() -> None:
    assert count_switches(np.array([1, 5, 2, 5, 1]), np.array([0, 1, 0, 1, 0])) == 2


def test_a_replay_scores_online_and_final_and_names_every_field() -> None:
    report = eval_identity(_stream())
    assert report.observations == 96
    assert report.identities_true == 12
    assert report.final.bcubed_f1 > 0.9
    assert report.online.bcubed_f1 > 0.8
    assert report.unique_estimate.low <= 12 <= report.unique_estimate.high
    assert set(asdict(report)) >= {
        "engine", "observations", "identities_true", "identities_found", "unique_estimate", "unique_error",
        "online", "final", "us_per_observation", "peak_rss_mb", "state_bytes_per_identity",
    }  # fmt: skip


def test_refused_observations_are_counted_and_left_out() -> None:
    stream = _stream()
    spoilt = stream.embeddings.copy()
    spoilt[5] = np.nan
    report = eval_identity(replace(stream, embeddings=spoilt))
    assert report.refused == {"NotFinite": 1}
    assert report.observations == 95


def test_a_stream_with_nothing_usable_is_an_error() -> None:
    stream = _stream()
    with pytest.raises(StreamError, match="ZeroNorm"):
        eval_identity(replace(stream, embeddings=stream.embeddings * 0))


def test_every_person_walks_through_one_camera_after_the_other() -> None:
    stream = _stream()
    assert (np.diff(stream.t_s) >= 0).all()
    for person in range(12):
        own = stream.identities == person
        visits = [camera for camera, _ in itertools.groupby(stream.cameras[own].tolist())]
        assert sorted(visits) == [1, 2]
        assert np.unique(stream.tracks[own], return_counts=True)[1].max() <= 5


def test_a_stream_survives_its_file(tmp_path: Path) -> None:
    stream = _stream()
    save_stream(stream, tmp_path / "made.npz")
    loaded = load_stream(tmp_path / "made.npz")
    assert loaded.name == "made"
    assert np.array_equal(loaded.embeddings, stream.embeddings)


def test_a_file_that_is_no_stream_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="there is no stream"):
        load_stream(tmp_path / "none.npz")
    np.savez(tmp_path / "bare.npz", t=np.zeros(3))
    with pytest.raises(StreamError, match="camera, track, embedding, identity"):
        load_stream(tmp_path / "bare.npz")
    np.savez(
        tmp_path / "ragged.npz", t=np.zeros(3), camera=np.zeros(3), track=np.zeros(3), embedding=np.zeros((2, 4)),
        identity=np.zeros(3),
    )  # fmt: skip
    with pytest.raises(StreamError, match="embedding"):
        load_stream(tmp_path / "ragged.npz")


def test_the_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_stream(_stream(), tmp_path / "made.npz")
    identity(stream=tmp_path / "made.npz", json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["engine"] == "ruid"
    assert told["us_per_observation"]["p50"] > 0


def test_the_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_stream(_stream(), tmp_path / "made.npz")
    identity(stream=tmp_path / "made.npz")
    assert "bcubed_f1" in capsys.readouterr().out


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(IdentityUsageError, match="--stream"):
        identity()
    with pytest.raises(IdentityUsageError, match="--reid"):
        identity(make_stream=True)
    with pytest.raises(IdentityUsageError, match="Market-1501"):
        identity(make_stream=True, reid=tmp_path, out=tmp_path / "made.npz")
    save_stream(_stream(), tmp_path / "made.npz")
    with pytest.raises(IdentityUsageError, match="kohonen"):
        identity(stream=tmp_path / "made.npz", engine="kohonen")
