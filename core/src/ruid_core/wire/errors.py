"""What can go wrong between node and hub.

WireError
├── PeerError            the other side's fault: its bytes or its order of messages
│   ├── Undecodable      not one of our messages
│   ├── InvalidContent   a message whose values cannot be true (`code` names which)
│   │   └── InvalidConfiguration   settings of a camera that cannot be applied (`field` names which)
│   ├── OutOfTurn        a message that the state of the conversation does not allow
│   └── NewerProtocol    a major version that this side does not speak
└── SessionClosed        our fault: the session was used after its end
"""

from dataclasses import dataclass


class WireError(Exception):
    """Anything that this package raises."""


class PeerError(WireError):
    """The peer's fault; `code` is its stable name, used in refusals and counters."""

    code = "peer_error"


@dataclass(frozen=True)
class Undecodable(PeerError):
    """The frame is none of our messages."""

    reason: str
    code = "undecodable"

    def __str__(self) -> str:
        return f"the message could not be decoded: {self.reason}"


class InvalidContent(PeerError):
    """A well-formed message says something that cannot be."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text

    def __str__(self) -> str:
        return self.text


class InvalidConfiguration(InvalidContent):
    """Settings of a camera that make no sense: which field, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__("configuration", f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True)
class OutOfTurn(PeerError):
    """The message is not allowed in this state of the conversation."""

    message: str
    state: str
    code = "out_of_turn"

    def __str__(self) -> str:
        return f"'{self.message}' is not allowed while the session is {self.state}"


@dataclass(frozen=True)
class NewerProtocol(PeerError):
    """The peer speaks a major version from the future (or one long gone)."""

    theirs: tuple[int, int]
    ours: tuple[int, int]
    code = "protocol_version"

    def __str__(self) -> str:
        theirs, ours = (".".join(map(str, version)) for version in (self.theirs, self.ours))
        return f"the node speaks protocol {theirs}, this hub speaks {ours}: update the older of the two"


class SessionClosed(WireError):
    """The session has ended; make a new one for a new connection."""
