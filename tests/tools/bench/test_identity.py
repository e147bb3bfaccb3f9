"""The identity benchmark runs, and counts what it says."""

import json

import pytest

from ruid_tools.bench.identity import Crowd, bench_identity
from ruid_tools.bench.identity_command import identity


def test_every_gallery_and_the_soak_are_reported() -> None:
    report = bench_identity((20, 40), observations=60, soak=400, restart=50)
    assert [size.people for size in report.sizes] == [20, 40]
    assert [size.observations for size in report.sizes] == [60, 60]
    assert all(0 < size.us_p50 <= size.us_p99 for size in report.sizes)
    assert all(size.times_nearest_centroid > 0 for size in report.sizes)
    assert all(0 < size.longest_step_ms <= size.consolidate_ms for size in report.sizes)
    assert report.exponent is not None
    assert report.soak is not None
    assert (report.soak.observations, len(report.soak.rss_mb)) == (400, 10)
    assert report.restart_s > 0


def test_the_same_crowd_comes_in_the_same_order() -> None:
    first, second = ([one.track for one in Crowd.of(5, seed=3).visits(12)] for _ in range(2))
    assert first == second
    assert len(first) == 24


def test_the_report_can_be_read_by_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    identity(observations=20, people=20, restart=30, json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["sizes"][0]["people"] == 20
    assert report["exponent"] is None
    identity(observations=20, people=20, soak=100, restart=30)
    assert "restart with 30 people" in capsys.readouterr().out
