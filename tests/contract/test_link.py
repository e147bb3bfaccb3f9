"""The real uplink against the real ingest, over real sockets on this machine."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from core.wire.builders import NOW_S, health, hello, live, tracklet
from ruid_core.wire import messages as wm
from ruid_core.wire.codec import decode_hub_message, encode
from ruid_core.wire.uplink import ItemKey
from ruid_edge.spool import Spool
from ruid_edge.uplink import Uplink
from ruid_hub.errors import PortInUse
from ruid_hub.ingest import GroupCommit, IngestServer
from ruid_hub.recognition import ReceivedItem


@dataclass
class Hub:
    """What a hub remembers, without database or identities; it survives its server's restarts."""

    committed: dict[str, list[ItemKey]] = field(default_factory=dict[str, list[ItemKey]])
    said: list[str] = field(default_factory=list[str])
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def commit(self, items: Sequence[ReceivedItem]) -> None:
        await asyncio.sleep(0)
        for item in items:
            if item.key > self.resume_point(item.node_id):
                self.committed.setdefault(item.node_id, []).append(item.key)

    def resume_point(self, node_id: str) -> ItemKey:
        return self.committed.get(node_id, [ItemKey(0, 0)])[-1]

    def connected(self, hello: wm.Hello, at_s: float) -> None:
        self._note(f"connected {hello.node_name}")

    def disconnected(self, node_id: str, at_s: float, reason: str, *, finished: bool) -> None:
        self._note(f"gone: {reason}{' (finished)' if finished else ''}")

    def live(self, node_id: str, live: wm.Live, at_s: float) -> None:
        self._note("live")

    def health(self, node_id: str, health: wm.Health, at_s: float) -> None:
        self._note("health")

    def configured(self, node_id: str, configured: wm.Configured) -> None:
        self._note(f"configured {configured.revision}")

    def still(self, node_id: str, still: wm.Still) -> None:
        self._note("still")

    def missed(self, items: int) -> None:
        self._note(f"missed {items}")

    def refused(self, code: str) -> None:
        self._note(f"refused {code}")

    def _note(self, said: str) -> None:
        self.said.append(said)
        self.arrived.set()

    async def hears(self, said: str, *, within_s: float = 10.0) -> None:
        async with asyncio.timeout(within_s):
            while said not in self.said:
                self.arrived.clear()
                await self.arrived.wait()


@asynccontextmanager
async def serving(hub: Hub, *, port: int = 0) -> AsyncGenerator[tuple[IngestServer, int]]:
    commits = GroupCommit(hub.commit)
    server = IngestServer(hub_id="hub1", events=hub, commits=commits, resume_point=hub.resume_point)
    committing = asyncio.create_task(commits.run())
    try:
        async with server.listening(bind="127.0.0.1", port=port) as bound:
            yield server, bound
    finally:
        committing.cancel()
        await asyncio.gather(committing, return_exceptions=True)


@asynccontextmanager
async def uplinking(spool: Spool, port: int) -> AsyncGenerator[Uplink]:
    uplink = Uplink(
        url=f"ws://127.0.0.1:{port}",
        spool=spool,
        make_hello=lambda: hello(node_id=spool.node_id, boot_epoch=spool.boot_epoch),
        make_health=health,
    )
    running = asyncio.create_task(uplink.run())
    try:
        yield uplink
    finally:
        uplink.close(reason="stopped", finished=False)
        await asyncio.wait_for(running, 10)


