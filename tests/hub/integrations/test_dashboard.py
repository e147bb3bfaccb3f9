"""The Grafana dashboard asks for numbers that there are."""

import asyncio
import json
import re
from pathlib import Path

from api_fakes import parts_of
from ruid_hub.integrations.bridge import Integrations
from ruid_hub.integrations.choices import IntegrationSettings
from ruid_hub.integrations.metrics import SiteCollector, UpkeepCollector
from ruid_hub.live.feed import FeedCounts
from ruid_hub.store import open_store
from tooling import REPOSITORY


def test_every_number_on_the_dashboard_exists(tmp_path: Path):
    board = json.loads((REPOSITORY / "docs" / "grafana-dashboard.json").read_text(encoding="utf-8"))
    asked = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\bruid_\w+", target["expr"])
    }
    assert len(asked) > 12
    assert asked <= asyncio.run(_offered(tmp_path))


async def _offered(folder: Path) -> set[str]:
    store = open_store(folder / "hub.db")
    parts = parts_of(store, folder)
    settings = IntegrationSettings(
        site_name="S",
        hub_id="1",
        version="1",
        mqtt_url="mqtt://broker",
        webhook_url="https://example.org",
        webhook_secret="x" * 16,
    )
    integrations = Integrations(settings, site=parts.site, counting=parts.counting, clock=parts.clock)
    registry = parts.metrics.registry
    registry.register(UpkeepCollector(folder=folder, integrations=integrations))
    registry.register(SiteCollector(site=parts.site, store=store, feed_counts=FeedCounts(), clock=parts.clock))
    parts.metrics.refused.labels("code")
    text = parts.metrics.exposition().decode()
    store.close()
    # A counter without a label's value has no line yet, but its head.
    heads = re.findall(r"^# TYPE (ruid_\w+?)(?:_total)? counter", text, re.MULTILINE)
    return set(re.findall(r"^(ruid_\w+)", text, re.MULTILINE)) | {f"{name}_total" for name in heads}
