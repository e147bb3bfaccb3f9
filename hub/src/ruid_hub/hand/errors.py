"""What the operator's hand refuses; every text says what to do instead.

HubError
└── HandError
    ├── UnknownPerson        no such identity
    ├── UnknownSighting      no such track, or its evidence has expired
    ├── InViewTogether       two who were in one picture at one time would become one person
    ├── LookExpired          somebody who is remembered would become somebody who is not
    ├── NothingToChange      it is so already
    ├── UnknownOperation     no such operation
    ├── CannotUndo           undone already, or never to be undone (erasing)
    ├── LaterOperations      others were built on this one: undo those first
    ├── WrongEmbedding       searched with an embedding of another model
    ├── NotWritten           the disk does not take it
    └── CorrectionsUnavailable   the chosen engine cannot be corrected
"""

from dataclasses import dataclass

from ruid_hub.errors import HubError


class HandError(HubError):
    """A correction that was refused; nothing has changed."""


@dataclass
class UnknownPerson(HandError):
    """Nobody has this identity_id (any more)."""

    identity_id: str

    def __str__(self) -> str:
        return f"nobody is known as {self.identity_id!r} any more: reload the page to see who is"


@dataclass
class UnknownSighting(HandError):
    """The track was never seen, or what it looked like has expired."""

    track: str

    def __str__(self) -> str:
        return f"nothing is known of the sighting {self.track!r} any more: reload the page"


@dataclass
class LookExpired(HandError):
    """Whoever is remembered would be recognised as who they were, and be two people again."""

    def __str__(self) -> str:
        return "what this person looked like has expired: open the other one, and merge this one into them"


@dataclass
class InViewTogether(HandError):
    """Two tracks of one camera that overlap in time are two people, whatever anybody says."""

    one: str
    other: str

    def __str__(self) -> str:
        return (
            f"{self.one!r} and {self.other!r} were in one picture at the same time, so they are two people: "
            "move one of them elsewhere first"
        )


class NothingToChange(HandError):
    """It is so already."""

    def __str__(self) -> str:
        return "nothing would change: it is so already"


@dataclass
class UnknownOperation(HandError):
    """No operation has this number."""

    operation_id: int

    def __str__(self) -> str:
        return f"there is no operation {self.operation_id}: reload the list"


@dataclass
class CannotUndo(HandError):
    """The operation is undone already, or can never be."""

    operation_id: int
    reason: str

    def __str__(self) -> str:
        return f"operation {self.operation_id} cannot be undone: {self.reason}"


@dataclass
class LaterOperations(HandError):
    """Later operations touched the same people; `operation_ids`, the newest first, have to be undone before."""

    operation_id: int
    operation_ids: tuple[int, ...]

    def __str__(self) -> str:
        later = ", ".join(str(number) for number in self.operation_ids)
        return f"operation {self.operation_id} has later ones built on it: undo {later} first"


class CorrectionsUnavailable(HandError):
    """Only RuID's own engine remembers enough to be corrected."""

    def __str__(self) -> str:
        return "this engine cannot be corrected: run the hub with RUID_ENGINE=ruid"


@dataclass
class WrongEmbedding(HandError):
    """What was searched with is of another length than what this hub compares."""

    expected: int
    found: int

    def __str__(self) -> str:
        return f"this hub compares embeddings of {self.expected} values, not of {self.found}: use its own model's"


class NotWritten(HandError):
    """The database could not be written; nothing has changed."""

    def __str__(self) -> str:
        return "the database cannot be written, so nothing was changed: make room on the disk and try again"