async def emptied(spool: Spool, *, within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while spool.state.items:  # noqa: ASYNC110 - polls to a deadline
            await asyncio.sleep(0.01)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool.open(tmp_path, max_bytes=10**8)


async def test_items_are_committed_once_and_then_forgotten_by_the_node(spool: Spool) -> None:
    hub = Hub()
    keys = list(spool.append([tracklet(track_id=number) for number in range(200)]))
    async with serving(hub) as (server, port), uplinking(spool, port) as uplink:
        await emptied(spool)
        uplink.show(live())
        await hub.hears("live")
        await hub.hears("health")
        assert server.nodes_connected == 1
        assert hub.committed == {spool.node_id: keys}
        assert server.counters["items_missing"] == 0
    assert hub.said[-1].startswith("gone")
    spool.close()


async def test_a_hub_that_was_away_gets_everything_in_order(spool: Spool) -> None:
    hub = Hub()
    async with serving(hub) as (_, port), uplinking(spool, port) as uplink:
        keys = list(spool.append([tracklet()]))
        uplink.wake()
        await emptied(spool)
    async with uplinking(spool, port) as uplink:
        for number in range(50):
            keys += spool.append([tracklet(track_id=number)])
            uplink.wake()
            uplink.show(live())
        await asyncio.sleep(0.3)
        assert not uplink.connected
        assert spool.state.items == 50
        async with serving(hub, port=port):
            await emptied(spool)
            assert hub.committed == {spool.node_id: keys}
    spool.close()


async def test_a_node_that_finished_says_so(spool: Spool) -> None:
    hub = Hub()
    async with serving(hub) as (_, port), uplinking(spool, port) as uplink:
        await hub.hears("connected Entrance")
        uplink.close(reason="finished", finished=True)
        await hub.hears("gone: finished (finished)")
    spool.close()


async def test_the_newest_connection_of_a_node_wins(spool: Spool) -> None:
    hub = Hub()
    async with serving(hub) as (server, port), talking(port) as first, talking(port) as second:
        await first.send(encode(hello()))
        await first.recv()
        await second.send(encode(hello()))
        await second.recv()
        await asyncio.wait_for(first.wait_closed(), 10)
        assert server.nodes_connected == 1
        await second.send(encode(live()))
        await hub.hears("live")
    spool.close()


async def test_a_newer_node_is_told_and_the_others_go_on() -> None:
    hub = Hub()
    async with serving(hub) as (server, port), talking(port) as newer, talking(port) as current:
        await newer.send(encode(hello(protocol_major=9)))
        refusal = decode_hub_message(await wait_bytes(newer))
        assert isinstance(refusal, wm.Refused)
        assert (refusal.code, refusal.fatal) == ("protocol_version", True)
        await asyncio.wait_for(newer.wait_closed(), 10)
        await current.send(encode(hello(node_id="node2")))
        assert isinstance(decode_hub_message(await wait_bytes(current)), wm.Welcome)
        assert server.counters["refused_protocol_version"] == 1


async def test_text_and_noise_are_refused_and_counted() -> None:
    async with serving(Hub()) as (server, port), talking(port) as peer:
        await peer.send(encode(hello()))
        await wait_bytes(peer)
        await peer.send("text")
        await peer.send(b"\xc1")
        for _ in range(2):
            assert isinstance(decode_hub_message(await wait_bytes(peer)), wm.Refused)
        assert server.counters["refused_undecodable"] == 2


async def test_items_that_never_came_are_told() -> None:
    hub = Hub()
    hub.committed["node1"] = [ItemKey(3, 40)]
    async with serving(hub) as (server, port), talking(port) as node:
        await node.send(encode(hello()))
        await wait_bytes(node)
        await node.send(encode(wm.Item(3, 44, wm.CoverageGap("cam0", 1.7e9, 1.71e9, "lost"))))
        await hub.hears("missed 3")
        assert server.counters["items_missing"] == 3


async def test_a_clock_that_is_off_is_corrected() -> None:
    seen: list[ReceivedItem] = []

    class Remembering(Hub):
        async def commit(self, items: Sequence[ReceivedItem]) -> None:
            seen.extend(items)
            await super().commit(items)

    async with serving(Remembering()) as (_, port), talking(port) as node:
        await node.send(encode(hello()))
        await wait_bytes(node)
        for probe in (wm.ClockProbe(NOW_S, 40.0, 0.01), wm.ClockProbe(NOW_S, 0.004, 0.01)):
            await node.send(encode(probe))
            assert isinstance(decode_hub_message(await wait_bytes(node)), wm.ClockReply)
            await node.send(encode(wm.Item(3, len(seen) + 1, wm.CoverageGap("cam0", 1.7e9, 1.71e9, "lost"))))
            assert isinstance(decode_hub_message(await wait_bytes(node)), wm.Ack)
    assert [item.offset_s for item in seen] == [40.0, 0.0]


async def test_a_port_in_use_is_told_in_one_line() -> None:
    async with serving(Hub()) as (_, port):
        with pytest.raises(PortInUse, match=f"port {port} for nodes cannot be opened") as refused:
            async with serving(Hub(), port=port):
                pass
    assert refused.value.exit_code == 69


def talking(port: int) -> connect:
    """A connection that the test speaks on byte by byte."""
    return connect(f"ws://127.0.0.1:{port}", subprotocols=[Subprotocol(wm.SUBPROTOCOL)])


async def wait_bytes(peer: ClientConnection) -> bytes:
    received = await asyncio.wait_for(peer.recv(), 10)
    assert isinstance(received, bytes)
    return received


async def test_a_node_that_is_too_new_is_refused_and_keeps_what_it_has(spool: Spool) -> None:
    spool.append([tracklet()])
    async with serving(Hub()) as (server, port):
        uplink = Uplink(
            url=f"ws://127.0.0.1:{port}",
            spool=spool,
            make_hello=lambda: hello(node_id=spool.node_id, protocol_major=9),
            make_health=health,
        )
        running = asyncio.create_task(uplink.run())
        async with asyncio.timeout(10):
            while not uplink.counters.refused:  # noqa: ASYNC110 - polls to a deadline
                await asyncio.sleep(0.01)
        uplink.close(reason="stopped", finished=False)
        await asyncio.wait_for(running, 10)
        assert server.counters["refused_protocol_version"] >= 1
        assert spool.state.items == 1
    spool.close()
