"""What the Counts page says where nothing counts who goes in and out."""

from datetime import UTC
from pathlib import Path

import pytest
from litestar.testing import AsyncTestClient

from api_fakes import OWN_HOSTS, parts_of
from hub.pages.test_rendering import Elements
from hub_fakes import NOON_S, WEB_DIR, hello
from ruid_hub.access import AccessMode
from ruid_hub.site import Site
from ruid_hub.store import open_store
from ruid_hub.web_app import WebSettings, create_web_app


@pytest.mark.asyncio
async def test_it_says_who_is_inside_only_where_a_line_counts(tmp_path: Path):
    store = open_store(tmp_path / "hub.db")
    parts = parts_of(store, tmp_path, mode=AccessMode.OPEN)
    settings = WebSettings(web_dir=WEB_DIR, site_name="S", time_zone=UTC, open_hosts=OWN_HOSTS, free_hosts=OWN_HOSTS)
    async with AsyncTestClient(create_web_app(parts, settings)) as client:
        without = Elements((await client.get("/counts")).text)
        assert "inside" not in without.texts
        assert "Draw a line across the door" in without.text("no-line")
        assert without.text("no-lines").startswith("There is no line yet.")
        parts.site.shapes_named("node-1/cam", zones={}, lines={"line-1": "Door"})
        drawn = Elements((await client.get("/counts")).text)
        assert drawn.text("inside") == "0"
        assert drawn.text("no-crossings").startswith("Nobody crossed a line in this period.")
    store.close()


def test_a_camera_without_a_line_has_none_though_another_has_one():
    site = Site()
    site.node_connected(hello(cameras={"cam": "Entrance", "yard": "Yard"}), NOON_S)
    assert not site.lined()
    site.shapes_named("node-1/cam", zones={}, lines={"line-1": "Door"})
    assert site.lined()
    assert not site.lined({"node-1/yard"})
