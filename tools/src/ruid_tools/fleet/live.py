"""The nodes of a synthetic world on a hub that runs: real adoption, TLS and protocol, no cameras."""

import asyncio
import contextlib
import signal
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ruid_core.wire.messages import Live, LiveTrack
from ruid_core.wire.uplink import ItemKey
from ruid_edge.spool import Spool
from ruid_edge.uplink import Uplink
from ruid_tools.fleet.node import NodePlan, make_uplink
from ruid_tools.fleet.traffic import CAMERA_ID, Passage, live_track, passages_of
from ruid_tools.fleet.world import World

_SPOOL_BYTES = 16_000_000
_MOST_WAITS = 10_000
_LAST_ACKS_WITHIN_S = 30.0
_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """Where the hub is and for how long the fleet sends; `speed` is how much faster its people walk than real ones.

    `folder` keeps each node's key and spool: with the same one, the same nodes come back.
    """

    hub_url: str
    folder: Path
    join_file: str = ""
    seconds: float = 60.0
    speed: float = 1.0
    tell_every_s: float = 5.0


@dataclass(frozen=True, slots=True)
class FleetState:
    """How far the fleet is; `waits_s` are times from spool to acknowledgement."""

    nodes: int
    connected: int
    spooled: int
    acked: int
    waiting: int
    waits_s: tuple[float, ...]


class _AckTimer(Spool):
    """A spool that times each item's way to its acknowledgement."""

    def __init__(self, connection: sqlite3.Connection, *, max_bytes: int) -> None:
        super().__init__(connection, max_bytes=max_bytes)
        self.acked = 0
        self.waits_s: deque[float] = deque(maxlen=_MOST_WAITS)
        self._since_s: deque[tuple[ItemKey, float]] = deque(maxlen=_MOST_WAITS)

    def time_from_now(self, key: ItemKey) -> None:
        """Begin to time an item that was appended."""
        self._since_s.append((key, time.monotonic()))

    def discard_through(self, key: ItemKey) -> int:
        """Forget what the hub has, and note how long that took."""
        gone = super().discard_through(key)
        self.acked += gone
        while self._since_s and self._since_s[0][0] <= key:
            self.waits_s.append(time.monotonic() - self._since_s.popleft()[1])
        return gone


class FleetNode:
    """One node with one camera, past which the world's people walk again and again."""

    def __init__(self, plan: NodePlan, passages: Sequence[Passage]) -> None:
        plan.folder.mkdir(parents=True, exist_ok=True)
        # Nothing here needs to outlive a power cut, and hundreds of nodes share one disk.
        connection = sqlite3.connect(plan.folder / "spool.db")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        self.spool = _AckTimer(connection, max_bytes=_SPOOL_BYTES)
        self.uplink: Uplink = make_uplink(plan, self.spool)
        self._passages = passages
        self._tracks = 0
        self._in_view: dict[int, LiveTrack] = {}

    async def walk(self, *, speed: float) -> None:
        """Let people walk past until cancelled."""
        while True:
            began_s = time.monotonic()
            for due_s, passage, look, track_id in self._looks():
                await asyncio.sleep(began_s + due_s / speed - time.monotonic())
                self._see(passage, look, track_id, speed=speed)
            await asyncio.sleep(_PAUSE_S / speed)

    def _looks(self) -> Iterator[tuple[float, Passage, int, int]]:
        """Every look at everybody in order of time from the first one on, and whose track it is."""
        first_s = min((passage.at_s[0] for passage in self._passages), default=0.0)
        looks = [
            (at_s - first_s, number, look)
            for number, passage in enumerate(self._passages)
            for look, at_s in enumerate(passage.at_s)
        ]
        before = self._tracks
        self._tracks += len(self._passages)
        for due_s, number, look in sorted(looks):
            yield due_s, self._passages[number], look, before + number + 1

    def _see(self, passage: Passage, look: int, track_id: int, *, speed: float) -> None:
        now_s, last = time.time(), len(passage.at_s) - 1
        took_s = (passage.at_s[look] - passage.at_s[0]) / speed
        if look < last:
            self._in_view[track_id] = live_track(track_id, progress=look / last, started_at_s=now_s - took_s)
        else:
            self._in_view.pop(track_id, None)
            tracklet = passage.tracklet(track_id=track_id, ended_at_s=now_s, took_s=took_s)
            self.spool.time_from_now(self.spool.append([tracklet])[0])
        self.uplink.show(Live(CAMERA_ID, now_s, now_s, tuple(self._in_view.values())))


