"""Saying that a hub is here, and hearing who else says so."""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import ifaddr
import structlog
from zeroconf import InterfaceChoice, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from ruid_hub.discovery.settling import Announced, Standing, gives_way

SERVICE_TYPE = "_ruid-hub._tcp.local."
CANDIDACY_S = 4.0
AWAY_AFTER_S = 60.0
_LOOK_EVERY_S = 2.0
_INFO_WITHIN_MS = 2000
_MOST_HUBS = 32

_log = structlog.get_logger("discovery")


@dataclass(frozen=True, slots=True)
class Presence:
    """Who we are on the network, apart from our standing."""

    hub_id: str
    fingerprint: str
    port: int
    interfaces: tuple[str, ...] = ()


class Announcer:
    """Announces this device and keeps a bounded list of the others; an asynchronous context."""

    def __init__(self, presence: Presence, *, standing: Standing, has_nodes: bool) -> None:
        self._presence = presence
        self._own = Announced(presence.hub_id, standing, has_nodes)
        self._others: OrderedDict[str, Announced] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._info: AsyncServiceInfo | None = None

    async def __aenter__(self) -> Self:
        interfaces = list(self._presence.interfaces) or InterfaceChoice.All
        self._zeroconf = AsyncZeroconf(interfaces=interfaces)
        self._info = self._service()
        await self._zeroconf.async_register_service(self._info, allow_name_change=True)
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE_TYPE, handlers=[self._heard])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await self._browser.async_cancel()
        await self._zeroconf.async_close()

    @property
    def own(self) -> Announced:
        """What we say of ourselves now."""
        return self._own

    @property
    def others(self) -> tuple[Announced, ...]:
        """Who else is to be heard now."""
        return tuple(self._others.values())

    async def say(self, *, standing: Standing, has_nodes: bool) -> None:
        """Announce a new standing, if it is one."""
        said = Announced(self._presence.hub_id, standing, has_nodes)
        if said == self._own:
            return
        self._own = said
        self._info = self._service()
        await self._zeroconf.async_update_service(self._info)

    def _service(self) -> AsyncServiceInfo:
        """The announcement; it holds nothing that a stranger may not know."""
        hub_id = self._presence.hub_id
        return AsyncServiceInfo(
            SERVICE_TYPE,
            f"RuID {hub_id[:12]}.{SERVICE_TYPE}",
            port=self._presence.port,
            parsed_addresses=_addresses(self._presence.interfaces),
            server=f"ruid-{hub_id[:12]}.local.",
            properties={
                "id": hub_id,
                "fingerprint": self._presence.fingerprint,
                "state": self._own.standing.value,
                "nodes": "yes" if self._own.has_nodes else "no",
            },
        )

    def _heard(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Removed:
            self._others.pop(name, None)
            return
        if len(self._tasks) < _MOST_HUBS:
            task = asyncio.ensure_future(self._look_up(name))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look_up(self, name: str) -> None:
        info = AsyncServiceInfo(SERVICE_TYPE, name)
        if not await info.async_request(self._zeroconf.zeroconf, _INFO_WITHIN_MS):
            return
        told = {
            key.decode(errors="replace"): (value or b"").decode(errors="replace")
            for key, value in info.properties.items()
        }
        hub_id = told.get("id", "")
        if not hub_id or hub_id == self._presence.hub_id:
            return
        standing = Standing.HUB if told.get("state") == Standing.HUB.value else Standing.CANDIDATE
        self._others[name] = Announced(hub_id, standing, told.get("nodes") == "yes")
        while len(self._others) > _MOST_HUBS:
            self._others.popitem(last=False)


async def settle(
    presence: Presence, *, has_nodes: bool, candidacy_s: float = CANDIDACY_S, away_s: float = AWAY_AFTER_S
) -> None:
    """Return once this device is to be the hub; wait for as long as another one is."""
    loop = asyncio.get_running_loop()
    async with Announcer(presence, standing=Standing.CANDIDATE, has_nodes=has_nodes) as announcer:
        quiet_since_s, patience_s, told = loop.time(), candidacy_s, False
        while loop.time() - quiet_since_s < patience_s:
            await asyncio.sleep(min(0.2, candidacy_s / 10))
            better = next((other for other in announcer.others if gives_way(announcer.own, other)), None)
            if better is None:
                continue
            quiet_since_s = loop.time()
            if better.standing is Standing.HUB:
                patience_s = away_s  # its nodes will look for it: do not take its place at the first hiccup
                if not told:
                    told = True
                    _log.info("another device is the hub, standing by", hub_id=better.hub_id)


async def watch_for_better(announcer: Announcer, *, has_nodes: Callable[[], bool]) -> Announced:
    """Keep the announcement true; return the hub that this one has to give way to, if there ever is one."""
    warned: str | None = None
    while True:
        await announcer.say(standing=Standing.HUB, has_nodes=has_nodes())
        for other in announcer.others:
            if gives_way(announcer.own, other):
                return other
            if other.has_nodes and announcer.own.has_nodes and warned != other.hub_id:
                warned = other.hub_id
                _log.error("two hubs with nodes on one network: move the nodes of one and stop it", other=other.hub_id)
        await asyncio.sleep(_LOOK_EVERY_S)


def _addresses(interfaces: tuple[str, ...]) -> list[str]:
    if interfaces:
        return list(interfaces)
    found = (ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips)
    return [address for address in found if isinstance(address, str) and not address.startswith("127.")] or [
        socket.gethostbyname("localhost")
    ]
