"""What the bench of the link tells: the hub's memory, acknowledgements and identities."""

from pathlib import Path

import numpy as np
import pytest

from ruid_tools.bench.link import LinkBenchSettings, bench_link, memory_trend, while_thinking_s


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


def test_only_what_was_on_its_way_during_a_consolidation_counts_for_it() -> None:
    ways_s = [(0.0, 1.0), (0.9, 1.1), (1.2, 1.4), (1.9, 2.2), (2.1, 2.5)]
    assert list(while_thinking_s(ways_s, [(1.05, 2.0)])) == pytest.approx([0.2, 0.2, 0.3])
    assert list(while_thinking_s(ways_s, [])) == []


def test_identities_are_timed_from_the_send_beside_the_acknowledgements(tmp_path: Path) -> None:
    settings = LinkBenchSettings(nodes=3, items_per_s=30.0, seconds=1.0, people=50, folder=tmp_path, soak=True)
    figures = bench_link(settings)
    paced = figures["paced"]
    assert figures["items_lost"] == figures["items_duplicated"] == 0
    assert 1 <= paced["identities"] <= figures["items_sent"]
    assert list(paced["identity_ms"]) == list(paced["send_to_ack_ms"]) == ["p50", "p95", "p99"]
    assert 0 < paced["identity_ms"]["p50"] <= paced["send_to_ack_ms"]["p99"]


def test_a_hub_that_gives_no_identities_is_not_asked_for_their_times(tmp_path: Path) -> None:
    figures = bench_link(LinkBenchSettings(nodes=2, items_per_s=20.0, seconds=1.0, folder=tmp_path, soak=True))
    assert figures["hub"]["observations"] == figures["items_sent"] > 0
    assert "identity_ms" not in figures["paced"]
