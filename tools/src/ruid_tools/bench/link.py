"""Many nodes on one hub, over real TLS sockets: how much gets through, how fast it is acknowledged, what it costs.

The hub is a process of its own (`link_hub`) with everything but its pages; whether it gives identities is a setting.
The nodes are simulated in this process: real uplink protocol, window and TLS, durable items with embeddings. In the
same run the same bytes go through a bare websockets echo over TLS, one message at a time acknowledged by its echo
within the same window, as the yardstick.
"""

import asyncio
import multiprocessing
import os
import ssl
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import repeat
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from ruid_core.wire import messages as wm
from ruid_core.wire.codec import encode
from ruid_core.wire.uplink import Acked, ItemKey, UplinkSession, Welcomed
from ruid_core.wire.vectors import pack_embeddings
from ruid_edge.enrolment import Credentials
from ruid_tools.bench.identity import F32, SPREAD
from ruid_tools.bench.link_hub import STOP, percentiles_ms, run_bench_hub
from ruid_tools.bench.link_spool import spool_writes

DIM = 512
WINDOW = 64
_READY_WITHIN_S = 120.0
_LAST_ACKS_WITHIN_S = 120.0
_WARM_UP_SHARE = 0.2
_MEMORY_EVERY_S = 0.5
_SPOOL_PASSAGES = 200
_PASSAGES_PER_DAY = 3000
_SPOOL_PICTURE_BYTES = 6000
_SPOOL_EMBEDDINGS = 5


@dataclass(frozen=True, slots=True)
class LinkBenchSettings:
    """How many nodes send how much for how long; `embeddings` of `DIM` half floats in each item.

    With `people` the items show so many and the hub gives them identities; with none all show the same look.
    """

    nodes: int = 200
    items_per_s: float = 2000.0
    seconds: float = 20.0
    embeddings: int = 1
    people: int = 0
    thumbnail_bytes: int = 0
    folder: Path = Path()
    soak: bool = False
    """Only send at the asked pace: for how the hub's memory goes over a long time."""


# --- the nodes -----------------------------------------------------------------------------------------


