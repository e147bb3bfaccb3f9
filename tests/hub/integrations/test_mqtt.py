"""Home Assistant's view of the site, on a real broker."""

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from api_fakes import HOSTILE, eventually
from hub_fakes import NOON_S, hello, live, matched, track
from ruid_hub.integrations.home_assistant import Messages, Topics, changes, messages
from ruid_hub.integrations.mqtt import MqttBridge, try_broker
from ruid_hub.site import Site
from tooling import require_tool

TOPICS = Topics("ruid", "homeassistant", "0123abcd")
pytestmark = pytest.mark.asyncio


def told(site: Site, *, at_s: float = NOON_S) -> Messages:
    return messages(site.view(at_s), topics=TOPICS, site_name="Corner shop", version="1", unique_today=7)


@pytest.fixture
def site() -> Site:
    site = Site()
    site.node_connected(hello(), NOON_S)
    site.live("node-1", live(1, 2), NOON_S)
    return site


class Broker:
    """mosquitto on a port of its own; it can be stopped and started again, and then it has forgotten everything."""

    def __init__(self, folder: Path) -> None:
        mosquitto = require_tool("mosquitto", "/usr/sbin/mosquitto")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        self._command = [str(mosquitto), "-c", str(config)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


@pytest.fixture
def broker(tmp_path: Path) -> Generator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@asynccontextmanager
async def running(bridge: MqttBridge) -> AsyncGenerator[None]:
    task = asyncio.create_task(bridge.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def retained(broker: Broker, *, wanted: str) -> dict[str, str]:
    """What a newcomer such as Home Assistant finds, as soon as one topic is there."""
    found: dict[str, str] = {}
    for _ in range(20):
        try:
            async with aiomqtt.Client("127.0.0.1", broker.port) as client:
                await client.subscribe("#")
                await _listen(client, found)
        except aiomqtt.MqttError:
            await asyncio.sleep(0.2)
        if wanted in found:
            return found
    raise AssertionError(f"{wanted} never came: {sorted(found)}")


async def _listen(client: aiomqtt.Client, found: dict[str, str]) -> None:
    """Retained messages come at once; after a while of silence that was all."""
    messages = aiter(client.messages)
    while True:
        try:
            message = await asyncio.wait_for(anext(messages), 0.5)
        except TimeoutError:
            return
        found[str(message.topic)] = bytes(message.payload).decode()  # pyright: ignore


async def test_devices_appear_by_themselves_with_their_states(broker: Broker, site: Site):
    bridge = MqttBridge(
        f"mqtt://127.0.0.1:{broker.port}", topics=TOPICS, wanted=lambda: told(site), publish_every_s=0.05
    )
    async with running(bridge):
        await eventually(lambda: bridge.connected)
        found = await retained(broker, wanted=TOPICS.site_state)
        hub = json.loads(found[TOPICS.config("ruid_0123abcd")])
        camera = json.loads(next(found[topic] for topic in found if topic.count("_") == 2 and "config" in topic))
        assert found[TOPICS.availability] == "online"
        assert hub["device"]["name"] == "Corner shop"
        assert {"people_now", "occupied", "unique_today"} <= hub["components"].keys()
        assert {"up", "fps", "temperature", "people_now"} <= camera["components"].keys()
        assert camera["device"]["via_device"] in hub["device"]["identifiers"]
        assert hub["availability_topic"] == TOPICS.availability
        state = json.loads(found[hub["components"]["people_now"]["state_topic"]])
        assert (state["people_now"], state["occupied"], state["unique_today"]) == (2, "ON", 7)
        before = bridge.published
        site.live("node-1", live(), NOON_S)
        await eventually(lambda: bridge.published >= before + 2)
        assert json.loads((await retained(broker, wanted=TOPICS.site_state))[TOPICS.site_state])["people_now"] == 0
    assert (await retained(broker, wanted=TOPICS.site_state))[TOPICS.availability] == "offline"


async def test_everything_comes_back_after_the_broker_was_away(broker: Broker, site: Site):
    bridge = MqttBridge(
        f"mqtt://127.0.0.1:{broker.port}", topics=TOPICS, wanted=lambda: told(site), publish_every_s=0.05
    )
    async with running(bridge):
        await eventually(lambda: bridge.connected)
        broker.stop()
        await eventually(lambda: not bridge.connected)
        broker.start()
        assert TOPICS.site_state in await retained(broker, wanted=TOPICS.site_state)


@pytest.mark.parametrize("name", [*HOSTILE, "#", "+/$SYS", "a/b/c"])
async def test_a_hostile_name_is_in_no_topic(name: str):
    site = Site()
    site.node_connected(hello(cameras={"cam": name, name: name}), NOON_S)
    for topic, payload in told(site).items():
        assert topic.replace("/", "").replace("_", "").isalnum()
        json.loads(payload)


async def test_only_what_changed_is_published_and_what_is_gone_is_emptied(site: Site):
    first = told(site)
    assert changes({}, first) == first
    assert changes(first, told(site)) == {}
    site.live("node-1", live(1), NOON_S)
    assert len(changes(first, told(site))) == 2
    assert set(changes(first, told(Site())).values()) >= {""}


async def test_nobodys_identity_is_published(site: Site):
    site.assigned(track(1), matched("ada"), at_s=NOON_S)
    assert not any("ada" in payload for payload in told(site).values())


async def test_a_hub_that_leaves_takes_its_devices_along(broker: Broker, site: Site):
    bridge = MqttBridge(
        f"mqtt://127.0.0.1:{broker.port}", topics=TOPICS, wanted=lambda: told(site), publish_every_s=0.05
    )
    async with running(bridge):
        await eventually(lambda: bridge.published > 3)
        bridge.leave()
    left = await retained(broker, wanted=TOPICS.availability)
    assert left == {TOPICS.availability: "offline"}


async def test_a_broker_is_tried_beside_the_bridge(broker: Broker, site: Site):
    url = f"mqtt://127.0.0.1:{broker.port}"
    bridge = MqttBridge(url, topics=TOPICS, wanted=lambda: told(site), publish_every_s=0.05)
    async with running(bridge):
        await eventually(lambda: bridge.connected)
        await try_broker(url, topics=TOPICS)
        assert bridge.connected
    broker.stop()
    with pytest.raises(aiomqtt.MqttError):
        await try_broker(url, topics=TOPICS)
