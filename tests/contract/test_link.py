"""The real uplink against the real ingest, over real TLS sockets on this machine."""

import asyncio
import contextlib
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from core.wire.builders import DIM, NOW_S, camera_config, hello, live, still, tracklet
from link_fakes import Hub, member, serving, talking, until, uplinking, wait_bytes
from ruid_core.wire import messages as wm
from ruid_core.wire.codec import decode_hub_message, encode
from ruid_core.wire.ingest import MAX_REFUSALS
from ruid_core.wire.uplink import ItemKey
from ruid_core.wire.vectors import pack_embeddings
from ruid_edge.spool import Spool
from ruid_hub.errors import PortInUse
from ruid_hub.ingest.conduct import OFFENCES
from ruid_hub.nodes import BadConfiguration, NodeAway, StillUnavailable
from ruid_hub.store import Arrival


@pytest.fixture
def spool(tmp_path: Path) -> Generator[Spool]:
    opened = Spool.open(tmp_path / "spool", max_bytes=10**8)
    yield opened
    opened.close()


@pytest.fixture
def hub(tmp_path: Path) -> Generator[Hub]:
    opened = Hub.open(tmp_path / "hub")
    yield opened
    opened.store.close()


async def emptied(spool: Spool) -> None:
    await until(lambda: not spool.state.items)


async def test_items_are_committed_once_and_then_forgotten_by_the_node(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    keys = list(spool.append([tracklet(track_id=number) for number in range(200)]))
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path) as uplink:
        await emptied(spool)
        uplink.show(live())
        await hub.hears("live")
        await hub.hears("health")
        assert link.server.nodes_connected == 1
        assert hub.committed == {spool.node_id: keys}
        assert link.server.counters["items_missing"] == 0
    assert hub.said[-1].startswith("gone")


async def test_a_hub_that_was_away_gets_everything_in_order(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path) as uplink:
        keys = list(spool.append([tracklet()]))
        uplink.wake()
        await emptied(spool)
    async with uplinking(spool, link.url, tmp_path) as uplink:
        for number in range(50):
            keys += spool.append([tracklet(track_id=number)])
            uplink.wake()
            uplink.show(live())
        await until(lambda: uplink.counters.live_stale > 0)
        assert uplink.counters.live_replaced + uplink.counters.live_stale <= 50
        assert not uplink.connected
        assert spool.state.items == 50
        async with serving(hub, port=link.port):
            await emptied(spool)
            assert hub.committed == {spool.node_id: keys}


async def test_what_waited_while_a_node_got_another_embedder_is_delivered(
    hub: Hub, spool: Spool, tmp_path: Path
) -> None:
    """The node introduces itself with the new one; what the former one made may be of another dimension."""
    former = pack_embeddings(np.eye(4 * DIM, dtype=np.float32)[:1])
    keys = list(spool.append([tracklet(track_id=1, embedding_model_id="former", embeddings=former), tracklet()]))
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path) as uplink:
        await emptied(spool)
        assert hub.committed == {spool.node_id: keys}
        assert uplink.counters.refused == 0
        assert not [said for said in hub.said if said.startswith("refused")]


