"""What this device is on its network, by RUID_ROLE: the hub, a node alone, both, or whatever is needed."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Literal

import structlog

from ruid_hub.discovery.announcer import Announcer, Presence, settle, watch_for_better
from ruid_hub.discovery.settling import Standing
from ruid_hub.errors import HubError

Role = Literal["auto", "hub", "edge", "both"]

_log = structlog.get_logger("discovery")


class GaveWay(HubError):
    """Another device is the hub; started anew, this one stands by."""

    exit_code = 75


async def take_role(role: Role, presence: Presence, *, has_nodes: Callable[[], bool], stop: asyncio.Event) -> bool:
    """Return True once this device is to be the hub; False where it is told to stop before.

    `has_nodes` is asked only where devices have to agree, and once.
    """
    if role in {"hub", "both"}:
        return True
    stopping = asyncio.create_task(stop.wait())
    if role == "edge":
        _log.info("this device is a node alone: its hub rests")
        await stopping
        return False
    settling = asyncio.create_task(settle(presence, has_nodes=has_nodes()))
    await asyncio.wait((stopping, settling), return_when=asyncio.FIRST_COMPLETED)
    chosen = settling.done()
    for task in (stopping, settling):
        task.cancel()
    await asyncio.gather(stopping, settling, return_exceptions=True)
    if chosen:
        settling.result()
    return chosen


async def be_found(role: Role, presence: Presence, *, bind: str, has_nodes: Callable[[], bool]) -> None:
    """Announce the hub for ever; raise `GaveWay` where it has to leave the place to another one.

    A hub that only its own machine can reach is not announced, and one on a machine without a network goes on.
    """
    if _loopback(bind):
        await asyncio.Event().wait()
    try:
        async with Announcer(presence, standing=Standing.HUB, has_nodes=has_nodes()) as announcer:
            better = await _watch(announcer, role, has_nodes)
    except OSError as error:
        _log.warning("the hub cannot be announced: nodes need RUID_HUB_URL", reason=str(error))
        await asyncio.Event().wait()
        return
    raise GaveWay(f"the hub {better} was here before or has nodes: this one stands by")


async def _watch(announcer: Announcer, role: Role, has_nodes: Callable[[], bool]) -> str:
    while True:
        better = await watch_for_better(announcer, has_nodes=has_nodes)
        if role == "auto":
            return better.hub_id
        _log.warning("another hub is on this network, and RUID_ROLE says that this one stays", other=better.hub_id)
        await asyncio.sleep(3600)


def _loopback(bind: str) -> bool:
    try:
        return ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"
