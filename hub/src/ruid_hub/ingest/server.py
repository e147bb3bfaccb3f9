"""The websockets server that nodes connect to: feeds `IngestSession`, writes what it says, reports events."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from ruid_core.wire.codec import MAX_FRAME_BYTES
from ruid_core.wire.ingest import (
    ConfiguredArrived,
    HealthArrived,
    IngestEvent,
    IngestSession,
    ItemArrived,
    LiveArrived,
    MessageRefused,
    NodeArrived,
    NodeLeft,
    OffsetKnown,
    StillArrived,
)
from ruid_core.wire.messages import SUBPROTOCOL, Configured, Health, Hello, Live, Still
from ruid_core.wire.uplink import ItemKey
from ruid_hub.errors import PortInUse
from ruid_hub.ingest.group_commit import GroupCommit
from ruid_hub.recognition import ReceivedItem

_HELLO_WITHIN_S = 10.0
_REPLACED = "replaced by a newer connection of the same node"

_log = structlog.get_logger("ingest")


class NodeEvents(Protocol):
    """Who hears of the nodes; called in the event loop."""

    def connected(self, hello: Hello, at_s: float) -> None:
        """A node was welcomed."""
        ...

    def disconnected(self, node_id: str, at_s: float, reason: str, *, finished: bool) -> None:
        """A node is gone; `finished` when it said that its source has ended."""
        ...

    def live(self, node_id: str, live: Live, at_s: float) -> None:
        """Who is in view of a camera."""
        ...

    def health(self, node_id: str, health: Health, at_s: float) -> None:
        """How a node does."""
        ...

    def configured(self, node_id: str, configured: Configured) -> None:
        """What became of a configuration."""
        ...

    def still(self, node_id: str, still: Still) -> None:
        """A picture that was asked for."""
        ...

    def missed(self, items: int) -> None:
        """Durable items never came, and the node did not say why."""
        ...

    def refused(self, code: str) -> None:
        """Something that a node sent was refused."""
        ...


@dataclass(slots=True)
class _Farewell:
    reason: str = "connection lost"
    finished: bool = False


class _NodeConnection:
    """One node's connection: a session, a socket and the task that writes."""

    def __init__(self, websocket: ServerConnection) -> None:
        self.websocket = websocket
        self.session = IngestSession()
        self.offset_s = 0.0
        self.farewell = _Farewell()
        self._wake = asyncio.Event()

    def acknowledge(self, key: ItemKey) -> None:
        """Tell the node that everything up to `key` is committed."""
        self.session.acknowledge(key)
        self.flush()

    def flush(self) -> None:
        """Have written what the session wants to say."""
        self._wake.set()

    async def write_all(self) -> None:
        """Write for as long as the connection lives."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.write_now()

    async def write_now(self) -> None:
        """Write what waits."""
        for frame in self.session.take_outgoing():
            await self.websocket.send(frame)


class IngestServer:
    """Serves any number of nodes; one connection per node, the newest one wins."""

    def __init__(
        self,
        *,
        hub_id: str,
        events: NodeEvents,
        commits: GroupCommit,
        resume_point: Callable[[str], ItemKey],
    ) -> None:
        self._hub_id = hub_id
        self._events = events
        self._commits = commits
        self._resume_point = resume_point
        self._connections: dict[str, _NodeConnection] = {}
        self.counters: Counter[str] = Counter()

    @property
    def nodes_connected(self) -> int:
        """How many nodes are connected now."""
        return len(self._connections)

    @asynccontextmanager
    async def listening(self, *, bind: str, port: int) -> AsyncGenerator[int]:
        """Listen while the context lasts and yield the port; raise `PortInUse` where another program has it."""
        try:
            server = await self._serve(bind, port)
        except OSError as error:
            raise PortInUse(f"port {port} for nodes cannot be opened ({error.strerror}): set RUID_NODE_PORT") from error
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for connection in self._connections.values():
                connection.farewell = _Farewell("the hub stopped")
                connection.session.leave(reason="the hub stops")
                connection.flush()
            server.close()
            await server.wait_closed()

    async def _serve(self, bind: str, port: int) -> Server:
        return await serve(
            self._handle,
            bind,
            port,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            max_size=MAX_FRAME_BYTES,
            max_queue=64,
            ping_interval=5,
            ping_timeout=10,
            compression=None,
            server_header=None,
        )

    async def _handle(self, websocket: ServerConnection) -> None:
        connection = _NodeConnection(websocket)
        writing = asyncio.create_task(connection.write_all())
        try:
            with contextlib.suppress(ConnectionClosed):
                await self._converse(connection)
        except TimeoutError:
            self.counters["hello_missing"] += 1
        finally:
            writing.cancel()
            self._forget(connection)
        with contextlib.suppress(ConnectionClosed):
            await connection.write_now()

    async def _converse(self, connection: _NodeConnection) -> None:
        first = await asyncio.wait_for(connection.websocket.recv(), _HELLO_WITHIN_S)
        if not await self._receive(connection, first):
            return
        async for frame in connection.websocket:
            if not await self._receive(connection, frame):
                return

    async def _receive(self, connection: _NodeConnection, frame: bytes | str) -> bool:
        """Take in one frame; return whether the conversation goes on."""
        now_s = time.time()
        packed = frame.encode() if isinstance(frame, str) else frame
        event = connection.session.receive(packed, now_s=now_s)
        goes_on = True if event is None else await self._act_on(connection, event, now_s)
        connection.flush()
        return goes_on

    async def _act_on(self, connection: _NodeConnection, event: IngestEvent, now_s: float) -> bool:
        match event:
            case NodeArrived(hello):
                await self._welcome(connection, hello, now_s)
            case ItemArrived():
                await self._commit(connection, event, now_s)
            case LiveArrived(live):
                self._events.live(connection.session.hello.node_id, live, now_s)
            case HealthArrived(health):
                self._events.health(connection.session.hello.node_id, health, now_s)
            case ConfiguredArrived(configured):
                self._events.configured(connection.session.hello.node_id, configured)
            case StillArrived(still):
                self._events.still(connection.session.hello.node_id, still)
            case OffsetKnown(offset_s, error_s):
                # An offset that may be nothing but delay is not one: it would only jitter the times.
                connection.offset_s = offset_s if abs(offset_s) > error_s else 0.0
            case NodeLeft(reason, finished):
                connection.farewell = _Farewell(reason, finished)
                return False
            case MessageRefused(code, text, fatal):
                self.counters[f"refused_{code}"] += 1
                self._events.refused(code)
                _log.warning("message refused", code=code, reason=text, peer=str(connection.websocket.remote_address))
                return not fatal
        return True

    async def _welcome(self, connection: _NodeConnection, hello: Hello, now_s: float) -> None:
        former = self._connections.get(hello.node_id)
        self._connections[hello.node_id] = connection
        if former is not None:
            former.farewell = _Farewell(_REPLACED)
            await former.websocket.close(1008, _REPLACED)
        resume_after = self._resume_point(hello.node_id)
        connection.session.welcome(hub_id=self._hub_id, resume_after=resume_after, now_s=now_s)
        self.counters["connections"] += 1
        _log.info("node connected", node=hello.node_name, node_id=hello.node_id, version=hello.software_version)
        self._events.connected(hello, now_s)

    async def _commit(self, connection: _NodeConnection, arrived: ItemArrived, now_s: float) -> None:
        hello = connection.session.hello
        self.counters["items"] += 1
        if arrived.missing:
            self.counters["items_missing"] += arrived.missing
            self._events.missed(arrived.missing)
        item = ReceivedItem(
            hello.node_id, arrived.key, arrived.content, hello.embedding_dim, now_s, connection.offset_s
        )
        await self._commits.put(item, connection)

    def _forget(self, connection: _NodeConnection) -> None:
        node_id = connection.session.hello.node_id if connection.session.introduced else None
        if node_id is None or self._connections.get(node_id) is not connection:
            return
        del self._connections[node_id]
        farewell = connection.farewell
        _log.info("node gone", node=connection.session.hello.node_name, reason=farewell.reason)
        self._events.disconnected(node_id, time.time(), farewell.reason, finished=farewell.finished)
