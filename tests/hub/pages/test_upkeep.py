"""What a camera's page says of the last day, and what settings offer to admins."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.testing import AsyncTestClient

from access_fakes import browser_of, owner_of
from api_fakes import whole_hub
from hub.pages.test_node_card import NODE
from hub.pages.test_rendering import Elements
from ruid_hub.access import Access, Role
from ruid_hub.nodes import Node, NodeRegister
from ruid_hub.store import Store, open_store

pytestmark = pytest.mark.asyncio
Client = AsyncTestClient[Litestar]


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "hub.db")
    yield opened
    opened.close()


@pytest_asyncio.fixture
async def client(store: Store, tmp_path: Path) -> AsyncIterator[Client]:
    app = await whole_hub(store, tmp_path)
    async with AsyncTestClient(app) as client:
        client.cookies.update(owner_of(access_of(client)).cookies)
        yield client


def access_of(client: Client) -> Access:
    return cast("Access", client.app.state.access)


async def test_a_camera_that_is_new_did_not_see_the_whole_day(client: Client):
    page = (await client.get("/camera?camera=node-1/cam")).text
    assert "Saw <b>0 %</b> of the time; 1 d not heard." in page


async def test_settings_say_which_versions_run_where(client: Client, monkeypatch: pytest.MonkeyPatch):
    def nodes(_: NodeRegister) -> tuple[Node, ...]:
        return tuple(replace(NODE, software_version=version) for version in ("0.1.0", "0.0.9", "0.1.0", ""))

    monkeypatch.setattr(NodeRegister, "nodes", nodes)
    page = Elements((await client.get("/settings")).text)
    assert page.text("device-version") == "Version of 2 devices 0.1.0 Version of 1 device 0.0.9"


async def test_only_admins_are_offered_the_backup_and_the_report_for_support(client: Client):
    page = (await client.get("/settings")).text
    assert 'href="/api/v1/backup"' in page
    assert 'href="/api/v1/support"' in page
    client.cookies.clear()
    client.cookies.update(browser_of(access_of(client), "Otto", Role.OPERATOR).cookies)
    assert "/api/v1/backup" not in (await client.get("/settings")).text
