"""The shell around `UplinkSession`: connects, feeds, collects, writes, and connects again.

Owned by one asyncio loop. A node that has no certificate yet asks for one first. No durable item is ever lost: those
wait in the spool until they are acknowledged.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from ssl import SSLError

import numpy as np
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from ruid_core.wire.codec import MAX_HUB_FRAME_BYTES
from ruid_core.wire.errors import WireError
from ruid_core.wire.messages import (
    SUBPROTOCOL,
    Configure,
    Configured,
    Examine,
    Examined,
    Health,
    Hello,
    Live,
    Still,
)
from ruid_core.wire.uplink import (
    Acked,
    ConfigureArrived,
    ExamineAsked,
    HubLeft,
    ItemKey,
    RefusedByHub,
    StillAsked,
    UplinkEvent,
    UplinkSession,
    Welcomed,
)
from ruid_edge.enrolment import AdoptionSpoiled, HubFinder, HubUnknown
from ruid_edge.errors import SpoolUnusable
from ruid_edge.spool import Spool
from ruid_edge.uplink.adoption import Applicant, NotLetIn, ask_to_be_let_in
from ruid_edge.uplink.backoff import Backoff
from ruid_edge.uplink.outages import outage_reason
from ruid_edge.uplink.pace import Pace

_HEALTH_EVERY_S = 1.0
_PROBE_EVERY_S = 10.0
_FIRST_PROBES = 4
_REPLAY_BATCH = 16
_TOLD = 32
_KEY_UNKNOWN = ("unknown_key", "no_certificate")

_HUB_IS_THERE = (WebSocketException, WireError, SSLError, ConnectionResetError, TimeoutError)
"""What cannot happen, or may not have happened, without a hub that is at work: leave it some time."""

_log = structlog.get_logger("uplink")


@dataclass(frozen=True, slots=True)
class UplinkCounters:
    """What the uplink did since boot.

    Of live messages that never left, newer ones replaced `live_replaced`, and `live_stale` met no hub. Answers to the
    hub's questions that could not be given are `answers_dropped`.
    """

    connections: int
    live_replaced: int
    refused: int
    live_stale: int
    answers_dropped: int


async def no_models(examine: Examine) -> Examined:
    """What a node without networks says to a picture."""
    return Examined(examine.request_id, "", refusal="unavailable")


@dataclass(frozen=True, slots=True)
class Answers:
    """What the node says when it is asked; all called in the uplink's event loop."""

    hello: Callable[[], Hello]
    health: Callable[[], Health]
    configure: Callable[[Configure], Configured]
    still: Callable[[str], Awaitable[Still]]
    examine: Callable[[Examine], Awaitable[Examined]] = no_models


@dataclass(slots=True)
class _Heartbeat:
    """When the next regular messages of one connection are due (monotonic seconds)."""

    health_due_s: float = 0.0
    probe_due_s: float = 0.0
    probes: int = 0


