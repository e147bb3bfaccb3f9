"""Many nodes on one hub, over real TLS sockets: how much gets through, how fast it is acknowledged, what it costs.

The hub is a process of its own with the real ingest, adoption and commits of whole observations to SQLite, without
the identity engine (which is timed by itself). The nodes are simulated in this process: real uplink protocol, window
and TLS, durable items with embeddings. In the same run the same bytes go through a bare websockets echo over TLS, one
message at a time acknowledged by its echo within the same window, as the yardstick.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import ssl
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import structlog
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from ruid_core.wire import messages as wm
from ruid_core.wire.adoption import Adopted, AdoptionRequest, adoption_proof
from ruid_core.wire.codec import encode
from ruid_core.wire.uplink import Acked, ItemKey, UplinkSession, Welcomed
from ruid_core.wire.vectors import pack_embeddings, unpack_embeddings
from ruid_edge.enrolment import Credentials
from ruid_hub.authority import Authority
from ruid_hub.ingest import GroupCommit, IngestServer
from ruid_hub.nodes import NodeRegister
from ruid_hub.observations import Observation, TrackKey
from ruid_hub.recognition import ReceivedItem
from ruid_hub.store import ObservationRow, Store, open_store
from ruid_tools.bench.link_spool import spool_writes

DIM = 512
WINDOW = 64
_SECRET = b"nodes of the bench are let in at once"
_READY_WITHIN_S = 30.0
_COMMITS_TIMED = 5000
_WARM_UP_SHARE = 0.2
_MEMORY_EVERY_S = 0.5
_SPOOL_PASSAGES = 200
_PASSAGES_PER_DAY = 3000
_SPOOL_PICTURE_BYTES = 6000
_SPOOL_EMBEDDINGS = 5


@dataclass(frozen=True, slots=True)
class LinkBenchSettings:
    """How many nodes send how much for how long; `embeddings` of `DIM` half floats in each item."""

    nodes: int = 200
    items_per_s: float = 2000.0
    seconds: float = 20.0
    embeddings: int = 1
    thumbnail_bytes: int = 0
    folder: Path = Path()
    soak: bool = False
    """Only send at the asked pace: for how the hub's memory goes over a long time."""


# --- the hub's process ---------------------------------------------------------------------------------


class _Silent:
    """Hears of the nodes and does nothing."""

    def connected(self, hello: wm.Hello, at_s: float) -> None: ...
    def disconnected(self, node_id: str, at_s: float, reason: str, *, finished: bool) -> None: ...
    def live(self, node_id: str, live: wm.Live, at_s: float) -> None: ...
    def health(self, node_id: str, health: wm.Health, at_s: float) -> None: ...
    def clock_measured(self, node_id: str, *, offset_s: float, error_s: float) -> None: ...
    def configured(self, node_id: str, configured: wm.Configured) -> None: ...
    def still(self, node_id: str, still: wm.Still) -> None: ...
    def missed(self, items: int) -> None: ...
    def refused(self, code: str) -> None: ...


def run_bench_hub(folder: str, requests: Sequence[tuple[str, bytes, bytes]], pipe: Connection) -> None:
    """Serve until the pipe says stop: says its port and the nodes' certificates first, its account last."""
    quiet = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=quiet)
    asyncio.run(_serve_hub(Path(folder), requests, pipe))


async def _serve_hub(folder: Path, requests: Sequence[tuple[str, bytes, bytes]], pipe: Connection) -> None:
    store = open_store(folder / "hub.db")
    authority = Authority.open(folder / "authority", names=("localhost", "127.0.0.1"), now_s=time.time())
    committer = _Committer(store)
    register = NodeRegister(
        store=store, authority=authority, resume_point=committer.resume_point, clock=time.time, join_secret=_SECRET
    )
    certificates = [await _let_in(register, authority, *request) for request in requests]
    commits = GroupCommit(committer.commit)
    server = IngestServer(
        authority=authority,
        register=register,
        events=_Silent(),
        commits=commits,
        resume_point=committer.resume_point,
        items_per_s=100_000.0,
    )
    committing = asyncio.create_task(commits.run())
    async with (
        server.listening(bind="127.0.0.1", port=0) as port,
        serve(_echo, "127.0.0.1", 0, ssl=authority.server_context_for_pages(), compression=None) as echo,
    ):
        echo_port = next(iter(echo.sockets)).getsockname()[1]
        pipe.send((port, echo_port, certificates))
        await asyncio.to_thread(pipe.recv)
    committing.cancel()
    await asyncio.gather(committing, return_exceptions=True)
    pipe.send({"observations": store.counts().observations, **committer.account(), **server.counters})
    store.close()


