"""Nodes and hubs of the first release, with today's: the real uplink and ingest, over real TLS sockets.

The old side is its bytes: the golden ones of version 1.0, and a frozen copy of what it could read. How nodes are let in
was another matter then; here the old node has its certificate, and the old hub serves today's TLS.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from contract import wire_1_0 as old
from core.wire.builders import NOW_S, camera_config, crossing, live, stay, tracklet
from link_fakes import Hub, member, serving, talking, until, uplinking, wait_bytes
from ruid_core.wire import messages as wm
from ruid_core.wire.uplink import ItemKey
from ruid_edge.spool import Spool
from ruid_hub.nodes import NodeTooOld
from ruid_hub.store import Arrival

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/wire/messages-1.0.json").read_text(encoding="utf-8"))
NODE_BYTES = {name: bytes.fromhex(packed) for name, packed in GOLDEN["node"].items()}
TIMES = {"started_at_s", "ended_at_s", "grabbed_at_s", "from_s", "to_s"}
HUB_BYTES = {name: bytes.fromhex(packed) for name, packed in GOLDEN["hub"].items()}


@pytest.fixture
def hub(tmp_path: Path) -> Generator[Hub]:
    opened = Hub.open(tmp_path / "hub")
    yield opened
    opened.store.close()


@pytest.fixture
def spool(tmp_path: Path) -> Generator[Spool]:
    opened = Spool.open(tmp_path / "spool", max_bytes=10**8)
    yield opened
    opened.close()


def test_the_frozen_copy_is_what_version_1_0_was() -> None:
    """Each of its messages is read from the golden bytes and gives the same bytes again."""
    for packed in NODE_BYTES.values():
        assert old.encode(old.read_at_the_hub(packed)) == packed
    for packed in HUB_BYTES.values():
        assert old.encode(old.read_at_the_node(packed)) == packed


def of_today(packed: bytes) -> bytes:
    """An item of the golden bytes with today's times: a hub takes nothing that lies in its future."""
    item = old.read_at_the_hub(packed)
    assert isinstance(item, old.Item)
    fields = msgspec.structs.asdict(item.content)
    times = {name: fields[name] - NOW_S + time.time() for name in TIMES & fields.keys()}
    return old.encode(msgspec.structs.replace(item, content=msgspec.structs.replace(item.content, **times)))


# --- an old node and today's hub -----------------------------------------------------------------------


async def heard(peer: ClientConnection) -> old.HubMessage:
    """What an old node makes of the hub's next message; a message that it could not read is an error here."""
    return old.read_at_the_node(await wait_bytes(peer))


