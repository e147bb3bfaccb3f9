"""The list of people, as its filters narrow it."""

import re
from pathlib import Path

import pytest
from litestar.testing import AsyncTestClient

from api_fakes import whole_hub
from hub_fakes import NOON_S, row
from ruid_hub.access import AccessMode
from ruid_hub.store import open_store


@pytest.mark.asyncio
async def test_who_was_seen_by_a_camera_between_two_times_on_the_sites_clock(tmp_path: Path):
    store = open_store(tmp_path / "hub.db")
    app = await whole_hub(store, tmp_path, mode=AccessMode.OPEN)
    store.commit([row(9, "ada", camera_id="yard", track_id=9, at_s=NOON_S - 7200)])
    at = app.state.templates.time
    between = f"since={at.moment(NOON_S - 600):%Y-%m-%dT%H:%M}&until={at.moment(NOON_S):%Y-%m-%dT%H:%M}"
    async with AsyncTestClient(app) as client:

        async def found(query: str) -> list[str]:
            return sorted(re.findall('data-identity="(.*?)"', (await client.get(f"/people?{query}")).text))

        assert await found(f"seen=between&{between}") == ["bob"]
        assert await found(f"seen=between&{between}&camera=node-1/yard") == []
        assert await found("seen=between&since=&until=soon") == ["ada", "bob"]
        assert await found(f"seen=day&{between}") == ["ada", "bob"]
        page = (await client.get(f"/people?seen=between&{between}")).text
        assert f'value="{at.moment(NOON_S):%Y-%m-%dT%H:%M}"' in page
    store.close()