class _Committer:
    """Commits as the hub does, on a worker thread, and keeps account of what that takes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._points: dict[str, ItemKey] = {}
        self._duplicates = self._items = 0
        self._cpu_s = 0.0
        self._commits_s: deque[float] = deque(maxlen=_COMMITS_TIMED)
        self._commits = 0

    def resume_point(self, node_id: str) -> ItemKey:
        return self._points.get(node_id, ItemKey(0, 0))

    async def commit(self, items: Sequence[ReceivedItem]) -> None:
        started_s = time.monotonic()
        fresh = [item for item in items if item.key > self.resume_point(item.node_id)]
        self._duplicates += len(items) - len(fresh)
        await asyncio.to_thread(self._write, fresh)
        self._points.update((item.node_id, item.key) for item in fresh)
        self._commits += 1
        self._commits_s.append(time.monotonic() - started_s)

    def _write(self, items: Sequence[ReceivedItem]) -> None:
        started_s = time.thread_time()
        self._store.commit([ObservationRow(_observation(item), None) for item in items])
        self._cpu_s += time.thread_time() - started_s
        self._items += len(items)

    def account(self) -> dict[str, Any]:
        """What was committed and what one commit took, from the loop's side and of the worker's processor."""
        took_ms = np.array(self._commits_s or [0.0]) * 1000
        return {
            "duplicates": self._duplicates,
            "commits": self._commits,
            "items_per_commit": round(self._items / max(1, self._commits), 1),
            "commit_ms": {f"p{share}": round(float(np.percentile(took_ms, share)), 1) for share in (50, 99)},
            "commit_cpu_us_per_item": round(1e6 * self._cpu_s / max(1, self._items), 1),
        }


def _observation(item: ReceivedItem) -> Observation:
    """What the hub stores of an item, its embeddings unpacked and checked."""
    tracklet = item.content
    if not isinstance(tracklet, wm.Tracklet):
        raise TypeError("the bench sends tracklets alone")
    return Observation(
        node_id=item.node_id,
        boot_epoch=item.key.boot_epoch,
        seq=item.key.seq,
        track=TrackKey(f"{item.node_id}/{tracklet.camera_id}", item.key.boot_epoch, tracklet.track_id),
        part=tracklet.part,
        final=tracklet.final,
        started_at_s=tracklet.started_at_s,
        ended_at_s=tracklet.ended_at_s,
        grabbed_at_s=tracklet.grabbed_at_s,
        received_at_s=item.received_at_s,
        box_rel=tracklet.box_rel,
        frames=tracklet.frames,
        embedding_model_id=tracklet.embedding_model_id,
        embeddings=unpack_embeddings(tracklet.embeddings, dim=item.embedding_dim),
        qualities=np.array(tracklet.qualities, np.float32),
        thumbnail_jpeg=tracklet.thumbnail_jpeg,
    )


async def _let_in(
    register: NodeRegister, authority: Authority, node_id: str, key_der: bytes, request_der: bytes
) -> Adopted:
    proof = adoption_proof(_SECRET, key_der=key_der, authority_der=authority.certificate_der)
    request = AdoptionRequest(wm.PROTOCOL_MAJOR, wm.PROTOCOL_MINOR, node_id, node_id, "bench", request_der, proof)
    adopted = await register.ask(request, address="127.0.0.1")
    if not isinstance(adopted, Adopted):
        raise RuntimeError("the bench's own node was not let in")  # noqa: TRY004 - not a caller's type error
    return adopted


async def _echo(websocket: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in websocket:
            await websocket.send(message)


# --- the nodes -----------------------------------------------------------------------------------------


class BenchNode:
    """One node: sends its share at its pace, keeps what is not acknowledged, times the way to the acknowledgement."""

    def __init__(self, node_id: str, context: ssl.SSLContext, template: wm.Tracklet) -> None:
        self.node_id = node_id
        self.latencies_s: list[float] = []
        self.acked = 0
        self.seq = 0
        self.welcomed_at_s = 0.0
        self._context = context
        self._template = template
        self._waiting: deque[tuple[ItemKey, wm.Item, float]] = deque()

    async def run(self, port: int, *, items_per_s: float, until_s: float) -> None:
        """Send until the time has come (monotonic), then wait for the last acknowledgements."""
        async with connect(
            f"wss://127.0.0.1:{port}",
            ssl=self._context,
            subprotocols=[Subprotocol(wm.SUBPROTOCOL)],
            compression=None,
            open_timeout=30,
            ping_interval=None,
        ) as websocket:
            session = UplinkSession(self._hello(), window=WINDOW)
            await websocket.send(session.take_outgoing()[0])
            event = session.receive(_bytes(await websocket.recv()), now_s=time.time())
            if not isinstance(event, Welcomed):
                raise RuntimeError(f"the hub does not welcome the bench: {event}")  # noqa: TRY004
            self.welcomed_at_s = time.monotonic()
            reading = asyncio.create_task(self._read(websocket, session))
            try:
                await self._send(websocket, session, items_per_s=items_per_s, until_s=until_s)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _send(self, websocket: Any, session: UplinkSession, *, items_per_s: float, until_s: float) -> None:
        every_s = 1.0 / items_per_s if items_per_s else 0.0
        due_s = time.monotonic() + every_s * float(np.random.default_rng(self.seq + hash(self.node_id) % 997).random())
        while (now_s := time.monotonic()) < until_s:
            if now_s < due_s:
                await asyncio.sleep(min(due_s, until_s) - now_s)
                continue
            due_s += every_s
            if session.room > 0:
                await self._send_one(websocket, session)
            else:
                await asyncio.sleep(0.002)
        deadline_s = time.monotonic() + 20
        while self._waiting and time.monotonic() < deadline_s:  # noqa: ASYNC110 - polls to a deadline
            await asyncio.sleep(0.01)

    async def _send_one(self, websocket: Any, session: UplinkSession) -> None:
        self.seq += 1
        now_s = time.time()
        content = msgspec.structs.replace(
            self._template, track_id=self.seq, started_at_s=now_s - 2, ended_at_s=now_s, grabbed_at_s=now_s
        )
        item = wm.Item(1, self.seq, content)
        session.send_item(item)
        self._waiting.append((ItemKey(1, self.seq), item, time.monotonic()))
        for frame in session.take_outgoing():
            await websocket.send(frame)

    async def _read(self, websocket: Any, session: UplinkSession) -> None:
        async for frame in websocket:
            event = session.receive(_bytes(frame), now_s=time.time())
            if isinstance(event, Acked):
                now_s = time.monotonic()
                while self._waiting and self._waiting[0][0] <= event.through:
                    self.latencies_s.append(now_s - self._waiting.popleft()[2])
                    self.acked += 1

    def _hello(self) -> wm.Hello:
        return wm.Hello(
            protocol_major=wm.PROTOCOL_MAJOR,
            protocol_minor=wm.PROTOCOL_MINOR,
            node_id=self.node_id,
            node_name=self.node_id,
            boot_epoch=1,
            software_version="bench",
            embedding_model_id="bench",
            embedding_dim=DIM,
            detector_model_id="bench",
            cameras=(wm.CameraInfo("cam0", "Bench", 640, 480),),
            sent_at_s=time.time(),
        )


# --- the run -------------------------------------------------------------------------------------------


def bench_link(settings: LinkBenchSettings) -> dict[str, Any]:
    """Run it all and return the figures as plain values."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_bench(settings))


