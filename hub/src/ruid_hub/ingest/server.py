"""The websockets server that nodes connect to: feeds `IngestSession`, writes what it says, reports events.

Always over TLS. A node shows the certificate that this hub gave it, and is who the certificate says; who shows none
may ask for one, and nothing else (`strangers`).
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from ssl import SSLObject
from typing import Protocol

import structlog
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from ruid_core.wire.adoption import ADOPTION_SUBPROTOCOL
from ruid_core.wire.codec import MAX_FRAME_BYTES
from ruid_core.wire.ingest import (
    ConfiguredArrived,
    ExaminedArrived,
    HealthArrived,
    IngestEvent,
    IngestSession,
    IngestState,
    ItemArrived,
    LiveArrived,
    MessageRefused,
    NodeArrived,
    NodeLeft,
    OffsetKnown,
    StillArrived,
)
from ruid_core.wire.messages import SUBPROTOCOL, Configure, Configured, Examine, Health, Hello, Live, Still, StillWanted
from ruid_core.wire.uplink import ItemKey
from ruid_hub.authority import Authority
from ruid_hub.errors import PortInUse
from ruid_hub.ingest.conduct import Allowance, Conduct
from ruid_hub.ingest.group_commit import GroupCommit
from ruid_hub.ingest.strangers import Strangers
from ruid_hub.nodes import NodeRegister, NotAdmitted
from ruid_hub.recognition import ReceivedItem

_HELLO_WITHIN_S = 10.0
_REPLAY_ITEMS_PER_S = 200.0
_LAST_WORDS_S = 0.5
_CLOCK_WRONG_S = 5.0
_HELLO_LATE_S = 60.0
"""A hello may have been on its way for so long: what it says of the clocks counts where they are further apart."""
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

    def clock_measured(self, node_id: str, *, offset_s: float, error_s: float) -> None:
        """How far a node's clock is from ours (add to node time), by its own measure."""
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

    def __init__(self, websocket: ServerConnection, node_id: str) -> None:
        self.websocket = websocket
        self.node_id = node_id
        self.session = IngestSession()
        self.allowance = Allowance(now_s=time.monotonic())
        self.offset_s = 0.0
        self.clock_told = False
        self.farewell = _Farewell()
        self._wake = asyncio.Event()
        self._writing = False

    @property
    def address(self) -> str:
        """Where the node is."""
        return str(self.websocket.remote_address[0])

    def acknowledge(self, key: ItemKey) -> None:
        """Tell the node that everything up to `key` is committed."""
        self.session.acknowledge(key)
        self.flush()

    def flush(self) -> None:
        """Have written what the session wants to say, if it wants to: most items are answered after their commit.

        At once where nothing else waits to be written; a node that does not read its answers is left to the writer.
        """
        if not self.session.has_outgoing:
            return
        if self._writing or self.websocket.transport.get_write_buffer_size():
            self._wake.set()
            return
        for frame in self.session.take_outgoing():
            broadcast((self.websocket,), frame)

    async def write_all(self) -> None:
        """Write for as long as the connection lives."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.write_now()

    async def write_now(self) -> None:
        """Write what waits."""
        self._writing = True
        try:
            for frame in self.session.take_outgoing():
                await self.websocket.send(frame)
        finally:
            self._writing = False


class IngestServer:
    """Serves any number of nodes; one connection per node, the newest one wins."""

    def __init__(
        self,
        *,
        authority: Authority,
        register: NodeRegister,
        events: NodeEvents,
        commits: GroupCommit,
        resume_point: Callable[[str], ItemKey],
        items_per_s: float = _REPLAY_ITEMS_PER_S,
    ) -> None:
        self._authority = authority
        self._register = register
        self._events = events
        self._commits = commits
        self._resume_point = resume_point
        self._items_per_s = items_per_s
        self._connections: dict[str, _NodeConnection] = {}
        self._conduct = Conduct()
        self._closing: set[asyncio.Task[None]] = set()
        self.counters: Counter[str] = Counter()
        self._strangers = Strangers(register=register, authority=authority, counters=self.counters)
        register.attach(self)

    # --- what the register asks for --------------------------------------------------------------------

    def connected(self, node_id: str) -> bool:
        """Whether the node is there now."""
        return node_id in self._connections

    def ask(self, node_id: str, message: Configure | StillWanted | Examine) -> bool:
        """Send to a connected node; False where its software cannot understand it."""
        connection = self._connections.get(node_id)
        if connection is None or not connection.session.ask(message):
            return False
        connection.flush()
        return True

    def introduce_again(self, node_id: str) -> None:
        """Names have changed: report the node anew."""
        connection = self._connections.get(node_id)
        if connection is not None:
            self._events.connected(self._register.as_known(connection.session.hello), time.time())

    async def cut(self, node_id: str, *, code: str, text: str) -> None:
        """End the node's connection, if there is one, and tell it why."""
        connection = self._connections.get(node_id)
        if connection is None:
            return
        self.counters[f"cut_{code}"] += 1
        connection.farewell = _Farewell(text)
        connection.session.refuse(code=code, text=text, fatal=True)
        self._forget(connection)
        self._drop(connection)

    def _drop(self, connection: _NodeConnection) -> None:
        """Close without waiting: a peer that is half gone must hold nobody up."""
        closing = asyncio.create_task(self._close(connection))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _close(self, connection: _NodeConnection) -> None:
        """Say the last words if that goes quickly; a peer that does not answer is dropped."""
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await connection.write_now()
                await connection.websocket.close(1008)
        connection.websocket.transport.abort()

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
            ssl=self._authority.server_context_for_nodes(),
            ssl_handshake_timeout=10,
            process_request=self._judge,
            subprotocols=[Subprotocol(SUBPROTOCOL), Subprotocol(ADOPTION_SUBPROTOCOL)],
            max_size=MAX_FRAME_BYTES,
            max_queue=64,
            ping_interval=5,
            ping_timeout=10,
            compression=None,
            server_header=None,
        )

    def _judge(self, websocket: ServerConnection, request: Request) -> Response | None:
        """Decide before the handshake is answered: a node with its certificate, a stranger's request, or no."""
        if SUBPROTOCOL not in request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(","):
            refusal = self._strangers.turn_away(str(websocket.remote_address[0]))
            return None if refusal is None else websocket.respond(HTTPStatus(refusal[0]), refusal[1] + "\n")
        try:
            node_id = self._register.admit(_certificate_of(websocket))
        except NotAdmitted as error:
            self.counters[f"kept_out_{error.code}"] += 1
            return websocket.respond(HTTPStatus.FORBIDDEN, f"{error.code}: {error}\n")
        wait_s = self._conduct.kept_out_s(node_id, now_s=time.monotonic())
        if wait_s:
            self.counters["kept_out_abuse"] += 1
            return websocket.respond(HTTPStatus.FORBIDDEN, f"abuse: come back in {wait_s:.0f} s\n")
        return None

    async def _handle(self, websocket: ServerConnection) -> None:
        if websocket.subprotocol != SUBPROTOCOL:
            await self._strangers.converse(websocket)
            return
        try:
            connection = _NodeConnection(websocket, self._register.admit(_certificate_of(websocket)))
        except NotAdmitted:  # revoked since it was judged
            return
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
        packed = frame.encode() if isinstance(frame, str) else frame
        wait_s = connection.allowance.spend(len(packed), now_s=time.monotonic())
        if wait_s:
            self.counters["throttled"] += 1
            await asyncio.sleep(wait_s)
        if connection.session.state is IngestState.CLOSED:  # cut meanwhile
            return False
        now_s = time.time()
        event = connection.session.receive(packed, now_s=now_s)
        goes_on = True if event is None else await self._act_on(connection, event, now_s)
        connection.flush()
        return goes_on

    async def _act_on(self, connection: _NodeConnection, event: IngestEvent, now_s: float) -> bool:
        match event:
            case NodeArrived(hello):
                return await self._welcome(connection, hello, now_s)
            case ItemArrived():
                await self._commit(connection, event, now_s)
            case LiveArrived(live):
                self._events.live(connection.session.hello.node_id, live, now_s)
            case HealthArrived(health):
                self._events.health(connection.session.hello.node_id, health, now_s)
            case ConfiguredArrived() | StillArrived() | ExaminedArrived():
                self.counters["answers_unasked"] += not await self._hand_on(connection.node_id, event)
            case OffsetKnown(offset_s, error_s):
                # An offset that may be nothing but delay is not one: it would only jitter the times.
                connection.offset_s = offset_s if abs(offset_s) > error_s else 0.0
                self._tell_clock(connection)
                self._events.clock_measured(connection.node_id, offset_s=offset_s, error_s=error_s)
            case NodeLeft(reason, finished):
                connection.farewell = _Farewell(reason, finished)
                return False
            case MessageRefused():
                return self._note_refusal(connection, event)
        return True

    async def _hand_on(self, node_id: str, answer: ConfiguredArrived | StillArrived | ExaminedArrived) -> bool:
        """Give an answer to whoever asked for it; False where nobody did."""
        match answer:
            case ConfiguredArrived(configured):
                known = await self._register.configured(node_id, configured)
                self._events.configured(node_id, configured)
                return known
            case StillArrived(still):
                self._events.still(node_id, still)
                return self._register.still(node_id, still)
            case ExaminedArrived(examined):
                return self._register.examined(node_id, examined)

    def _tell_clock(self, connection: _NodeConnection) -> None:
        """A clock that is far off is told once for each connection."""
        if abs(connection.offset_s) > _CLOCK_WRONG_S and not connection.clock_told:
            connection.clock_told = True
            _log.warning(
                "a node's clock is wrong, its times are corrected here: let it reach a time server",
                node=connection.session.hello.node_name,
                lacks_s=round(connection.offset_s, 1),
            )

    def _note_refusal(self, connection: _NodeConnection, refused: MessageRefused) -> bool:
        self.counters[f"refused_{refused.code}"] += 1
        self._events.refused(refused.code)
        _log.warning("message refused", code=refused.code, reason=refused.text, node_id=connection.node_id)
        if refused.fatal and connection.session.introduced:
            self._conduct.offended(connection.node_id, now_s=time.monotonic())
        return not refused.fatal

    async def _welcome(self, connection: _NodeConnection, hello: Hello, now_s: float) -> bool:
        if hello.node_id != connection.node_id:
            text = "the node's certificate is for another node"
            return self._note_refusal(connection, connection.session.refuse(code="wrong_node", text=text, fatal=True))
        former = self._connections.get(hello.node_id)
        self._connections[hello.node_id] = connection
        if former is not None:
            former.farewell = _Farewell(_REPLACED)
            self._drop(former)
        connection.session.welcome(
            hub_id=self._authority.hub_id,
            resume_after=self._resume_point(hello.node_id),
            now_s=now_s,
            items_per_s=self._items_per_s,
        )
        first_offset_s = connection.session.first_offset_s
        connection.offset_s = first_offset_s if abs(first_offset_s) > _HELLO_LATE_S else 0.0
        self.counters["connections"] += 1
        _log.info("node connected", node=hello.node_name, node_id=hello.node_id, version=hello.software_version)
        self._events.connected(self._register.as_known(hello), now_s)
        self._register.came(hello, address=connection.address)
        return True

    async def _commit(self, connection: _NodeConnection, arrived: ItemArrived, now_s: float) -> None:
        hello = connection.session.hello
        self.counters["items"] += 1
        if arrived.missing:
            self.counters["items_missing"] += arrived.missing
            self._events.missed(arrived.missing)
        item = ReceivedItem(hello.node_id, arrived.key, arrived.content, now_s, connection.offset_s)
        await self._commits.put(item, connection)

    def _forget(self, connection: _NodeConnection) -> None:
        node_id = connection.node_id
        if self._connections.get(node_id) is not connection:
            return
        del self._connections[node_id]
        self._register.went(node_id)
        farewell = connection.farewell
        _log.info("node gone", node=connection.session.hello.node_name, reason=farewell.reason)
        self._events.disconnected(node_id, time.time(), farewell.reason, finished=farewell.finished)


def _certificate_of(websocket: ServerConnection) -> bytes:
    """The certificate that the node showed (TLS has checked that we signed it and that it has the key)."""
    tls: SSLObject | None = websocket.transport.get_extra_info("ssl_object")
    certificate_der = tls.getpeercert(binary_form=True) if tls is not None else None
    if not certificate_der:
        raise NotAdmitted("no_certificate", "without a certificate of this hub you may only ask to be adopted")
    return certificate_der
