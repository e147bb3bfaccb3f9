"""What identity refuses, by name.

    IdentityError
    ├── EvidenceRefused            the evidence is bad; the engine's state is as it was before
    │   ├── NoEmbeddings           not one row
    │   ├── WrongShape             not (K, D) with (K,) qualities
    │   ├── NotFinite              NaN or infinity in embeddings, qualities or times
    │   ├── ZeroNorm               a row without a direction
    │   ├── WrongDimension         D differs from the gallery's
    │   ├── WrongModel             embeddings of another model cannot be compared
    │   ├── TimeWentBackwards      older than what this track or camera has already shown
    │   └── TrackMoved             the track was first seen by another camera
    ├── UnknownTrack               the track was never observed, or has been forgotten
    ├── UnknownIdentity            nobody has this identity_id
    └── CorrectionRefused          an operator asks for what cannot be; nothing has changed
        ├── InViewTogether         two tracks of one camera that overlap in time are two people
        └── NothingToChange        it is so already

Callers count refusals by `type(error).__name__`.
"""

from dataclasses import dataclass


class IdentityError(Exception):
    """Everything that identity raises."""


class EvidenceRefused(IdentityError):
    """The evidence is bad; nothing was learned from it."""


class NoEmbeddings(EvidenceRefused):
    """Evidence without a single embedding."""


@dataclass
class WrongShape(EvidenceRefused):
    """Embeddings are not (K, D), or qualities not (K,)."""

    embeddings_shape: tuple[int, ...]
    qualities_shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"embeddings {self.embeddings_shape} do not fit qualities {self.qualities_shape}"


class NotFinite(EvidenceRefused):
    """A NaN or an infinity in embeddings, qualities or times."""


class ZeroNorm(EvidenceRefused):
    """An embedding of zero length has no direction to compare."""


@dataclass
class WrongDimension(EvidenceRefused):
    """Embeddings of another length than the gallery's."""

    expected: int
    found: int

    def __str__(self) -> str:
        return f"expected embeddings of {self.expected} values, found {self.found}"


@dataclass
class WrongModel(EvidenceRefused):
    """Embeddings of another model; start a new gallery or re-embed."""

    expected: str
    found: str

    def __str__(self) -> str:
        return f"the gallery holds embeddings of {self.expected!r}, found {self.found!r}"


@dataclass
class TimeWentBackwards(EvidenceRefused):
    """Time ran backwards within one camera."""

    camera: str
    latest_s: float
    found_s: float

    def __str__(self) -> str:
        return f"camera {self.camera!r} was at {self.latest_s:.3f} s and now says {self.found_s:.3f} s"


@dataclass
class TrackMoved(EvidenceRefused):
    """A track belongs to one camera for ever."""

    track: str
    camera: str
    found: str

    def __str__(self) -> str:
        return f"track {self.track!r} belongs to camera {self.camera!r}, not to {self.found!r}"


@dataclass
class UnknownTrack(IdentityError):
    """Never observed, or forgotten since."""

    track: str

    def __str__(self) -> str:
        return f"no track {self.track!r}"


@dataclass
class UnknownIdentity(IdentityError):
    """Nobody has this identity_id."""

    identity_id: str

    def __str__(self) -> str:
        return f"no identity {self.identity_id!r}"


class CorrectionRefused(IdentityError):
    """An operator's correction cannot be made."""


@dataclass
class InViewTogether(CorrectionRefused):
    """One camera saw both tracks at one time, so they are two people."""

    one: str
    other: str

    def __str__(self) -> str:
        return f"tracks {self.one!r} and {self.other!r} were in view of one camera at the same time"


class NothingToChange(CorrectionRefused):
    """It is so already."""
