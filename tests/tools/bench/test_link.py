"""What the bench of the link says of the hub's memory."""

import numpy as np
import pytest

from ruid_tools.bench.link import memory_trend


def test_memory_that_only_warms_up_is_flat() -> None:
    samples_mb = [*np.linspace(100, 200, 20), *([200.0] * 80)]
    trend = memory_trend(samples_mb, seconds=50)
    assert (trend["warm"], trend["middle"], trend["end"], trend["highest"]) == (200, 200, 200, 200)
    assert trend["slope_mb_per_hour"] == 0


def test_memory_that_grows_shows_its_slope() -> None:
    trend = memory_trend(list(np.linspace(100, 110, 200)), seconds=3600)
    assert trend["slope_mb_per_hour"] == pytest.approx(10, abs=0.2)
    assert trend["warm"] < trend["middle"] < trend["end"]


def test_a_single_look_has_no_slope() -> None:
    assert memory_trend([50.0], seconds=0.1)["slope_mb_per_hour"] == 0
