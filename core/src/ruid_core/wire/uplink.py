"""The node's end of the conversation.

    GREETING ──welcome──▶ RUNNING ──refused, bye, close──▶ CLOSED
       └────────refused, close──────────────────────────────┘

Feed it frames with `receive`, collect what to write with `take_outgoing`, and act on the events.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from ruid_core.wire.clock import ClockEstimator
from ruid_core.wire.codec import decode_hub_message, encode
from ruid_core.wire.errors import OutOfTurn, SessionClosed
from ruid_core.wire.messages import (
    Ack,
    ClockProbe,
    ClockReply,
    Configure,
    Configured,
    Crossing,
    Dropped,
    Examine,
    Examined,
    Goodbye,
    Health,
    Hello,
    HubMessage,
    Item,
    Live,
    Refused,
    Still,
    StillWanted,
    Welcome,
    ZoneStay,
)


class ItemKey(NamedTuple):
    """The place of a durable item in its node's order."""

    boot_epoch: int
    seq: int


class UplinkState(Enum):
    """Where the conversation is."""

    GREETING = "greeting"
    RUNNING = "running"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The hub is ready and has everything up to `resume_after`: send what follows it."""

    hub_id: str
    resume_after: ItemKey
    items_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Acked:
    """Everything up to `through` is safe at the hub and may be forgotten."""

    through: ItemKey


@dataclass(frozen=True, slots=True)
class RefusedByHub:
    """The hub refused something; after a fatal refusal the session is closed."""

    code: str
    text: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class HubLeft:
    """The hub closes cleanly and says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class ConfigureArrived:
    """The hub sets the cameras: apply it and answer with `Configured`, whatever became of it."""

    configure: Configure


@dataclass(frozen=True, slots=True)
class StillAsked:
    """The hub wants one picture of a camera: answer with a `Still`."""

    camera_id: str


@dataclass(frozen=True, slots=True)
class ExamineAsked:
    """The hub wants to know who is in a picture: answer with `Examined`, whatever comes of it."""

    examine: Examine


UplinkEvent = Welcomed | Acked | RefusedByHub | HubLeft | ConfigureArrived | StillAsked | ExamineAsked


class UplinkSession:
    """One connection to the hub; make a new one for every connection.

    At most `window` items are on their way unacknowledged, so a slow hub slows the node down instead of
    filling its own memory.
    """

    def __init__(self, hello: Hello, *, window: int = 64) -> None:
        self.state = UplinkState.GREETING
        self.clock = ClockEstimator()
        self.hub_minor = 0
        self._window = window
        self._in_flight: deque[ItemKey] = deque()
        self._outgoing: list[bytes] = [encode(hello)]

    @property
    def room(self) -> int:
        """How many items may be sent now."""
        return self._window - len(self._in_flight) if self.state is UplinkState.RUNNING else 0

    def take_outgoing(self) -> list[bytes]:
        """Return the frames to write, in order, and forget them."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def send_item(self, item: Item) -> None:
        """Queue a durable item; raise `SessionClosed` where there is no `room`."""
        if self.room <= 0:
            raise SessionClosed("no item may be sent now")
        self._in_flight.append(ItemKey(item.boot_epoch, item.seq))
        self._outgoing.append(encode(self._understandable(item)))

    def send(self, message: Live | Health | Configured | Still | Examined) -> bool:
        """Queue what may be lost; return False, having queued nothing, where the hub cannot take it."""
        unknown = self.hub_minor < 1 and isinstance(message, Configured | Still | Examined)
        if self.state is not UplinkState.RUNNING or unknown:
            return False
        self._outgoing.append(encode(message))
        return True

    def probe_clock(self, *, now_s: float) -> None:
        """Queue a clock probe that also tells the hub the best estimate so far."""
        if self.state is UplinkState.RUNNING:
            best = self.clock.best
            offset_s, error_s = (best.offset_s, best.error_s) if best else (None, None)
            self._outgoing.append(encode(ClockProbe(sent_at_s=now_s, offset_s=offset_s, error_s=error_s)))

    def leave(self, *, reason: str, finished: bool = False) -> None:
        """Say goodbye and close."""
        if self.state is UplinkState.RUNNING:
            self._outgoing.append(encode(Goodbye(reason=reason, finished=finished)))
        self.state = UplinkState.CLOSED

    def receive(self, frame: bytes, *, now_s: float) -> UplinkEvent | None:
        """Take in one frame and return what it means, if anything.

        Raises `Undecodable` or `OutOfTurn`: close the connection and begin a new session.
        """
        if self.state is UplinkState.CLOSED:
            raise SessionClosed("the session has ended")
        message = decode_hub_message(frame)
        if self.state is UplinkState.GREETING:
            return self._greeted(message)
        return self._running(message, now_s=now_s)

    def _greeted(self, message: HubMessage) -> UplinkEvent:
        match message:
            case Welcome():
                self.state = UplinkState.RUNNING
                self.hub_minor = message.protocol_minor
                resume_after = ItemKey(message.resume_boot_epoch, message.resume_seq)
                return Welcomed(message.hub_id, resume_after, message.items_per_s)
            case Refused() | Goodbye():
                return self._ended(message)
            case _:
                raise OutOfTurn(type(message).__name__, self.state.value)

    def _running(self, message: HubMessage, *, now_s: float) -> UplinkEvent | None:
        match message:
            case Ack():
                return self._acknowledged(ItemKey(message.boot_epoch, message.seq))
            case ClockReply():
                self.clock.learn(sent_at_s=message.sent_at_s, hub_at_s=message.hub_at_s, returned_at_s=now_s)
                return None
            case Configure():
                return ConfigureArrived(message)
            case StillWanted():
                return StillAsked(message.camera_id)
            case Examine():
                return ExamineAsked(message)
            case Refused() | Goodbye():
                return self._ended(message)
            case _:
                raise OutOfTurn(type(message).__name__, self.state.value)

    def _understandable(self, item: Item) -> Item:
        """A hub of minor version 0 knows no crossings and stays: it hears that they were lost, in their place."""
        if self.hub_minor < 1 and isinstance(item.content, Crossing | ZoneStay):
            return Item(item.boot_epoch, item.seq, Dropped("hub_too_old", item.seq, item.seq, 1))
        return item

    def _acknowledged(self, through: ItemKey) -> Acked:
        while self._in_flight and self._in_flight[0] <= through:
            self._in_flight.popleft()
        return Acked(through)

    def _ended(self, message: Refused | Goodbye) -> UplinkEvent:
        if isinstance(message, Goodbye):
            self.state = UplinkState.CLOSED
            return HubLeft(message.reason)
        if message.fatal:
            self.state = UplinkState.CLOSED
        return RefusedByHub(message.code, message.text, message.fatal)
