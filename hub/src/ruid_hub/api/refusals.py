"""Which HTTP status says what the hub refuses: the one place where the services' errors meet HTTP."""

from ruid_hub.access import (
    AccessError,
    AlreadySetUp,
    LastAdmin,
    NameTaken,
    TooManyAttempts,
    UnknownAccount,
    WrongCode,
    WrongPassword,
)
from ruid_hub.counting import CountingError, StillReading, UnknownPlace
from ruid_hub.hand import (
    CannotUndo,
    CorrectionsUnavailable,
    HandError,
    InViewTogether,
    LaterOperations,
    LookExpired,
    NothingToChange,
    UnknownOperation,
    UnknownPerson,
    UnknownSighting,
)
from ruid_hub.integrations.choices import IntegrationError, NothingToTest, SetByVariables
from ruid_hub.nodes import (
    NobodyLooked,
    NodeAway,
    NodesError,
    NodeTooOld,
    NoSuchNode,
    NoSuchRequest,
    StillUnavailable,
    TooManyNodes,
)
from ruid_hub.store import BadRetention, StoreWriteError

REFUSED: tuple[type[Exception], ...] = (
    AccessError,
    HandError,
    CountingError,
    NodesError,
    IntegrationError,
    BadRetention,
    StoreWriteError,
)
"""What `status_of` knows; anything that it does not name is a request that makes no sense: 400."""

_STATUS: tuple[tuple[int, tuple[type[Exception], ...]], ...] = (
    (404, (UnknownPerson, UnknownSighting, UnknownOperation, UnknownPlace, NoSuchNode, NoSuchRequest, UnknownAccount)),
    (
        409,
        (
            InViewTogether,
            LookExpired,
            NothingToChange,
            CannotUndo,
            LaterOperations,
            CorrectionsUnavailable,
            NameTaken,
            LastAdmin,
            AlreadySetUp,
            NodeAway,
            NodeTooOld,
            StillUnavailable,
            TooManyNodes,
            SetByVariables,
            NothingToTest,
        ),
    ),
    (403, (WrongPassword, WrongCode)),
    (429, (TooManyAttempts,)),
    (503, (NobodyLooked, StillReading)),
    (507, (StoreWriteError,)),
)


def status_of(error: Exception) -> int:
    """The status of a refusal."""
    return next((status for status, errors in _STATUS if isinstance(error, errors)), 400)
