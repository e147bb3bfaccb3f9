"""How a node gets in, stays in, and is kept out: real uplink, real hub, real TLS."""

import asyncio
import itertools
import ssl
import time
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from core.wire.builders import hello, tracklet
from link_fakes import SECRET, Hub, member, serving, talking, until, uplinking, wait_bytes
from ruid_core.wire import messages as wm
from ruid_core.wire.adoption import (
    ADOPTION_SUBPROTOCOL,
    Adopted,
    AdoptionPending,
    AdoptionRequest,
    NotAdopted,
    adoption_proof,
    decode_answer,
    encode_adoption,
)
from ruid_core.wire.codec import encode
from ruid_core.wire.uplink import ItemKey
from ruid_edge.enrolment import Credentials
from ruid_edge.spool import Spool
from ruid_hub.access import Access, AccessMode
from ruid_hub.authority.certificates import key_bytes, read_request
from ruid_hub.ingest import strangers
from ruid_hub.nodes import NodeRegister, NoSuchNode, NoSuchRequest
from ruid_hub.nodes.local import HubUnreachable, command, local_commands
from ruid_hub.nodes.waiting import WAITING_PER_ADDRESS


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


def stranger() -> ssl.SSLContext:
    """TLS without a certificate, trusting whoever answers: what anybody on the network can do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def request(folder: Path, node_id: str = "node1", *, proof: bytes = b"") -> AdoptionRequest:
    credentials = Credentials.open(folder / node_id)
    return AdoptionRequest(1, 1, node_id, "Entrance", "0.1.0", credentials.request(node_id), proof)


@pytest.mark.parametrize("by_hand", [False, True])
async def test_only_a_node_that_a_person_lets_in_ends_a_demonstration(
    hub: Hub, tmp_path: Path, *, by_hand: bool
) -> None:
    access = Access(store=hub.store, clock=time.time, mode=AccessMode.DEMONSTRATION)
    register = NodeRegister(
        store=hub.store,
        authority=hub.authority,
        resume_point=hub.resume_point,
        clock=time.time,
        join_secret=SECRET,
        let_in_by_hand=access.end_demonstration,
    )
    asked = request(tmp_path)
    key_der = key_bytes(read_request(asked.request_der))
    proof = adoption_proof(SECRET, key_der=key_der, authority_der=hub.authority.certificate_der)
    await register.ask(msgspec.structs.replace(asked, proof=b"" if by_hand else proof), address="192.0.2.1")
    if by_hand:
        [pending] = register.pending()
        assert access.visitor() is not None
        await register.approve(pending.code, actor="ada")
    assert [node.node_id for node in register.nodes()] == ["node1"]
    assert (access.visitor() is None) is by_hand


# --- in ------------------------------------------------------------------------------------------------


async def test_a_person_compares_the_code_and_lets_the_node_in(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    spool.append([tracklet()])
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path, join=False):
        await until(lambda: len(link.register.pending()) == 1)
        [pending] = link.register.pending()
        shown = tmp_path / "code.txt"
        await until(shown.exists)
        assert shown.read_text(encoding="ascii").strip() == pending.code
        assert (pending.name, pending.connected, pending.known_as) == ("Entrance", True, "")
        assert spool.state.items == 1
        node = await link.register.approve(pending.code.lower().replace("-", " "), actor="ada")
        assert (node.node_id, node.approved_by) == (spool.node_id, "ada")
        await until(lambda: not spool.state.items)
        assert link.register.pending() == ()
        assert not shown.exists()
        [node] = link.register.nodes()
        assert node.connected


async def test_once_in_it_needs_nobody_after_restarts_of_either_side(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path):
        await hub.hears("connected Entrance")
    hub.said.clear()
    async with serving(hub, port=link.port), uplinking(spool, link.url, tmp_path, join=False):
        await hub.hears("connected Entrance")


async def test_a_node_that_shares_the_secret_is_not_told_of_as_waiting(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    """It asks once before it can prove that it knows the secret."""
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path):
        await hub.hears("connected Entrance")
        assert link.register.pending() == ()


async def test_an_approval_is_kept_for_a_node_that_has_hung_up(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link:
        async with uplinking(spool, link.url, tmp_path, join=False):
            await until(lambda: len(link.register.pending()) == 1)
        await until(lambda: not link.register.pending()[0].connected)
        await link.register.approve(link.register.pending()[0].code, actor="ada")
        async with uplinking(spool, link.url, tmp_path, join=False):
            await hub.hears("connected Entrance")


async def test_the_key_never_leaves_the_node(hub: Hub, tmp_path: Path) -> None:
    asked = request(tmp_path)
    secret = (tmp_path / "node1" / "node.key").read_bytes()
    assert (tmp_path / "node1" / "node.key").stat().st_mode & 0o077 == 0
    assert b"PRIVATE" in secret
    assert b"PRIVATE" not in asked.request_der


async def test_a_wrong_secret_makes_a_node_wait_like_any_other(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link, talking(link, stranger(), subprotocol=ADOPTION_SUBPROTOCOL) as peer:
        await peer.send(encode_adoption(request(tmp_path, proof=b"x" * 32)))
        assert isinstance(decode_answer(await wait_bytes(peer)), AdoptionPending)
        assert len(link.register.pending()) == 1


async def test_the_secret_does_not_buy_another_nodes_place(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link:
        await member(link, hub, tmp_path, spool.node_id)
        async with uplinking(spool, link.url, tmp_path):
            await until(lambda: len(link.register.pending()) == 1)
            assert link.register.pending()[0].known_as == "Entrance"


# --- out -----------------------------------------------------------------------------------------------


async def test_a_rejected_device_is_told_and_forgotten(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link, talking(link, stranger(), subprotocol=ADOPTION_SUBPROTOCOL) as peer:
        await peer.send(encode_adoption(request(tmp_path)))
        await wait_bytes(peer)
        await link.register.reject(link.register.pending()[0].code, actor="ada")
        answer = decode_answer(await wait_bytes(peer))
        assert isinstance(answer, NotAdopted)
        assert answer.code == "rejected"
        assert link.register.pending() == ()
        with pytest.raises(NoSuchRequest):
            await link.register.approve("AAAA-AAAA", actor="ada")


async def test_a_revoked_node_is_cut_off_within_a_second_and_stays_out(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path) as uplink:
        await hub.hears("connected Entrance")
        loop = asyncio.get_running_loop()
        revoked_s = loop.time()
        await link.register.revoke(spool.node_id, actor="ada")
        assert link.server.nodes_connected == 0
        await until(lambda: not uplink.connected)
        assert loop.time() - revoked_s < 1.0
    hub.said.clear()
    async with serving(hub, port=link.port) as link, uplinking(spool, link.url, tmp_path) as uplink:
        await until(lambda: uplink.counters.refused > 0)
        assert link.server.counters["kept_out_revoked"] >= 1
        [node] = link.register.nodes()
        assert node.revoked
        assert not hub.said
        with pytest.raises(NoSuchNode):
            await link.register.revoke("nobody", actor="ada")


async def test_a_revoked_key_cannot_ask_again_until_a_person_says_so(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link:
        credentials = await member(link, hub, tmp_path)
        await link.register.revoke("node1", actor="ada")
        async with talking(link, stranger(), subprotocol=ADOPTION_SUBPROTOCOL) as peer:
            await peer.send(encode_adoption(request(tmp_path)))
            answer = decode_answer(await wait_bytes(peer))
            assert isinstance(answer, NotAdopted)
            assert answer.code == "revoked"
        await link.register.approve("node1", actor="ada")
        async with talking(link, credentials.member_context()) as peer:
            await peer.send(encode(hello()))
            await wait_bytes(peer)


async def test_a_half_open_peer_is_cut_as_fast(hub: Hub, tmp_path: Path) -> None:
    """A node that reads nothing any more must not delay its own revocation."""
    async with serving(hub) as link:
        context = (await member(link, hub, tmp_path)).member_context()
        async with talking(link, context) as node:
            await node.send(encode(hello()))
            await wait_bytes(node)
            node.transport.pause_reading()
            started_s = asyncio.get_running_loop().time()
            await link.register.revoke("node1", actor="ada")
            assert asyncio.get_running_loop().time() - started_s < 1.0
            assert link.server.nodes_connected == 0
            node.transport.abort()


async def test_another_device_takes_a_nodes_place_and_nothing_of_it_is_lost(
    hub: Hub, spool: Spool, tmp_path: Path
) -> None:
    async with serving(hub) as link:
        old = await member(link, hub, tmp_path, "old")
        hub.committed["old"] = [ItemKey(7, 90)]
        spool.append([tracklet(), tracklet()])
        async with uplinking(spool, link.url, tmp_path, join=False):
            await until(lambda: len(link.register.pending()) == 1)
            await link.register.replace("old", link.register.pending()[0].code, actor="ada")
            await until(lambda: not spool.state.items)
        assert hub.committed["old"] == [ItemKey(7, 90), ItemKey(8, 1), ItemKey(8, 2)]
        assert (spool.node_id, spool.boot_epoch) == ("old", 8)
        assert len(link.register.nodes()) == 1
        with pytest.raises(InvalidStatus):
            await talking(link, old.member_context())


# --- strangers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("subprotocols", [[], [wm.SUBPROTOCOL], ["ruid.v2"], [wm.SUBPROTOCOL, ADOPTION_SUBPROTOCOL]])
async def test_without_a_certificate_every_conversation_but_adoption_is_closed(
    hub: Hub, subprotocols: list[str]
) -> None:
    async with serving(hub) as link:
        offered = [Subprotocol(name) for name in subprotocols] or None
        with pytest.raises(WebSocketException):
            await introduce(connect(link.url, ssl=stranger(), subprotocols=offered))
        assert not hub.said
        assert not hub.committed


async def introduce(connecting: connect) -> None:
    async with connecting as peer:
        await peer.send(encode(hello()))
        await asyncio.wait_for(peer.recv(), 10)


async def test_the_port_of_nodes_serves_no_page(hub: Hub) -> None:
    paths = ("/", "/metrics", "/healthz", "/api/v1/site", "/static/ruid.css", "/..%2f..", "/x?y=z")
    async with serving(hub) as link:
        for method, path in itertools.product(("GET", "POST", "PUT", "DELETE", "OPTIONS"), paths):
            reader, writer = await asyncio.open_connection("127.0.0.1", link.port, ssl=stranger())
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n".encode())
            answer = await asyncio.wait_for(reader.read(), 10)
            assert not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 101"))
            writer.close()


@pytest.mark.parametrize(
    "message",
    [hello(), wm.Item(1, 1, tracklet()), wm.Goodbye("x"), wm.ClockProbe(1.0), wm.Still("cam0", 1.0, b"", "x")],
)
async def test_adoption_takes_no_other_message(hub: Hub, message: wm.NodeMessage) -> None:
    async with serving(hub) as link, talking(link, stranger(), subprotocol=ADOPTION_SUBPROTOCOL) as peer:
        await peer.send(encode(message))
        answer = decode_answer(await wait_bytes(peer))
        assert isinstance(answer, NotAdopted)
        await asyncio.wait_for(peer.wait_closed(), 10)
        assert not hub.said
        assert link.register.pending() == ()


async def test_what_waits_for_approval_can_do_nothing_meanwhile(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link, talking(link, stranger(), subprotocol=ADOPTION_SUBPROTOCOL) as peer:
        await peer.send(encode_adoption(request(tmp_path)))
        await wait_bytes(peer)
        await peer.send(encode(hello()))
        assert isinstance(decode_answer(await wait_bytes(peer)), NotAdopted)
        assert not hub.said


async def test_strangers_cannot_fill_the_hub(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link:
        refused: list[str] = []
        for number in range(WAITING_PER_ADDRESS + 10):
            try:
                async with talking(link, stranger(), subprotocol=ADOPTION_SUBPROTOCOL) as peer:
                    await peer.send(encode_adoption(request(tmp_path, f"node{number}")))
                    answer = decode_answer(await wait_bytes(peer))
                    if isinstance(answer, NotAdopted):
                        refused.append(answer.code)
            except (InvalidStatus, ConnectionClosed) as error:
                refused.append(type(error).__name__)
        assert len(link.register.pending()) == WAITING_PER_ADDRESS
        assert set(refused) == {"too_many_waiting"}
        assert link.server.counters["adoption_too_many_waiting"] == len(refused)
        with hub.store.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM admissions").scalar_one() == 0


async def test_an_address_that_asks_too_often_is_slowed_down(hub: Hub) -> None:
    async with serving(hub) as link:
        statuses: list[int] = []
        for _ in range(70):
            try:
                async with talking(link, stranger(), subprotocol=ADOPTION_SUBPROTOCOL) as peer:
                    await peer.send(b"noise")
            except InvalidStatus as error:
                statuses.append(error.response.status_code)
        assert 429 in statuses
        assert link.server.counters["adoption_asks_too_often"] == statuses.count(429)


async def test_a_stranger_that_asks_for_nothing_is_shown_out_and_counted(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "_REQUEST_WITHIN_S", 0.05)
    async with serving(hub) as link, talking(link, stranger(), subprotocol=ADOPTION_SUBPROTOCOL) as peer:
        await asyncio.wait_for(peer.wait_closed(), 10)
        assert link.server.counters["adoption_silent"] == 1


async def test_strangers_beyond_the_most_are_told_to_wait_and_counted(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "STRANGERS_PER_ADDRESS", 1)
    async with serving(hub) as link, talking(link, stranger(), subprotocol=ADOPTION_SUBPROTOCOL):
        with pytest.raises(InvalidStatus, match="503"):
            async with talking(link, stranger(), subprotocol=ADOPTION_SUBPROTOCOL):
                pass
        assert link.server.counters["adoption_too_many_at_once"] == 1


async def test_a_hub_that_is_not_the_pinned_one_gets_nothing(hub: Hub, spool: Spool, tmp_path: Path) -> None:
    async with serving(hub) as link, uplinking(spool, link.url, tmp_path):
        await hub.hears("connected Entrance")
    spool.append([tracklet()])
    impostor = Hub.open(tmp_path / "impostor")
    async with serving(impostor, port=link.port) as link, uplinking(spool, link.url, tmp_path) as uplink:
        await asyncio.sleep(1.0)
        assert not uplink.connected
        assert not impostor.said
        assert link.register.pending() == ()
        assert spool.state.items == 1
    impostor.store.close()


# --- the command line ----------------------------------------------------------------------------------


async def test_commands_from_this_machine_reach_the_running_hub(hub: Hub, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    async with serving(hub) as link, local_commands(link.register, deep):
        assert (deep / "commands.sock").stat().st_mode & 0o077 == 0
        async with talking(link, stranger(), subprotocol=ADOPTION_SUBPROTOCOL) as peer:
            await peer.send(encode_adoption(request(tmp_path)))
            await wait_bytes(peer)
            listed = (await asyncio.to_thread(command, deep, "list"))["answer"]
            [pending] = listed["pending"]
            approved = await asyncio.to_thread(lambda: command(deep, "approve", code=pending["code"]))
            assert approved["answer"]["name"] == "Entrance"
            assert isinstance(decode_answer(await wait_bytes(peer)), Adopted)
        wrong = await asyncio.to_thread(lambda: command(deep, "revoke", node_id="nobody"))
        assert wrong == {"refused": "there is no node 'nobody'"}
        assert await asyncio.to_thread(command, deep, "dance") == {"refused": "this is no command"}
    with pytest.raises(HubUnreachable):
        command(deep, "list")