async def test_an_old_node_delivers_everything_it_has(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link:
        context = (await member(link, hub, tmp_path)).member_context()
        async with talking(link, context) as node:
            await node.send(NODE_BYTES["hello"])
            welcome = await heard(node)
            assert isinstance(welcome, old.Welcome)
            assert (welcome.protocol_major, welcome.resume_boot_epoch, welcome.resume_seq) == (1, 0, 0)
            for name in ("item_tracklet", "item_gap", "item_dropped"):
                await node.send(of_today(NODE_BYTES[name]))
            for name in ("live", "health", "clock"):
                await node.send(NODE_BYTES[name])
            answers: list[old.HubMessage] = []
            while not {old.Ack(3, 45), old.ClockReply} <= {*answers, *map(type, answers)}:
                answers.append(await heard(node))
            assert [answer for answer in answers if isinstance(answer, old.Refused)] == []
            await hub.hears("live")
            await hub.hears("health")
            await node.send(NODE_BYTES["bye"])
            await hub.hears("gone: finished (finished)")
        assert hub.committed["node1"] == [ItemKey(3, 41), ItemKey(3, 42), ItemKey(3, 45)]
        assert link.server.counters["items_missing"] == 0


async def test_an_old_node_is_asked_for_nothing_that_it_cannot_read(hub: Hub, tmp_path: Path) -> None:
    """Its configuration waits, whoever wants a still is told to update it, and the node hears nothing of either."""
    async with serving(hub) as link:
        context = (await member(link, hub, tmp_path)).member_context()
        hub.store.record_arrivals([Arrival("node1", cameras={"node1/cam0": "Door"})])
        async with talking(link, context) as node:
            await node.send(NODE_BYTES["hello"])
            assert isinstance(await heard(node), old.Welcome)
            configuration = await link.register.configure("node1/cam0", camera_config(), actor="ada")
            assert not configuration.applied
            with pytest.raises(NodeTooOld):
                await link.register.want_still("node1/cam0")
            await node.send(of_today(NODE_BYTES["item_tracklet"]))
            assert await heard(node) == old.Ack(3, 41)


# --- today's node and an old hub -----------------------------------------------------------------------


@dataclass
class OldHub:
    """Reads as version 1.0 did and acknowledges each item; `unreadable` is what it could not make sense of."""

    items: list[old.Item] = field(default_factory=list[old.Item])
    kinds: set[str] = field(default_factory=set[str])
    unreadable: list[str] = field(default_factory=list[str])

    async def converse(self, node: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for frame in node:
                assert isinstance(frame, bytes)
                try:
                    message = old.read_at_the_hub(frame)
                except msgspec.DecodeError as error:
                    self.unreadable.append(str(error))
                    continue
                self.kinds.add(type(message).__name__)
                for answer in self.answers(message):
                    await node.send(old.encode(answer))

    def answers(self, message: old.NodeMessage) -> list[old.HubMessage]:
        match message:
            case old.Hello():
                return [old.Welcome(1, 0, "hub1", 0, 0, message.sent_at_s)]
            case old.ClockProbe():
                return [old.ClockReply(message.sent_at_s, message.sent_at_s)]
            case old.Item():
                self.items.append(message)
                return [old.Ack(message.boot_epoch, message.seq)]
            case _:
                return []


@asynccontextmanager
async def old_hub(hub: Hub) -> AsyncGenerator[tuple[OldHub, str]]:
    """Serve as the first release did, with the authority of `hub`; yields what it hears, and its address."""
    hears = OldHub()
    async with serve(
        hears.converse,
        "127.0.0.1",
        0,
        ssl=hub.authority.server_context_for_nodes(),
        subprotocols=[Subprotocol(wm.SUBPROTOCOL)],
    ) as server:
        [port] = {socket.getsockname()[1] for socket in server.sockets}
        yield hears, f"wss://127.0.0.1:{port}"


async def let_in(hub: Hub, spool: Spool, folder: Path) -> None:
    """Give the node its certificate before it meets the old hub."""
    async with serving(hub) as link, uplinking(spool, link.url, folder) as uplink:
        await until(lambda: uplink.connected)


async def test_todays_node_delivers_to_an_old_hub_what_that_can_read(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    """Crossings and stays came later: their places are told as lost, and nothing behind them is held up."""
    await let_in(hub, spool, tmp_path)
    keys = spool.append([tracklet(), crossing(), stay(), wm.CoverageGap("cam0", 1.7e9, 1.71e9, "lost"), tracklet()])
    async with old_hub(hub) as (hears, url), uplinking(spool, url, tmp_path) as uplink:
        await until(lambda: uplink.connected)
        uplink.show(live(tracks=(wm.LiveTrack(7, (0.1, 0.2, 0.3, 0.4), 0.9, 1.7e9, ("z1",)),)))
        await until(lambda: not spool.state.items)
        await until(lambda: {"Hello", "Live", "Health", "ClockProbe", "Item"} <= hears.kinds)
        uplink.tell(wm.Configured(12, accepted=True))
        uplink.tell(wm.Still("cam0", 1.7e9, b""))
        await asyncio.sleep(0.2)
    assert hears.unreadable == []
    assert [ItemKey(item.boot_epoch, item.seq) for item in hears.items] == list(keys)
    assert [type(item.content).__name__ for item in hears.items] == [
        "Tracklet",
        "Dropped",
        "Dropped",
        "CoverageGap",
        "Tracklet",
    ]
    assert "Goodbye" in hears.kinds