async def _bench(settings: LinkBenchSettings) -> dict[str, Any]:
    template = _template(settings)
    async with _hub(settings) as hub:
        process = psutil.Process(hub.pid)
        nodes = [BenchNode(node_id, context, template) for node_id, context in hub.contexts.items()]
        figures: dict[str, Any] = {"paced": await _paced(settings, nodes, hub.port, process)}
        if not settings.soak:
            figures |= await _at_most(settings, nodes, hub, template)
        account = await hub.stop()
    sent = sum(node.seq for node in nodes)
    return {
        "nodes": settings.nodes,
        "item_bytes": len(encode(wm.Item(1, 1, template))),
        **figures,
        "items_sent": sent,
        "items_lost": sent - account["observations"],
        "items_duplicated": account["duplicates"],
        "hub": account,
    }


async def _at_most(
    settings: LinkBenchSettings, nodes: Sequence[BenchNode], hub: "_Hub", template: wm.Tracklet
) -> dict[str, Any]:
    """All at once, as fast as it goes, the bare echo beside it, and what a node's spool writes."""
    seconds = min(8.0, settings.seconds)
    storm = await _storm(nodes, hub.port)
    flood = await _flood(nodes, hub.port, seconds=seconds)
    echo = await _echo_rate(hub, template, nodes=len(nodes), seconds=seconds)
    return {
        "storm": storm,
        "flood_items_per_s": flood,
        "echo_messages_per_s": echo,
        "share_of_echo": round(flood / echo, 3) if echo else None,
        "spool": await asyncio.to_thread(_spool_writes, settings.folder / "spool"),
    }


