"""Keeps an MQTT broker up to date, and comes back when the broker was away."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import aiomqtt
import structlog

from ruid_hub.integrations.home_assistant import Messages, Topics, changes

PUBLISH_EVERY_S = 1.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0

_log = structlog.get_logger("ruid_hub.integrations")


class MqttBridge:
    """Publishes what `wanted` says, retained, as it changes; `url` is `mqtt[s]://[user:password@]host[:port]`."""

    def __init__(
        self,
        url: str,
        *,
        topics: Topics,
        wanted: Callable[[], Messages],
        publish_every_s: float = PUBLISH_EVERY_S,
    ) -> None:
        self.connected = False
        self.published = 0
        self.url = url
        self._topics = topics
        self._wanted = wanted
        self._every_s = publish_every_s
        self._told: Messages = {}
        self._stale: Messages = {}
        self._leaving = False

    @property
    def place(self) -> tuple[str | None, int | None, Topics]:
        """Which broker, and where on it."""
        return urlsplit(self.url).hostname, urlsplit(self.url).port, self._topics

    def leave(self) -> None:
        """Take everything back from the broker when `run` ends: this hub tells nothing there any more."""
        self._leaving = True

    async def run(self) -> None:
        """Connect and publish for ever."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                async with broker(self.url, topics=self._topics) as client:
                    wait_s, self.connected = FIRST_WAIT_S, True
                    _log.info("MQTT broker connected", host=self.place[0])
                    await self._publish_for_ever(client)
            except (aiomqtt.MqttError, OSError) as error:
                _log.warning("MQTT broker away", host=self.place[0], error=str(error), retry_s=wait_s)
            finally:
                self.connected = False
            await asyncio.sleep(wait_s)
            wait_s = min(LONGEST_WAIT_S, 2 * wait_s)

    async def _publish_for_ever(self, client: aiomqtt.Client) -> None:
        # A broker may have forgotten what it was told; topics of cameras that have gone are emptied again.
        self._stale, self._told = dict.fromkeys(self._stale | self._told, "?"), {}
        await client.publish(self._topics.availability, "online", qos=1, retain=True)
        await client.subscribe(self._topics.birth)
        listening = asyncio.create_task(self._listen(client))
        try:
            while not listening.done():
                await self._publish_changes(client)
                await asyncio.wait({listening}, timeout=self._every_s)
            await listening
        except asyncio.CancelledError:
            with suppress(aiomqtt.MqttError):
                await self._farewell(client)
            raise
        finally:
            listening.cancel()

    async def _publish_changes(self, client: aiomqtt.Client) -> None:
        wanted = self._wanted()
        for topic, payload in changes(self._stale | self._told, wanted).items():
            await client.publish(topic, payload, qos=1, retain=True)
            self.published += 1
        self._stale, self._told = {}, wanted

    async def _listen(self, client: aiomqtt.Client) -> None:
        """Notice at once when the broker has gone; announce everything anew when Home Assistant has started."""
        async for _ in client.messages:
            self._stale, self._told = dict.fromkeys(self._told, "?"), {}

    async def _farewell(self, client: aiomqtt.Client) -> None:
        if self._leaving:
            for topic in self._stale | self._told:
                await client.publish(topic, "", qos=1, retain=True, timeout=1.0)
        await client.publish(self._topics.availability, "offline", qos=1, retain=True, timeout=1.0)


async def try_broker(url: str, *, topics: Topics) -> None:
    """Connect as the bridge does, beside it, and say something to nobody. Raises aiomqtt.MqttError."""
    async with broker(url, topics=topics, role="-test") as client:
        await client.publish(f"{topics.base}/{topics.hub_id}/test", "a test", qos=1)


def broker(url: str, *, topics: Topics, role: str = "") -> aiomqtt.Client:
    """A connection to a broker; the bridge's own (without a `role`) leaves a last will."""
    place = urlsplit(url)
    secure = place.scheme == "mqtts"
    return aiomqtt.Client(
        place.hostname or "localhost",
        place.port or (8883 if secure else 1883),
        username=unquote(place.username) if place.username else None,
        password=unquote(place.password) if place.password else None,
        identifier=f"ruid-{topics.hub_id}{role}",
        will=None if role else aiomqtt.Will(topics.availability, "offline", qos=1, retain=True),
        tls_context=ssl.create_default_context() if secure else None,
        timeout=10.0,
    )
