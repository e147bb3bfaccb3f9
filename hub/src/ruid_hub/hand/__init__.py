"""The operator's hand: rename, merge, split, move, "not this person", erase, undo, and why.

`HubService.hand` is the one `OperatorHand` of a running hub. Tracks are `TrackKey`s; `TrackKey.from_text` reads
the text of one back. Errors are `HandError`s whose text tells the operator what to do.
"""

from ruid_hub.hand.corrections import Corrected, Corrections
from ruid_hub.hand.errors import (
    CannotUndo,
    CorrectionsUnavailable,
    HandError,
    InViewTogether,
    LaterOperations,
    LookExpired,
    NothingToChange,
    NotWritten,
    UnknownOperation,
    UnknownPerson,
    UnknownSighting,
    WrongEmbedding,
)
from ruid_hub.hand.operator import OperatorHand
from ruid_hub.hand.values import (
    Erased,
    Explanation,
    FormerIdentity,
    Likeness,
    Operation,
    OperationKind,
    Prototype,
    Spoke,
    Suggestion,
)

__all__ = [
    "CannotUndo",
    "Corrected",
    "Corrections",
    "CorrectionsUnavailable",
    "Erased",
    "Explanation",
    "FormerIdentity",
    "HandError",
    "InViewTogether",
    "LaterOperations",
    "Likeness",
    "LookExpired",
    "NotWritten",
    "NothingToChange",
    "Operation",
    "OperationKind",
    "OperatorHand",
    "Prototype",
    "Spoke",
    "Suggestion",
    "UnknownOperation",
    "UnknownPerson",
    "UnknownSighting",
    "WrongEmbedding",
]
