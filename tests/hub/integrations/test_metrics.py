"""The hub's own counters and what is read at scrape time."""

from collections import Counter
from pathlib import Path

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from hub_fakes import NOON_S, FakeClock, health, hello, live
from ruid_hub.integrations.metrics import HubMetrics, LinkCollector, SiteCollector
from ruid_hub.live.feed import FeedCounts
from ruid_hub.site import CAMERAS, Site
from ruid_hub.store import open_store

HOSTILE = 'a"} 1\nruid_site_people 99\n# HELP x{y="'


def samples(metrics: HubMetrics) -> dict[tuple[str, str], float]:
    """Every sample by name and by its labels' values."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (sample.name, "/".join(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_hostile_camera_name_cannot_add_or_change_a_number(tmp_path: Path):
    store, site, metrics = open_store(tmp_path / "hub.db"), Site(), HubMetrics()
    metrics.registry.register(
        SiteCollector(site=site, store=store, feed_counts=FeedCounts(open_pages=3), clock=FakeClock())
    )
    site.node_connected(hello(HOSTILE, cameras={HOSTILE: HOSTILE}), NOON_S)
    site.live(HOSTILE, live(1, camera_id=HOSTILE), NOON_S)
    found = samples(metrics)
    assert found["ruid_site_people", ""] == 1.0
    assert found["ruid_camera_people", f"{HOSTILE}/{HOSTILE}"] == 1.0
    assert found["ruid_pages_open", ""] == 3.0
    store.close()


def test_the_clock_of_a_node_is_told_once_however_many_cameras_it_has(tmp_path: Path):
    store, site, metrics = open_store(tmp_path / "hub.db"), Site(), HubMetrics()
    metrics.registry.register(SiteCollector(site=site, store=store, feed_counts=FeedCounts(), clock=FakeClock()))
    site.node_connected(hello("pi", cameras={"a": "A", "b": "B"}), NOON_S)
    site.node_connected(hello("new"), NOON_S)
    site.clock_measured("pi", offset_s=2.5, error_s=0.01)
    found = samples(metrics)
    assert {key: value for key, value in found.items() if key[0].startswith("ruid_node_clock")} == {
        ("ruid_node_clock_offset_seconds", "pi"): 2.5,
        ("ruid_node_clock_error_seconds", "pi"): 0.01,
    }
    store.close()


def test_what_nodes_count_and_what_the_hub_passes_over_is_there_by_name(tmp_path: Path):
    store, site, metrics = open_store(tmp_path / "hub.db"), Site(), HubMetrics()
    metrics.registry.register(SiteCollector(site=site, store=store, feed_counts=FeedCounts(), clock=FakeClock()))
    told = msgspec.structs.replace(health(), counters={"spool_dropped_items": 3, HOSTILE: 1})
    site.health("pi", told, NOON_S)
    for number in range(CAMERAS + 2):
        site.live("pi", live(1, camera_id=str(number)), NOON_S)
    found = samples(metrics)
    assert found["ruid_node_events_total", "spool_dropped_items/pi"] == 3.0
    assert found["ruid_node_events_total", f"{HOSTILE}/pi"] == 1.0
    assert found["ruid_site_passed_over_total", ""] == 3.0  # health made one of them known
    store.close()


def test_whatever_the_link_counts_is_there_by_name():
    metrics, counters = HubMetrics(), Counter({"kept_out_revoked": 2})
    metrics.registry.register(LinkCollector(counters))
    assert samples(metrics)["ruid_hub_link_events_total", "kept_out_revoked"] == 2.0
    counters["adoption_silent"] += 1
    assert samples(metrics)["ruid_hub_link_events_total", "adoption_silent"] == 1.0


def test_what_the_service_counts_is_there_under_its_name():
    metrics = HubMetrics()
    metrics.messages.labels(kind="item").inc(4)
    metrics.refused.labels(code="too_new").inc()
    metrics.identity_latency_s.observe(0.12)
    found = samples(metrics)
    assert found["ruid_hub_messages_total", "item"] == 4.0
    assert found["ruid_hub_refused_total", "too_new"] == 1.0
    assert found["ruid_hub_identity_latency_seconds_bucket", "0.15"] == 1.0
    assert found["ruid_hub_identity_latency_seconds_bucket", "0.1"] == 0.0