def run_fleet(world: World, settings: FleetSettings, tell: Callable[[FleetState], None]) -> dict[str, Any]:
    """Bring a node for each camera of the world to the hub, let them send, and return the figures."""
    return asyncio.run(_run(world, settings, tell))


async def _run(world: World, settings: FleetSettings, tell: Callable[[FleetState], None]) -> dict[str, Any]:
    nodes = [
        FleetNode(_plan(settings, number, world.settings.dim), passages)
        for number, passages in enumerate(passages_of(world), start=1)
    ]
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    uplinks = [asyncio.create_task(node.uplink.run()) for node in nodes]
    telling = asyncio.create_task(_tell_regularly(nodes, tell, every_s=settings.tell_every_s))
    try:
        took_s = await _play(nodes, settings, over)
    finally:
        telling.cancel()
        for node in nodes:
            node.uplink.close(reason="the simulation is over", finished=True)
        await asyncio.gather(telling, *uplinks, return_exceptions=True)
    figures = _figures(_state(nodes), took_s)
    for node in nodes:
        node.spool.close()
    return figures


async def _play(nodes: Sequence[FleetNode], settings: FleetSettings, over: asyncio.Event) -> float:
    """Wait until all are in, send for the time asked, wait for what is on its way; return how long was sent."""
    while not over.is_set() and not all(node.uplink.counters.connections for node in nodes):  # noqa: ASYNC110 - polls
        await asyncio.sleep(0.05)
    started_s = time.monotonic()
    walking = [asyncio.create_task(node.walk(speed=settings.speed)) for node in nodes]
    ending = asyncio.create_task(over.wait())
    await asyncio.wait((*walking, ending), timeout=settings.seconds, return_when=asyncio.FIRST_COMPLETED)
    took_s = time.monotonic() - started_s
    failed = [task for task in walking if task.done()]
    ending.cancel()
    for task in walking:
        task.cancel()
    await asyncio.gather(*walking, return_exceptions=True)
    for task in failed:
        task.result()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_ACKS_WITHIN_S):
            while any(node.spool.state.items for node in nodes):  # noqa: ASYNC110 - polls to a deadline
                await asyncio.sleep(0.02)
    return took_s


async def _tell_regularly(nodes: Sequence[FleetNode], tell: Callable[[FleetState], None], *, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        tell(_state(nodes))


def _plan(settings: FleetSettings, number: int, dim: int) -> NodePlan:
    name = f"simulated-{number}"
    return NodePlan(name, settings.folder / name, settings.hub_url, settings.join_file, dim)


def _state(nodes: Sequence[FleetNode]) -> FleetState:
    return FleetState(
        nodes=len(nodes),
        connected=sum(node.uplink.connected for node in nodes),
        spooled=sum(node.spool.state.appended for node in nodes),
        acked=sum(node.spool.acked for node in nodes),
        waiting=sum(node.spool.state.items for node in nodes),
        waits_s=tuple(wait_s for node in nodes for wait_s in node.spool.waits_s),
    )


def _figures(state: FleetState, took_s: float) -> dict[str, Any]:
    waits_ms = 1000 * np.array(state.waits_s)
    return {
        "nodes": state.nodes,
        "seconds": round(took_s, 1),
        "items_spooled": state.spooled,
        "items_acked": state.acked,
        "items_waiting": state.waiting,
        "items_per_s": round(state.acked / took_s, 1) if took_s else 0.0,
        "spool_to_ack_ms": {f"p{share}": round(float(np.percentile(waits_ms, share)), 1) for share in (50, 95, 99)}
        if len(waits_ms)
        else {},
    }
