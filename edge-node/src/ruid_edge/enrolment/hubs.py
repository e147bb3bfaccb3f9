"""Where the hub is: said by a setting, or heard on the network (DNS-SD, `_ruid-hub._tcp`)."""

import asyncio
import ipaddress
from dataclasses import dataclass
from typing import Protocol

import structlog
from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

SERVICE_TYPE = "_ruid-hub._tcp.local."
_LOOK_FOR_S = 5.0
_SETTLE_S = 2.0
_INFO_WITHIN_MS = 2000
_MOST_HUBS = 32

_log = structlog.get_logger("discovery")


class HubUnknown(Exception):
    """No hub is to be heard; look again later."""


@dataclass(frozen=True, slots=True)
class HubAddress:
    """A hub as it announces itself; `has_nodes` counts when a new node chooses among several."""

    url: str
    hub_id: str = ""
    has_nodes: bool = False


class HubFinder(Protocol):
    """Says where the hub is now."""

    async def find(self, *, hub_id: str | None) -> str:
        """Return the address of the hub with this id, of any hub if that is None; raise `HubUnknown`."""
        ...


class FixedHub:
    """The hub's address was told."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def find(self, *, hub_id: str | None) -> str:
        """The address, whoever is there: the pinned authority decides about that."""
        return self._url


class ListeningFinder:
    """Listens to announcements for a few seconds whenever it is asked."""

    def __init__(self, *, interfaces: tuple[str, ...] = ()) -> None:
        self._interfaces = interfaces

    async def find(self, *, hub_id: str | None) -> str:
        """Return the address of the hub with this id, of any hub if that is None; raise `HubUnknown`."""
        try:
            heard = await listen(hub_id=hub_id, interfaces=self._interfaces)
        except OSError as error:
            raise HubUnknown(f"the network cannot be listened to ({error})") from error
        chosen = choose(heard, hub_id=hub_id)
        if chosen is None:
            wanted = "its hub" if hub_id else "a hub"
            raise HubUnknown(f"{wanted} is not to be heard on this network: start one, or set RUID_HUB_URL")
        return chosen.url


def hub_finder(url: str) -> HubFinder:
    """The way to the hub that the setting asks for; an empty one means to listen."""
    return FixedHub(url) if url else ListeningFinder()


def choose(heard: list[HubAddress], *, hub_id: str | None) -> HubAddress | None:
    """Our own hub if we have one; else one that has nodes already, and of several the one with the lowest id."""
    fitting = [hub for hub in heard if hub_id is None or hub.hub_id == hub_id]
    return min(fitting, key=lambda hub: (not hub.has_nodes, hub.hub_id), default=None)


async def listen(*, hub_id: str | None, interfaces: tuple[str, ...] = ()) -> list[HubAddress]:
    """Hubs that are heard within a few seconds; as soon as the one with `hub_id` is, it alone."""
    zeroconf = AsyncZeroconf(interfaces=list(interfaces)) if interfaces else AsyncZeroconf()
    names: asyncio.Queue[str] = asyncio.Queue(_MOST_HUBS)

    def heard(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Added and not names.full():
            names.put_nowait(name)

    try:
        browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE_TYPE, handlers=[heard])
        try:
            return await _collect(zeroconf, names, hub_id)
        finally:
            await browser.async_cancel()
    finally:
        await zeroconf.async_close()


async def _collect(zeroconf: AsyncZeroconf, names: "asyncio.Queue[str]", hub_id: str | None) -> list[HubAddress]:
    found: list[HubAddress] = []
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + _LOOK_FOR_S
    while (left_s := deadline_s - loop.time()) > 0:
        try:
            name = await asyncio.wait_for(names.get(), left_s)
        except TimeoutError:
            break
        hub = await _resolve(zeroconf, name)
        if hub is None:
            continue
        found.append(hub)
        if hub.hub_id == hub_id:
            return [hub]
        deadline_s = min(deadline_s, loop.time() + _SETTLE_S) if hub_id is None else deadline_s
    return found


async def _resolve(zeroconf: AsyncZeroconf, name: str) -> HubAddress | None:
    info = AsyncServiceInfo(SERVICE_TYPE, name)
    if not await info.async_request(zeroconf.zeroconf, _INFO_WITHIN_MS) or not info.port:
        return None
    addresses = info.parsed_scoped_addresses()
    if not addresses:
        return None
    told = {
        key.decode(errors="replace"): (value or b"").decode(errors="replace") for key, value in info.properties.items()
    }
    if told.get("state", "hub") != "hub":
        return None
    plain = sorted(addresses, key=lambda address: ":" in address)[0]
    host = f"[{plain}]" if ipaddress.ip_address(plain.partition("%")[0]).version == 6 else plain
    return HubAddress(f"wss://{host}:{info.port}", told.get("id", ""), told.get("nodes") == "yes")