class BenchNode:
    """One node: sends its share at its pace, keeps what is not acknowledged, times the way to the acknowledgement.

    `ways_s` is when each acknowledged item was sent and when acknowledged (monotonic).
    """

    def __init__(self, node_id: str, context: ssl.SSLContext, *, template: wm.Tracklet, looks: Iterator[bytes]) -> None:
        self.node_id = node_id
        self.ways_s: list[tuple[float, float]] = []
        self.seq = 0
        self.welcomed_at_s = 0.0
        self._context = context
        self._template = template
        self._looks = looks
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
        deadline_s = time.monotonic() + _LAST_ACKS_WITHIN_S
        while self._waiting and time.monotonic() < deadline_s:  # noqa: ASYNC110 - polls to a deadline
            await asyncio.sleep(0.01)

    async def _send_one(self, websocket: Any, session: UplinkSession) -> None:
        self.seq += 1
        now_s = time.time()
        content = msgspec.structs.replace(
            self._template,
            track_id=self.seq,
            started_at_s=now_s - 2,
            ended_at_s=now_s,
            grabbed_at_s=now_s,
            embeddings=next(self._looks),
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
                    self.ways_s.append((self._waiting.popleft()[2], now_s))

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
        nodes = [
            BenchNode(node_id, context, template=template, looks=_looks(settings, number))
            for number, (node_id, context) in enumerate(hub.contexts.items())
        ]
        figures: dict[str, Any] = {"paced": await _paced(settings, nodes, hub.port, process)}
        if settings.people:
            figures["paced"] |= _identified(nodes, await hub.ask("identities"))
        if not settings.soak:
            figures |= await _at_most(settings, nodes, hub, template)
        account = await hub.ask(STOP)
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
    acked = sum(len(node.ways_s) for node in nodes)
    return {
        "asked_items_per_s": settings.items_per_s,
        "items_per_s": round(acked / took_s, 1),
        "send_to_ack_ms": percentiles_ms([acked_s - sent_s for node in nodes for sent_s, acked_s in node.ways_s]),
        "hub_cpu_percent": round(100 * cpu_s / took_s, 1),
        "hub_cpu_us_per_item": round(1e6 * cpu_s / max(1, acked), 1),
        "hub_memory_mb": memory_trend(memory_mb, seconds=took_s),
        "seconds": round(took_s, 1),
    }


def _identified(nodes: Sequence[BenchNode], told: dict[str, Any]) -> dict[str, Any]:
    """How the hub did with identities, and what its consolidations did to the acknowledgements."""
    thought_s = told.pop("thought_s")
    return {
        **told,
        "consolidations": len(thought_s),
        "send_to_ack_while_thinking_ms": percentiles_ms(
            while_thinking_s([way_s for node in nodes for way_s in node.ways_s], thought_s)
        ),
    }


def while_thinking_s(
    ways_s: Sequence[tuple[float, float]], thought_s: Sequence[tuple[float, float]]
) -> Iterator[float]:
    """How long each of the ways took (from, to) that a consolidation (from, to) crossed."""
    for sent_s, acked_s in ways_s:
        if any(sent_s <= to_s and from_s <= acked_s for from_s, to_s in thought_s):
            yield acked_s - sent_s


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
    before = sum(len(node.ways_s) for node in nodes)
    started_s = time.monotonic()
    until_s = started_s + seconds
    await asyncio.gather(*(node.run(port, items_per_s=0.0, until_s=until_s) for node in nodes))
    return round((sum(len(node.ways_s) for node in nodes) - before) / (time.monotonic() - started_s), 1)


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

    async def ask(self, word: str) -> dict[str, Any]:
        """Say a word and return the answer; the hub's account where it was told to stop."""
        self.pipe.send(word)
        return await asyncio.to_thread(self.pipe.recv)


@asynccontextmanager
async def _hub(settings: LinkBenchSettings) -> AsyncGenerator[_Hub]:
    """A hub in a process of its own, with all the nodes let in."""
    credentials = {f"bench{number}": _credentials(settings.folder, number) for number in range(settings.nodes)}
    requests = [(node_id, each.key_der, each.request(node_id)) for node_id, each in credentials.items()]
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=run_bench_hub,
        args=(str(settings.folder), requests, theirs),
        kwargs={"identities": settings.people > 0},
        daemon=True,
    )
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `python -m ruid_hub` does; for the new process alone
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


def _looks(settings: LinkBenchSettings, number: int) -> Iterator[bytes]:
    """The packed embeddings of one node's items after another, without end.

    Everybody passes a node once before anybody passes it again.
    """
    if not settings.people:
        return repeat(_template(settings).embeddings)
    faces = _unit_rows(np.random.default_rng(1), settings.people)
    return _passing(faces, settings.embeddings, np.random.default_rng((2, number)))


def _passing(faces: F32, embeddings: int, generator: np.random.Generator) -> Iterator[bytes]:
    while True:
        for person in generator.permutation(len(faces)).tolist():
            rows = faces[person] + np.float32(SPREAD) * _unit_rows(generator, embeddings)
            yield pack_embeddings(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _unit_rows(generator: np.random.Generator, rows: int) -> F32:
    """(rows, DIM) directions at random."""
    drawn = generator.standard_normal((rows, DIM), dtype=np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def _template(settings: LinkBenchSettings) -> wm.Tracklet:
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
        embeddings=pack_embeddings(_unit_rows(np.random.default_rng(1), settings.embeddings)),
        qualities=(0.9,) * settings.embeddings,
        thumbnail_jpeg=b"\xff\xd8" * (settings.thumbnail_bytes // 2),
    )


def _bytes(frame: bytes | str) -> bytes:
    return frame if isinstance(frame, bytes) else frame.encode()