def _spool_writes(folder: Path) -> dict[str, float]:
    heavy = LinkBenchSettings(embeddings=_SPOOL_EMBEDDINGS, thumbnail_bytes=_SPOOL_PICTURE_BYTES)
    return spool_writes(folder, _template(heavy), passages=_SPOOL_PASSAGES, passages_per_day=_PASSAGES_PER_DAY)


async def _paced(
    settings: LinkBenchSettings, nodes: Sequence[BenchNode], port: int, process: psutil.Process
) -> dict[str, Any]:
    """Every node at its share of the rate: what is acknowledged how fast, and what the hub needs for it."""
    memory_mb: list[float] = []
    started_s = time.monotonic()
    cpu_before = process.cpu_times()
    until_s = started_s + settings.seconds
    each = settings.items_per_s / len(nodes)
    running = asyncio.gather(*(node.run(port, items_per_s=each, until_s=until_s) for node in nodes))
    while not running.done():
        memory_mb.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(_MEMORY_EVERY_S)
    await running
    took_s = time.monotonic() - started_s
    cpu = process.cpu_times()
    cpu_s = cpu.user + cpu.system - cpu_before.user - cpu_before.system
    latencies_ms = np.array([latency for node in nodes for latency in node.latencies_s] or [np.inf]) * 1000
    acked = sum(node.acked for node in nodes)
    return {
        "asked_items_per_s": settings.items_per_s,
        "items_per_s": round(acked / took_s, 1),
        "send_to_ack_ms": {f"p{share}": round(float(np.percentile(latencies_ms, share)), 1) for share in (50, 95, 99)},
        "hub_cpu_percent": round(100 * cpu_s / took_s, 1),
        "hub_cpu_us_per_item": round(1e6 * cpu_s / max(1, acked), 1),
        "hub_memory_mb": memory_trend(memory_mb, seconds=took_s),
        "seconds": round(took_s, 1),
    }


