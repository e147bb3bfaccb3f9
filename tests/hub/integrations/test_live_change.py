"""What is saved works at once: the duty goes on with it, and nothing that waits is lost."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import httpx
import pytest

from api_fakes import eventually, integrations_of
from hub_fakes import NOON_S
from ruid_hub.integrations.alerts import Alert, AlertKind
from ruid_hub.integrations.bridge import Integrations
from ruid_hub.integrations.choices import NothingToTest, Service
from ruid_hub.site import Site
from ruid_hub.store import Store, open_store

pytestmark = pytest.mark.asyncio
ALERT = Alert(AlertKind.GAP, "node-1/cam", NOON_S, "Gap", "It did not see.")


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "hub.db")
    yield opened
    opened.close()


@asynccontextmanager
async def running(
    integrations: Integrations, answer: Callable[[httpx.Request], httpx.Response]
) -> AsyncGenerator[None]:
    """With another side that answers so."""
    integrations._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))  # pyright: ignore[reportPrivateUsage]
    duty = asyncio.create_task(integrations.run())
    try:
        yield
    finally:
        duty.cancel()
        await asyncio.gather(duty, return_exceptions=True)


async def test_an_alert_that_waits_goes_to_the_new_address(store: Store, tmp_path: Path):
    integrations = integrations_of(store, tmp_path, Site())
    taken: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        taken.append(str(request.url.host))
        return httpx.Response(503 if request.url.host == "old.example" else 200)

    async with running(integrations, answer):
        await integrations.save(Service.NTFY, {"url": "https://old.example/shop"}, actor="Olga")
        integrations.outboxes[0].put(ALERT)
        await eventually(lambda: taken == ["old.example"])
        await integrations.save(Service.NTFY, {"url": "https://new.example/shop"}, actor="Olga")
        await eventually(lambda: taken == ["old.example", "new.example"])
        await eventually(lambda: integrations.outboxes[0].counts.delivered == 1)


async def test_what_is_switched_off_gets_nothing_more(store: Store, tmp_path: Path):
    integrations = integrations_of(store, tmp_path, Site())
    async with running(integrations, lambda _: httpx.Response(200)):
        await integrations.save(Service.NTFY, {"url": "https://ntfy.example/shop"}, actor="Olga")
        assert [outbox.target.name for outbox in integrations.outboxes] == ["ntfy"]
        await integrations.remove(Service.NTFY)
        assert not integrations.outboxes


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, "It arrived"),
        (401, "status 401"),
        (500, "status 500"),
        (httpx.ConnectTimeout(""), "did not answer in time"),
        (aiomqtt.MqttError("[code:135] Not authorized"), "It did not arrive: Not authorized."),
    ],
)
async def test_a_test_says_what_became_of_it(store: Store, tmp_path: Path, status: int | Exception, said: str):
    integrations = integrations_of(store, tmp_path, Site())

    def answer(_: httpx.Request) -> httpx.Response:
        if isinstance(status, Exception):
            raise status
        return httpx.Response(status)

    async with running(integrations, answer):
        await integrations.save(Service.NTFY, {"url": "https://ntfy.example/shop"}, actor="Olga")
        tried = await integrations.try_out(Service.NTFY)
        assert (tried.arrived, said in tried.text) == (status == 200, True)
        assert "shop" not in tried.text


async def test_there_is_nothing_to_test_where_nothing_is_set(store: Store, tmp_path: Path):
    integrations = integrations_of(store, tmp_path, Site())
    for service in Service:
        with pytest.raises(NothingToTest):
            await integrations.try_out(service)
