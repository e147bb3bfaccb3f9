"""The hub's end of the conversation.

    AWAITING_HELLO ──hello──▶ INTRODUCED ──welcome()──▶ RUNNING ──bye, fatal refusal, close──▶ CLOSED

One bad durable item does not stop a node: it is turned into a `Dropped` record with the refusal's name, so its
place in the order is kept and the loss is on record. A bad live or health message is refused and counted.
Repeated abuse closes the session.
"""

import math
from dataclasses import dataclass
from enum import Enum

from ruid_core.wire.codec import decode_node_message, encode
from ruid_core.wire.errors import InvalidContent, NewerProtocol, OutOfTurn, PeerError, SessionClosed
from ruid_core.wire.messages import (
    PROTOCOL_MAJOR,
    PROTOCOL_MINOR,
    Ack,
    ClockProbe,
    ClockReply,
    Configure,
    Configured,
    Content,
    Dropped,
    Examine,
    Examined,
    Goodbye,
    Health,
    Hello,
    Item,
    Live,
    NodeMessage,
    Refused,
    Still,
    StillWanted,
    Welcome,
)
from ruid_core.wire.uplink import ItemKey
from ruid_core.wire.validation import (
    check_configured,
    check_content,
    check_examined,
    check_health,
    check_hello,
    check_live,
    check_still,
    plain_reason,
)

MAX_REFUSALS = 20
"""So many refused messages on one connection are abuse, not an accident."""


