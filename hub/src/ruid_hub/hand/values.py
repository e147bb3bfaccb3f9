"""What the operator's hand gives back; pages and API show these as they are."""

from dataclasses import dataclass
from enum import StrEnum

from ruid_hub.observations import TrackKey


class OperationKind(StrEnum):
    """What an operator did."""

    RENAME = "rename"
    MERGE = "merge"
    SPLIT = "split"
    MOVE = "move"
    NOT_THIS_PERSON = "not_this_person"
    DIFFERENT = "different"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the audit trail.

    `identity_id` is whom it was about and who stands afterwards (the kept one of a merge, the new one of a split
    or a move to somebody new), `other_id` the other person concerned. `tracks` are the sightings that changed
    hands. `undoable` says whether `undo` would work now.
    """

    operation_id: int
    kind: OperationKind
    actor: str
    at_s: float
    identity_id: str
    other_id: str | None
    tracks: tuple[TrackKey, ...]
    text: str
    undoable: bool
    undone_at_s: float | None = None
    undone_by: str | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two identities that may be one person: `probability` (0..1) that they are."""

    first_id: str
    second_id: str
    similarity: float
    probability: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """Somebody who looks like what was searched for; `label` is the operator's name for them, if any."""

    identity_id: str
    label: str | None
    similarity: float
    probability: float


@dataclass(frozen=True, slots=True)
class Prototype:
    """A sighting that was compared with, and how alike it is."""

    track: TrackKey
    identity_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Spoke:
    """One thing that spoke: its kind (similarity, price, prior, crops, in view, operator), weight, and in words."""

    kind: str
    weight: float
    text: str


@dataclass(frozen=True, slots=True)
class FormerIdentity:
    """Whom a sighting belonged to before: until when, and why it moved (`observation`, `consolidation`, ...)."""

    identity_id: str
    until_s: float
    cause: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a sighting belongs to whom it does.

    `nearest` are the most alike sightings, of anybody; `alternatives` who else it could be, the likeliest first;
    `previous` whom it belonged to before, the oldest first.
    """

    track: TrackKey
    identity_id: str
    label: str | None
    state: str
    probability: float
    nearest: tuple[Prototype, ...]
    spoke: tuple[Spoke, ...]
    alternatives: tuple[Likeness, ...]
    previous: tuple[FormerIdentity, ...]


@dataclass(frozen=True, slots=True)
class Erased:
    """What erasing a person removed for good; the rows that counts come from stay, without a person."""

    identity_id: str
    observations: int
    embeddings: int
    thumbnails: int
