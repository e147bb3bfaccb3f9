"""A bad network between a node and its hub: TCP that is held up, cut, truncated, silent or one-sided, as drawn.

It sees bytes alone: TLS goes from end to end. Each connection has its own fate; after the drawn ones all is well.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

_CHUNK_BYTES = 4096
_LATEST_BYTES = 60_000
_LONGEST_DELAY_S = 0.2
_LONGEST_STALL_S = 3.0


class Fault(Enum):
    """What becomes of a connection."""

    NONE = "all is well"
    REFUSED = "closed before a byte has passed"
    DELAYED = "every piece is held up, then cut"
    CUT = "cut between two pieces"
    TRUNCATED = "cut within a piece"
    STALLED = "silent in both directions, then cut"
    DEAF = "the hub hears the node, the node does not hear the hub; then cut"


@dataclass(frozen=True, slots=True)
class Fate:
    """A fault that begins once so many bytes have passed, and what it lasts or holds up at most."""

    fault: Fault
    after_bytes: int = 0
    seconds: float = 0.0


class _Over(Exception):
    """The connection's fate has come."""


@dataclass
class FaultProxy:
    """Forwards to a port of this machine; `met` counts the fates that connections have met."""

    hub_port: int
    fates: list[Fate]
    met: Counter[Fault] = field(default_factory=Counter[Fault])

    async def connect(self, node_reader: asyncio.StreamReader, node_writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a node."""
        fate = self.fates.pop(0) if self.fates else Fate(Fault.NONE)
        writers = [node_writer]
        try:
            if fate.fault is not Fault.REFUSED:
                hub_reader, hub_writer = await asyncio.open_connection("127.0.0.1", self.hub_port)
                writers.append(hub_writer)
                passage = _Passage(fate)
                async with asyncio.TaskGroup() as group:
                    group.create_task(passage.forward(node_reader, hub_writer))
                    group.create_task(passage.forward(hub_reader, node_writer, to_node=True))
        except* (_Over, OSError):
            pass
        finally:
            self.met[fate.fault] += 1
            for writer in writers:
                writer.transport.abort()


class _Passage:
    """What has passed through one connection, and what its fate does to the rest."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        self._passed = 0

    async def forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_node: bool = False
    ) -> None:
        while piece := await reader.read(_CHUNK_BYTES):
            self._passed += len(piece)
            if self._passed > self._fate.after_bytes:
                piece = await self._strike(piece, writer, to_node=to_node)
            writer.write(piece)
            await writer.drain()
        raise _Over

    async def _strike(self, piece: bytes, writer: asyncio.StreamWriter, *, to_node: bool) -> bytes:
        """What is left of a piece once the fault has begun; raises `_Over` where the connection is."""
        match self._fate.fault:
            case Fault.CUT:
                raise _Over
            case Fault.TRUNCATED:
                writer.write(piece[: len(piece) // 2])
                await writer.drain()
                raise _Over
            case Fault.STALLED:
                await asyncio.sleep(self._fate.seconds)
                raise _Over
            case Fault.DEAF if to_node:
                await asyncio.sleep(self._fate.seconds)
                raise _Over
            case Fault.DELAYED:
                await asyncio.sleep(self._fate.seconds)
                if self._passed > 2 * self._fate.after_bytes:
                    raise _Over
            case _:
                pass
        return piece


def drawn_fates(seed: int, *, each: int) -> list[Fate]:
    """Every fault `each` times, in an order and at moments that the seed draws."""
    draw = np.random.default_rng(seed)
    faults = [fault for fault in Fault if fault is not Fault.NONE] * each
    drawn = [faults[int(index)] for index in draw.permutation(len(faults))]
    return [_fate(fault, draw) for fault in drawn]


def _fate(fault: Fault, draw: np.random.Generator) -> Fate:
    longest_s = _LONGEST_DELAY_S if fault is Fault.DELAYED else _LONGEST_STALL_S
    return Fate(fault, int(draw.integers(_LATEST_BYTES)), float(draw.uniform(0, longest_s)))


@asynccontextmanager
async def fault_proxy(hub_port: int, fates: list[Fate]) -> AsyncGenerator[tuple[FaultProxy, int]]:
    """A proxy and the port that it listens on."""
    proxy = FaultProxy(hub_port, fates)
    server = await asyncio.start_server(proxy.connect, "127.0.0.1", 0)
    try:
        yield proxy, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 5)