class IngestState(Enum):
    """Where the conversation is."""

    AWAITING_HELLO = "waiting for hello"
    INTRODUCED = "waiting for our welcome"
    RUNNING = "running"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class NodeArrived:
    """The node has introduced itself: answer with `welcome` or `refuse`."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class ItemArrived:
    """A durable item to commit; `missing` items before it never came and were not accounted for."""

    key: ItemKey
    content: Content
    missing: int = 0


@dataclass(frozen=True, slots=True)
class LiveArrived:
    """Who is in view of a camera now."""

    live: Live


@dataclass(frozen=True, slots=True)
class HealthArrived:
    """How the node does."""

    health: Health


@dataclass(frozen=True, slots=True)
class ConfiguredArrived:
    """What became of a configuration that the hub sent."""

    configured: Configured


@dataclass(frozen=True, slots=True)
class StillArrived:
    """The picture that the hub asked for, or the reason why there is none."""

    still: Still


@dataclass(frozen=True, slots=True)
class ExaminedArrived:
    """Who is in a picture that the hub asked about, or why the node does not say."""

    examined: Examined


@dataclass(frozen=True, slots=True)
class OffsetKnown:
    """The node's own estimate of the clocks' offset (add to node time) and its error."""

    offset_s: float
    error_s: float


@dataclass(frozen=True, slots=True)
class NodeLeft:
    """The node closes cleanly; `finished` means that its source has ended."""

    reason: str
    finished: bool


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """A message was refused and the node told; `fatal` means that the session is closed now."""

    code: str
    text: str
    fatal: bool


IngestEvent = (
    NodeArrived
    | ItemArrived
    | LiveArrived
    | HealthArrived
    | ConfiguredArrived
    | StillArrived
    | ExaminedArrived
    | OffsetKnown
    | NodeLeft
    | MessageRefused
)


class IngestSession:
    """One node's connection; make a new one for every connection."""

    def __init__(self) -> None:
        self.state = IngestState.AWAITING_HELLO
        self.first_offset_s = 0.0
        """What the hello says of the clocks' offset (add to node time), until `OffsetKnown` says better."""
        self._hello: Hello | None = None
        self._last_key: ItemKey | None = None
        self._refusals = 0
        self._outgoing: list[bytes] = []

    @property
    def hello(self) -> Hello:
        """The node's introduction; raise `SessionClosed` before it came."""
        if self._hello is None:
            raise SessionClosed("the node has not introduced itself")
        return self._hello

    @property
    def introduced(self) -> bool:
        """Whether the node has said who it is."""
        return self._hello is not None

    @property
    def has_outgoing(self) -> bool:
        """Whether there is something to write."""
        return bool(self._outgoing)

    def take_outgoing(self) -> list[bytes]:
        """Return the frames to write, in order, and forget them."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def welcome(self, *, hub_id: str, resume_after: ItemKey, now_s: float, items_per_s: float | None = None) -> None:
        """Accept the node; it will send what follows `resume_after`, no more than `items_per_s` of it."""
        if self.state is not IngestState.INTRODUCED:
            raise SessionClosed("only a node that has introduced itself can be welcomed")
        self.state = IngestState.RUNNING
        self._last_key = resume_after
        welcome = Welcome(PROTOCOL_MAJOR, PROTOCOL_MINOR, hub_id, *resume_after, now_s, items_per_s)
        self._outgoing.append(encode(welcome))

    def ask(self, message: Configure | StillWanted | Examine) -> bool:
        """Send a configuration or a question; False where the node cannot understand it or is not there."""
        least_minor = 2 if isinstance(message, Examine) else 1
        if self.state is not IngestState.RUNNING or self.hello.protocol_minor < least_minor:
            return False
        self._outgoing.append(encode(message))
        return True

    def acknowledge(self, key: ItemKey) -> None:
        """Tell the node that everything up to `key` is committed."""
        if self.state is IngestState.RUNNING:
            self._outgoing.append(encode(Ack(*key)))

    def refuse(self, *, code: str, text: str, fatal: bool) -> MessageRefused:
        """Tell the node what was refused and why; a fatal refusal closes the session."""
        self._outgoing.append(encode(Refused(code, text, fatal)))
        if fatal:
            self.state = IngestState.CLOSED
        return MessageRefused(code, text, fatal)

    def leave(self, *, reason: str) -> None:
        """Say goodbye and close."""
        if self.state is IngestState.RUNNING:
            self._outgoing.append(encode(Goodbye(reason=reason)))
        self.state = IngestState.CLOSED

    def receive(self, frame: bytes, *, now_s: float) -> IngestEvent | None:
        """Take in one frame and return what it means, if anything; the peer's faults come back as events.

        Raises `SessionClosed` after the end.
        """
        if self.state is IngestState.CLOSED:
            raise SessionClosed("the session has ended")
        try:
            return self._take(decode_node_message(frame), now_s=now_s)
        except PeerError as error:
            return self._refused(error)

    def _refused(self, error: PeerError) -> MessageRefused:
        self._refusals += 1
        fatal = self.state is not IngestState.RUNNING or self._refusals >= MAX_REFUSALS
        return self.refuse(code=error.code, text=str(error), fatal=fatal)

    def _take(self, message: NodeMessage, *, now_s: float) -> IngestEvent | None:
        if self.state is IngestState.AWAITING_HELLO and isinstance(message, Hello):
            return self._introduced(message, now_s=now_s)
        if self.state is IngestState.RUNNING:
            return self._running(message, now_s=now_s)
        raise OutOfTurn(type(message).__name__, self.state.value)

    def _introduced(self, hello: Hello, *, now_s: float) -> NodeArrived:
        if hello.protocol_major != PROTOCOL_MAJOR:
            theirs = (hello.protocol_major, hello.protocol_minor)
            raise NewerProtocol(theirs, (PROTOCOL_MAJOR, PROTOCOL_MINOR))
        check_hello(hello)
        self._hello = hello
        self.first_offset_s = now_s - hello.sent_at_s if math.isfinite(hello.sent_at_s) else 0.0
        self.state = IngestState.INTRODUCED
        return NodeArrived(hello)

    def _running(self, message: NodeMessage, *, now_s: float) -> IngestEvent | None:
        match message:
            case Item():
                return self._item(message, now_s=now_s)
            case ClockProbe():
                return self._clock(message, now_s=now_s)
            case Goodbye():
                self.state = IngestState.CLOSED
                return NodeLeft(plain_reason(message.reason), message.finished)
            case Hello():
                raise OutOfTurn("Hello", self.state.value)
            case _:
                return self._reported(message)

    def _reported(self, message: Live | Health | Configured | Still | Examined) -> IngestEvent:
        """What is checked and handed on, and may be lost."""
        match message:
            case Live():
                check_live(message, self.hello)
                return LiveArrived(message)
            case Health():
                check_health(message, self.hello)
                return HealthArrived(message)
            case Configured():
                check_configured(message)
                return ConfiguredArrived(message)
            case Still():
                check_still(message, self.hello)
                return StillArrived(message)
            case _:  # who is in a picture
                check_examined(message, self.hello)
                return ExaminedArrived(message)

    def _item(self, item: Item, *, now_s: float) -> ItemArrived:
        key = ItemKey(item.boot_epoch, item.seq)
        content = item.content
        try:
            # What a clock that is ahead says lies in its own future is refused, not in ours: times are corrected.
            check_content(content, self.hello, now_s=now_s + max(0.0, -self.first_offset_s))
        except InvalidContent as error:
            self.refuse(code=error.code, text=f"item {key.boot_epoch}/{key.seq}: {error}", fatal=False)
            content = Dropped(f"refused_{error.code}", key.seq, key.seq, 1)
        missing = self._missing_before(key, content)
        self._last_key = max(key, self._last_key or key)
        return ItemArrived(key, content, missing)

    def _missing_before(self, key: ItemKey, content: Content) -> int:
        last = self._last_key
        if last is None or last.boot_epoch == 0:
            return 0  # a node that this hub never heard of may have told another hub before
        first_seq = content.first_seq if isinstance(content, Dropped) else key.seq
        expected_seq = last.seq + 1 if key.boot_epoch == last.boot_epoch else 1
        return max(0, first_seq - expected_seq) if key > last else 0

    def _clock(self, probe: ClockProbe, *, now_s: float) -> OffsetKnown | None:
        self._outgoing.append(encode(ClockReply(sent_at_s=probe.sent_at_s, hub_at_s=now_s)))
        if probe.offset_s is None or probe.error_s is None:
            return None
        if not math.isfinite(probe.offset_s) or not 0 <= probe.error_s < math.inf:
            return None
        return OffsetKnown(probe.offset_s, probe.error_s)
