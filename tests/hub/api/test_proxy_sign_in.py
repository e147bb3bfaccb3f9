"""Whom a reverse proxy has signed in: believed of trusted ones alone."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from access_fakes import owner_of
from api_fakes import parts_of
from hub_fakes import WEB_DIR
from ruid_hub.access import Role
from ruid_hub.api.network import Proxies
from ruid_hub.store import open_store
from ruid_hub.web_app import WebSettings, create_web_app

pytestmark = pytest.mark.asyncio
PROXY, STRANGER = "172.16.0.9", "192.168.0.66"
ME = "/api/v1/me"


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub behind a proxy."""

    app: Litestar

    @asynccontextmanager
    async def asked_from(self, address: str) -> AsyncGenerator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(cast("Any", self.app), client=(address, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.lan") as client:
            yield client


@pytest_asyncio.fixture
async def hub(tmp_path: Path) -> AsyncGenerator[Hub]:
    store = open_store(tmp_path / "hub.db")
    parts = parts_of(store, tmp_path)
    owner_of(parts.access)
    parts.access.accounts.add_user("vera", role=Role.VIEWER, password=None)
    proxies = Proxies.of(["172.16.0.0/12"], "Remote-User")
    yield Hub(create_web_app(parts, WebSettings(web_dir=WEB_DIR, site_name="S", time_zone=UTC, proxies=proxies)))
    store.close()


async def test_a_trusted_proxy_says_who_it_is(hub: Hub):
    async with hub.asked_from(PROXY) as client:
        me = (await client.get(ME, headers={"Remote-User": "vera"})).json()
        assert (me["name"], me["role"], me["way"]) == ("vera", "viewer", "proxy")


async def test_nobody_else_can_say_so(hub: Hub):
    async with hub.asked_from(STRANGER) as client:
        forged = {"Remote-User": "vera", "X-Forwarded-For": PROXY}
        assert (await client.get(ME, headers=forged)).status_code == 401


async def test_somebody_whom_the_hub_does_not_know_is_nobody(hub: Hub):
    async with hub.asked_from(PROXY) as client:
        for name in ("walter", "", "VERA"):
            assert (await client.get(ME, headers={"Remote-User": name})).status_code == 401, name


async def test_a_header_that_a_browser_has_added_to_the_proxys_own_opens_nothing(hub: Hub):
    async with hub.asked_from(PROXY) as client:
        twice = [("Remote-User", "vera"), ("Remote-User", "Olga Owner")]
        assert (await client.get(ME, headers=twice)).status_code == 401


async def test_a_change_still_needs_the_token_of_the_hubs_own_pages(hub: Hub):
    async with hub.asked_from(PROXY) as client:
        answer = await client.post("/logout", headers={"Remote-User": "vera"})
        assert answer.status_code == 403