class Uplink:
    """Sends what the spool holds, in order, and the newest live state; `wake` it when there is something new."""

    def __init__(self, *, hub: HubFinder, applicant: Applicant, spool: Spool, answers: Answers) -> None:
        self._hub = hub
        self._applicant = applicant
        self._spool = spool
        self._answers = answers
        self._live: dict[str, Live] = {}
        self._wake = asyncio.Event()
        self._closed = asyncio.Event()
        self._backoff = Backoff(np.random.default_rng())
        self._sent_through = ItemKey(-1, -1)
        self._connections = self._live_replaced = self._refused = self._live_stale = self._answers_dropped = 0
        self._told_outage = ""
        self._url = ""
        self._held_back = False
        self._pace = Pace(None, now_s=0.0)
        self._to_tell: deque[Configured | Still | Examined] = deque(maxlen=_TOLD)
        self._stills: dict[str, asyncio.Task[None]] = {}
        self._examining: set[asyncio.Task[None]] = set()
        self._closing: tuple[str, bool] | None = None
        self.connected = False

    @property
    def counters(self) -> UplinkCounters:
        """What happened since boot."""
        return UplinkCounters(
            self._connections, self._live_replaced, self._refused, self._live_stale, self._answers_dropped
        )

    def wake(self) -> None:
        """Say that the spool holds something new."""
        self._wake.set()

    def show(self, live: Live) -> None:
        """Send who is in view; a newer message takes the place of one that has not left yet."""
        self._live_replaced += live.camera_id in self._live
        self._live[live.camera_id] = live
        self._wake.set()

    def tell(self, message: Configured | Still | Examined) -> None:
        """Send an answer, as soon as there is a connection; of too many the oldest goes."""
        self._answers_dropped += len(self._to_tell) == _TOLD
        self._to_tell.append(message)
        self._wake.set()

    def close(self, *, reason: str, finished: bool) -> None:
        """Say goodbye on the connection, if there is one, and end `run`."""
        self._closing = (reason, finished)
        self._closed.set()
        self._wake.set()

    async def run(self) -> None:
        """Keep a connection to the hub until `close`."""
        while self._closing is None:
            before = (self._connections, self._applicant.credentials.adopted)
            refused, answered = False, True
            try:
                refused = await self._try_once()
            except (HubUnknown, OSError, WebSocketException, WireError, TimeoutError) as error:
                answered = isinstance(error, _HUB_IS_THERE)
                self._tell_outage(outage_reason(error))
            if (self._connections, self._applicant.credentials.adopted) != before:
                self._backoff.reset()
            await self._pause(self._backoff.refused_s() if refused else self._backoff.next_s(answered=answered))

    async def _try_once(self) -> bool:
        """Find the hub and talk to it, as a stranger or as a member; return whether it wants none of us for now."""
        credentials = self._applicant.credentials
        closed = asyncio.create_task(self._closed.wait())
        attempt = asyncio.create_task(self._member() if credentials.adopted else self._stranger())
        try:
            # A member says goodbye itself; a stranger has nothing to say.
            waited = (attempt,) if credentials.adopted else (attempt, closed)
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            return attempt.result() if attempt.done() else False
        finally:
            for task in (attempt, closed):
                task.cancel()
            await asyncio.gather(attempt, closed, return_exceptions=True)

    async def _stranger(self) -> bool:
        """Ask to be let in; return True where the hub said no."""
        self._url = await self._hub.find(hub_id=self._applicant.credentials.hub_id)
        try:
            adopted = await ask_to_be_let_in(self._url, self._applicant, node_id=self._spool.node_id)
        except (NotLetIn, AdoptionSpoiled) as error:
            self._tell_refusal("not let in by the hub, asking again less and less often", reason=str(error))
            return True
        if adopted.node_id != self._spool.node_id:
            self._spool.take_place(adopted.node_id, after_boot_epoch=adopted.after_boot_epoch)
            _log.warning("this device takes another's place", node_id=adopted.node_id)
        _log.info("let in by the hub", hub=self._url, node_id=adopted.node_id)
        return False

    async def _member(self) -> bool:
        """Serve one connection to its end; return True where the hub keeps us out."""
        credentials = self._applicant.credentials
        self._url = await self._hub.find(hub_id=credentials.hub_id)
        try:
            return await self._connect_once()
        except InvalidStatus as error:
            if error.response.status_code != HTTPStatus.FORBIDDEN:
                raise
            code, _, text = (error.response.body or b"").decode(errors="replace").strip().partition(": ")
            self._refused += 1
            self._tell_refusal("kept out by the hub, asking again less and less often", code=code, reason=text)
            if code in _KEY_UNKNOWN:
                credentials.forget_certificate()
            return True

    def _tell_refusal(self, what: str, **why: str) -> None:
        """Once for as long as it stays the same."""
        if self._told_outage != (told := f"{what} {why}"):
            self._told_outage = told
            _log.error(what, hub=self._url, **why)

    def _tell_outage(self, reason: str) -> None:
        if self._told_outage != reason:
            self._told_outage = reason
            _log.warning("hub unreachable, going on without it", hub=self._url or "unknown", reason=reason)

    async def _pause(self, wait_s: float) -> None:
        deadline_s = time.monotonic() + wait_s
        while self._closing is None and (left_s := deadline_s - time.monotonic()) > 0:
            self._wake.clear()
            self._live_stale += len(self._live)  # by the time that the hub is back
            self._live.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left_s)

    async def _connect_once(self) -> bool:
        """Serve one connection to its end; return whether the hub refused us for good."""
        async with connect(
            self._url,
            ssl=self._applicant.credentials.member_context(),
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            max_size=MAX_HUB_FRAME_BYTES,
            open_timeout=5,
            ping_interval=5,
            ping_timeout=10,
            compression=None,
        ) as websocket:
            session = UplinkSession(self._answers.hello())
            serving = asyncio.create_task(self._serve(websocket, session))
            reading = asyncio.create_task(self._read(websocket, session))
            try:
                await asyncio.wait((serving, reading), return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.connected = False
                serving.cancel()
                reading.cancel()
                await asyncio.gather(serving, reading, return_exceptions=True)
            if not serving.cancelled():
                serving.result()
            return not reading.cancelled() and reading.result()

    async def _read(self, websocket: ClientConnection, session: UplinkSession) -> bool:
        async for frame in websocket:
            packed = frame if isinstance(frame, bytes) else frame.encode()
            event = session.receive(packed, now_s=time.time())
            if event is not None and self._act_on(event):
                return isinstance(event, RefusedByHub)
        return False

    def _act_on(self, event: UplinkEvent) -> bool:
        """Do what the event asks for; return True where the connection is over."""
        match event:
            case Welcomed():
                self._welcomed(event)
            case Acked(through):
                self._forget(through)
            case RefusedByHub(code, text, fatal):
                self._refused += 1
                _log.error("refused by the hub", code=code, reason=text)
                return fatal
            case ConfigureArrived(configure):
                self.tell(self._answers.configure(configure))
            case StillAsked(camera_id):
                self._take_still(camera_id)
            case ExamineAsked(examine):
                self._examine(examine)
            case HubLeft(reason):
                self._tell_outage(f"the hub says goodbye: {reason}")
                return True
        self._wake.set()
        return False

    def _forget(self, through: ItemKey) -> None:
        """What a full disk does not let go of now goes with a later acknowledgement."""
        with contextlib.suppress(SpoolUnusable):
            self._spool.discard_through(through)

    def _take_still(self, camera_id: str) -> None:
        """One at a time for each camera: whoever asks meanwhile gets the one that is being taken."""
        if camera_id in self._stills:
            return
        if len(self._stills) >= _TOLD:
            self._answers_dropped += 1
            return

        async def take() -> None:
            try:
                self.tell(await self._answers.still(camera_id))
            finally:
                del self._stills[camera_id]

        self._stills[camera_id] = asyncio.create_task(take())

    def _examine(self, examine: Examine) -> None:
        """Whoever asked is gone with the connection, so the answer goes with it too."""

        async def look() -> None:
            examined = await self._answers.examine(examine)
            if self.connected and self._connections == asked_on:
                self.tell(examined)

        asked_on = self._connections
        examining = asyncio.create_task(look())
        self._examining.add(examining)
        examining.add_done_callback(self._examining.discard)

    def _welcomed(self, welcomed: Welcomed) -> None:
        self._forget(welcomed.resume_after)
        self._sent_through = welcomed.resume_after
        self._pace = Pace(welcomed.items_per_s, now_s=time.monotonic())
        self._connections += 1
        self._told_outage = ""
        self.connected = True
        _log.info("connected to the hub", hub=self._url, hub_id=welcomed.hub_id, waiting=self._spool.state.items)

    async def _serve(self, websocket: ClientConnection, session: UplinkSession) -> None:
        """Write what is due until the session is closed."""
        heartbeat = _Heartbeat()
        while True:
            self._wake.clear()
            if self.connected:
                self._beat(session, heartbeat)
                self._queue_answers(session)
            self._queue_live(session)
            more = self._queue_items(session)
            if self._closing is not None:
                session.leave(reason=self._closing[0], finished=self._closing[1])
            for outgoing in session.take_outgoing():
                await websocket.send(outgoing)
            if self._closing is not None:
                return
            if not more:
                await self._wait(heartbeat)

    def _beat(self, session: UplinkSession, heartbeat: "_Heartbeat") -> None:
        now_s = time.monotonic()
        if now_s >= heartbeat.health_due_s:
            session.send(self._answers.health())
            heartbeat.health_due_s = now_s + _HEALTH_EVERY_S
        if now_s >= heartbeat.probe_due_s:
            session.probe_clock(now_s=time.time())
            heartbeat.probes += 1
            heartbeat.probe_due_s = now_s + (0.2 if heartbeat.probes < _FIRST_PROBES else _PROBE_EVERY_S)

    async def _wait(self, heartbeat: "_Heartbeat") -> None:
        due_s = min(heartbeat.health_due_s, heartbeat.probe_due_s)
        left_s = max(0.01, due_s - time.monotonic()) if self.connected else _HEALTH_EVERY_S
        if self._held_back:
            left_s = min(left_s, max(0.01, self._pace.next_in_s))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), left_s)

    def _queue_answers(self, session: UplinkSession) -> None:
        while self._to_tell:
            self._answers_dropped += not session.send(self._to_tell.popleft())

    def _queue_live(self, session: UplinkSession) -> None:
        live, self._live = self._live, {}
        for message in live.values():
            self._live_stale += not session.send(message)

    def _queue_items(self, session: UplinkSession) -> bool:
        """Queue a few items (so that live state is never kept waiting); return whether more could go now."""
        room = min(session.room, _REPLAY_BATCH)
        allowed = int(min(room, self._pace.allowed(now_s=time.monotonic())))
        self._held_back = allowed < room
        if allowed <= 0:
            return False
        items = self._spool.after(self._sent_through, limit=allowed)
        for item in items:
            session.send_item(item)
            self._sent_through = ItemKey(item.boot_epoch, item.seq)
        self._pace.sent(len(items))
        self._held_back = self._held_back and len(items) == allowed
        return len(items) == allowed and not self._held_back