def memory_trend(samples_mb: Sequence[float], *, seconds: float) -> dict[str, float]:
    """How memory goes once everything is warm: at the start, in the middle, in the end, and its slope.

    `samples_mb` are evenly spread over `seconds`; the first fifth counts as warming up.
    """
    warm = np.array(samples_mb[int(_WARM_UP_SHARE * len(samples_mb)) :])
    hours = (1 - _WARM_UP_SHARE) * seconds / 3600 * np.linspace(0, 1, len(warm))
    slope = float(np.polyfit(hours, warm, 1)[0]) if len(warm) > 1 else 0.0
    tenth = max(1, len(warm) // 10)
    middle = (len(warm) - tenth) // 2
    return {
        "warm": round(float(warm[:tenth].mean()), 1),
        "middle": round(float(warm[middle : middle + tenth].mean()), 1),
        "end": round(float(warm[-tenth:].mean()), 1),
        "highest": round(max(samples_mb), 1),
        "slope_mb_per_hour": round(slope, 1),
    }


async def _storm(nodes: Sequence[BenchNode], port: int) -> dict[str, float]:
    """All nodes come at once: when the last of them is welcome."""
    started_s = time.monotonic()
    await asyncio.gather(*(node.run(port, items_per_s=1.0, until_s=0.0) for node in nodes))
    times_s = [node.welcomed_at_s - started_s for node in nodes]
    return {"p50_s": round(float(np.percentile(times_s, 50)), 2), "last_s": round(max(times_s), 2)}


async def _flood(nodes: Sequence[BenchNode], port: int, *, seconds: float) -> float:
    """Every node as fast as its window allows: the most that the hub takes in."""
    before = sum(node.acked for node in nodes)
    started_s = time.monotonic()
    until_s = started_s + seconds
    await asyncio.gather(*(node.run(port, items_per_s=0.0, until_s=until_s) for node in nodes))
    return round((sum(node.acked for node in nodes) - before) / (time.monotonic() - started_s), 1)


async def _echo_rate(hub: "_Hub", template: wm.Tracklet, *, nodes: int, seconds: float) -> float:
    """The same bytes through a bare echo over TLS, as many connections, as many on their way at once."""
    packed = encode(wm.Item(1, 1, template))
    until_s = time.monotonic() + seconds
    context = next(iter(hub.contexts.values()))
    started_s = time.monotonic()
    echoed = await asyncio.gather(*(_echo_client(hub.echo_port, context, packed, until_s) for _ in range(nodes)))
    return round(sum(echoed) / (time.monotonic() - started_s), 1)


async def _echo_client(port: int, context: ssl.SSLContext, packed: bytes, until_s: float) -> int:
    echoed = 0
    async with connect(
        f"wss://127.0.0.1:{port}", ssl=context, compression=None, open_timeout=30, ping_interval=None
    ) as websocket:
        while time.monotonic() < until_s:
            for _ in range(WINDOW):
                await websocket.send(packed)
            for _ in range(WINDOW):
                await websocket.recv()
                echoed += 1
    return echoed


@dataclass(slots=True)
class _Hub:
    """The hub's process as the nodes see it."""

    pid: int
    port: int
    echo_port: int
    contexts: dict[str, ssl.SSLContext]
    pipe: Connection

    async def stop(self) -> dict[str, Any]:
        """Stop it and return its account."""
        self.pipe.send("stop")
        return await asyncio.to_thread(self.pipe.recv)


@asynccontextmanager
async def _hub(settings: LinkBenchSettings) -> AsyncGenerator[_Hub]:
    """A hub in a process of its own, with all the nodes let in."""
    credentials = {f"bench{number}": _credentials(settings.folder, number) for number in range(settings.nodes)}
    requests = [(node_id, each.key_der, each.request(node_id)) for node_id, each in credentials.items()]
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=run_bench_hub, args=(str(settings.folder), requests, theirs), daemon=True
    )
    process.start()
    try:
        if not await asyncio.to_thread(ours.poll, _READY_WITHIN_S + settings.nodes / 20):
            raise RuntimeError("the bench's hub did not start")
        port, echo_port, certificates = ours.recv()
        contexts: dict[str, ssl.SSLContext] = {}
        for (node_id, each), adopted in zip(credentials.items(), certificates, strict=True):
            each.adopt(adopted)
            contexts[node_id] = each.member_context()
        yield _Hub(process.pid or 0, port, echo_port, contexts, ours)
    finally:
        process.join(10)
        process.kill()


def _credentials(folder: Path, number: int) -> Credentials:
    return Credentials.open(folder / "nodes" / str(number))


def _template(settings: LinkBenchSettings) -> wm.Tracklet:
    rows = np.random.default_rng(1).normal(size=(settings.embeddings, DIM)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return wm.Tracklet(
        camera_id="cam0",
        track_id=0,
        part=0,
        final=True,
        started_at_s=0.0,
        ended_at_s=0.0,
        grabbed_at_s=0.0,
        box_rel=(0.1, 0.2, 0.3, 0.6),
        frames=20,
        embedding_model_id="bench",
        embeddings=pack_embeddings(rows),
        qualities=(0.9,) * settings.embeddings,
        thumbnail_jpeg=b"\xff\xd8" * (settings.thumbnail_bytes // 2),
    )


def _bytes(frame: bytes | str) -> bytes:
    return frame if isinstance(frame, bytes) else frame.encode()