async def test_the_hub_sets_the_pace_of_a_replay(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    """Twenty a second, with a small burst: sixty items take about three seconds; live state does not wait."""
    spool.append([tracklet(track_id=number) for number in range(60)])
    async with serving(hub, items_per_s=20.0) as link, uplinking(spool, link.url, tmp_path) as uplink:
        await until(lambda: uplink.connected)
        started_s = asyncio.get_running_loop().time()
        uplink.show(live())
        await hub.hears("live", within_s=1.0)
        await emptied(spool)
        assert 2.0 < asyncio.get_running_loop().time() - started_s < 6.0


async def test_a_node_that_finished_says_so(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path) as uplink:
        await hub.hears("connected Entrance")
        uplink.close(reason="finished", finished=True)
        await hub.hears("gone: finished (finished)")


async def test_the_newest_connection_of_a_node_wins(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link:
        context = (await member(link, hub, tmp_path)).member_context()
        async with talking(link, context) as first, talking(link, context) as second:
            await first.send(encode(hello()))
            await first.recv()
            await second.send(encode(hello()))
            await second.recv()
            await asyncio.wait_for(first.wait_closed(), 10)
            assert link.server.nodes_connected == 1
            await second.send(encode(live()))
            await hub.hears("live")


async def test_a_newer_node_is_told_and_the_others_go_on(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link:
        one = (await member(link, hub, tmp_path)).member_context()
        two = (await member(link, hub, tmp_path, "node2")).member_context()
        async with talking(link, one) as newer, talking(link, two) as current:
            await newer.send(encode(hello(protocol_major=9)))
            refusal = decode_hub_message(await wait_bytes(newer))
            assert isinstance(refusal, wm.Refused)
            assert (refusal.code, refusal.fatal) == ("protocol_version", True)
            await asyncio.wait_for(newer.wait_closed(), 10)
            await current.send(encode(hello(node_id="node2")))
            assert isinstance(decode_hub_message(await wait_bytes(current)), wm.Welcome)
            assert link.server.counters["refused_protocol_version"] == 1


async def test_a_node_that_says_it_is_another_is_shown_out(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link:
        context = (await member(link, hub, tmp_path)).member_context()
        async with talking(link, context) as node:
            await node.send(encode(hello(node_id="node2")))
            refusal = decode_hub_message(await wait_bytes(node))
            assert isinstance(refusal, wm.Refused)
            assert (refusal.code, refusal.fatal) == ("wrong_node", True)
            await asyncio.wait_for(node.wait_closed(), 10)
        assert not link.server.nodes_connected


async def test_text_and_noise_are_refused_and_counted(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link:
        context = (await member(link, hub, tmp_path)).member_context()
        async with talking(link, context) as peer:
            await peer.send(encode(hello()))
            await wait_bytes(peer)
            await peer.send("text")
            await peer.send(b"\xc1")
            for _ in range(2):
                assert isinstance(decode_hub_message(await wait_bytes(peer)), wm.Refused)
            assert link.server.counters["refused_undecodable"] == 2


async def test_a_node_that_keeps_talking_nonsense_is_kept_out_for_a_while(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link:
        one = (await member(link, hub, tmp_path)).member_context()
        two = (await member(link, hub, tmp_path, "node2")).member_context()
        for _ in range(OFFENCES):
            async with talking(link, one) as peer:
                await peer.send(encode(hello()))
                for _ in range(MAX_REFUSALS):
                    await peer.send(b"\xc1")
                async with asyncio.timeout(10):
                    with contextlib.suppress(ConnectionClosed):
                        while True:
                            await peer.recv()
        with pytest.raises(InvalidStatus) as refused:
            await talking(link, one)
        assert refused.value.response.status_code == 403
        assert (refused.value.response.body or b"").startswith(b"abuse: ")
        async with talking(link, two) as peer:
            await peer.send(encode(hello(node_id="node2")))
            assert isinstance(decode_hub_message(await wait_bytes(peer)), wm.Welcome)


async def test_items_that_never_came_are_told(hub: Hub, tmp_path: Path) -> None:
    hub.committed["node1"] = [ItemKey(3, 40)]
    async with serving(hub) as link:
        context = (await member(link, hub, tmp_path)).member_context()
        async with talking(link, context) as node:
            await node.send(encode(hello()))
            await wait_bytes(node)
            await node.send(encode(wm.Item(3, 44, wm.CoverageGap("cam0", 1.7e9, 1.71e9, "lost"))))
            await hub.hears("missed 3")
            assert link.server.counters["items_missing"] == 3


async def test_a_clock_that_is_off_is_corrected(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link:
        context = (await member(link, hub, tmp_path)).member_context()
        async with talking(link, context) as node:
            await node.send(encode(hello()))
            await wait_bytes(node)
            for probe in (wm.ClockProbe(NOW_S, 40.0, 0.01), wm.ClockProbe(NOW_S, 0.004, 0.01)):
                await node.send(encode(probe))
                assert isinstance(decode_hub_message(await wait_bytes(node)), wm.ClockReply)
                gap = wm.CoverageGap("cam0", 1.7e9, 1.71e9, "lost")
                await node.send(encode(wm.Item(3, len(hub.items) + 1, gap)))
                assert isinstance(decode_hub_message(await wait_bytes(node)), wm.Ack)
    assert [item.offset_s for item in hub.items] == [40.0, 0.0]
    assert hub.said.count("clock measured 40 0.01") == 1


async def test_items_of_a_clock_that_is_hours_ahead_are_corrected_from_the_first_one_on(
    hub: Hub, tmp_path: Path
) -> None:
    async with serving(hub) as link:
        context = (await member(link, hub, tmp_path)).member_context()
        ahead_s = time.time() + 8000.0
        async with talking(link, context) as node:
            await node.send(encode(hello(sent_at_s=ahead_s)))
            await wait_bytes(node)
            await node.send(encode(wm.Item(3, 1, wm.CoverageGap("cam0", ahead_s - 9, ahead_s, "lost"))))
            assert isinstance(decode_hub_message(await wait_bytes(node)), wm.Ack)
    assert hub.items[0].offset_s == pytest.approx(-8000.0, abs=10.0)
    assert isinstance(hub.items[0].content, wm.CoverageGap)


async def test_a_port_in_use_is_told_in_one_line(hub: Hub) -> None:
    async with serving(hub) as link:
        with pytest.raises(PortInUse, match=f"port {link.port} for nodes cannot be opened") as refused:
            async with serving(hub, port=link.port):
                pass
    assert refused.value.exit_code == 69


async def test_a_node_that_is_too_new_is_refused_and_keeps_what_it_has(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    spool.append([tracklet()])
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path, protocol_major=9) as uplink:
        await until(lambda: uplink.counters.refused > 0)
        assert link.server.counters["refused_protocol_version"] >= 1
        assert spool.state.items == 1


# --- configuration and stills --------------------------------------------------------------------------


async def test_a_camera_is_set_live_and_the_answer_kept(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    told: list[wm.Configure] = []

    def configure(wanted: wm.Configure) -> wm.Configured:
        told.append(wanted)
        return wm.Configured(wanted.revision, accepted=True)

    async with serving(hub) as link, uplinking(spool, link.url, tmp_path, configure=configure):
        await hub.hears("connected Entrance")
        camera = f"{spool.node_id}/cam0"
        configuration = await link.register.configure(camera, camera_config(), actor="ada")
        assert configuration.applied
        assert told == [wm.Configure(1, (camera_config(),))]
        assert "connected Entrance" in hub.said
    assert hub.register().configuration(spool.node_id) == configuration


async def test_a_setting_that_makes_no_sense_is_refused_with_its_field(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path):
        await hub.hears("connected Entrance")
        with pytest.raises(BadConfiguration) as refused:
            await link.register.configure(f"{spool.node_id}/cam0", camera_config(frame_rate_fps=0.0), actor="ada")
        assert refused.value.field == "frame_rate_fps"
        with pytest.raises(BadConfiguration, match="no camera 'cam9'"):
            await link.register.configure(f"{spool.node_id}/cam9", camera_config(), actor="ada")
        assert link.register.configuration(spool.node_id).revision == 0


async def test_what_the_node_refuses_is_told_and_not_sent_again(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    told: list[int] = []

    def refuse(wanted: wm.Configure) -> wm.Configured:
        told.append(wanted.revision)
        return wm.Configured(wanted.revision, accepted=False, field="zones", reason="the floor is lava")

    async with serving(hub) as link, uplinking(spool, link.url, tmp_path, configure=refuse):
        await hub.hears("connected Entrance")
        configuration = await link.register.configure(f"{spool.node_id}/cam0", camera_config(), actor="ada")
        assert configuration.answer is not None
        assert (configuration.answer.field, configuration.answer.reason) == ("zones", "the floor is lava")
        assert not configuration.applied
    hub.said.clear()
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path, configure=refuse):
        await hub.hears("health")
    assert told == [1]


async def test_a_node_that_was_away_is_told_when_it_comes(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path):
        await hub.hears("connected Entrance")
        camera = f"{spool.node_id}/cam0"
    async with serving(hub) as link:
        hub.store.record_arrivals([Arrival(spool.node_id, cameras={camera: "Door"})])
        configuration = await link.register.configure(camera, camera_config(), actor="ada")
        assert not configuration.applied
        async with uplinking(spool, link.url, tmp_path):
            await hub.hears("configured 1")
            assert link.register.configuration(spool.node_id).applied


async def test_a_still_is_fetched_on_request(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async def take(camera_id: str) -> wm.Still:
        return still(camera_id=camera_id)

    async with serving(hub) as link, uplinking(spool, link.url, tmp_path, still=take):
        await hub.hears("connected Entrance")
        camera = f"{spool.node_id}/cam0"
        first, second = await asyncio.gather(link.register.want_still(camera), link.register.want_still(camera))
        assert first == second == still().jpeg


async def test_answers_that_nobody_hears_are_counted_at_the_node(spool: Spool, tmp_path: Path) -> None:
    async with uplinking(spool, "wss://127.0.0.1:9", tmp_path) as uplink:
        for revision in range(40):
            uplink.tell(wm.Configured(revision, accepted=True))
        assert uplink.counters.answers_dropped == 8


async def test_answers_that_nobody_asked_for_are_counted_at_the_hub(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path) as uplink:
        uplink.tell(wm.Configured(7, accepted=True))
        uplink.tell(still())
        await until(lambda: link.server.counters["answers_unasked"] == 2)
        assert link.register.configuration(spool.node_id).revision == 0


async def test_a_still_that_cannot_be_had_says_why(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link:
        async with uplinking(spool, link.url, tmp_path):
            await hub.hears("connected Entrance")
            with pytest.raises(StillUnavailable, match="has no camera"):
                await link.register.want_still(f"{spool.node_id}/cam0")
        await until(lambda: not link.server.nodes_connected)
        with pytest.raises(NodeAway):
            await link.register.want_still(f"{spool.node_id}/cam0")


async def test_a_new_name_shows_at_once(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path):
        await hub.hears("connected Entrance")
        await link.register.rename(spool.node_id, "Side door", actor="ada")
        await hub.hears("connected Side door")
