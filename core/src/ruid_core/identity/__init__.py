"""Tracks of all cameras become identities: people as the site believes them to be.

Evidence about one track goes in, a decision about that track comes out, at once and while the person is still
in view; later evidence may revise it. Every threshold is learned from the stream itself.
"""

from ruid_core.identity.checks import check_evidence
from ruid_core.identity.clocks import CameraClocks
from ruid_core.identity.corrections import Correction, Relabelled, resting_on
from ruid_core.identity.engine import TrackletEngine
from ruid_core.identity.errors import (
    CorrectionRefused,
    EvidenceRefused,
    IdentityError,
    InViewTogether,
    NoEmbeddings,
    NotFinite,
    NothingToChange,
    TimeWentBackwards,
    TrackMoved,
    UnknownIdentity,
    UnknownTrack,
    WrongDimension,
    WrongModel,
    WrongShape,
    ZeroNorm,
)
from ruid_core.identity.hand import Hand
from ruid_core.identity.insight import Explanation, Nearest, Suggestion
from ruid_core.identity.rethinking import Rethinking
from ruid_core.identity.settings import IdentitySettings
from ruid_core.identity.statements import Statement
from ruid_core.identity.values import (
    Alternative,
    Decision,
    Evidence,
    IdentityEngine,
    IdentityState,
    Reason,
    Revision,
    UniqueEstimate,
)

__all__ = [
    "Alternative",
    "CameraClocks",
    "Correction",
    "CorrectionRefused",
    "Decision",
    "Evidence",
    "EvidenceRefused",
    "Explanation",
    "Hand",
    "IdentityEngine",
    "IdentityError",
    "IdentitySettings",
    "IdentityState",
    "InViewTogether",
    "Nearest",
    "NoEmbeddings",
    "NotFinite",
    "NothingToChange",
    "Reason",
    "Relabelled",
    "Rethinking",
    "Revision",
    "Statement",
    "Suggestion",
    "TimeWentBackwards",
    "TrackMoved",
    "TrackletEngine",
    "UniqueEstimate",
    "UnknownIdentity",
    "UnknownTrack",
    "WrongDimension",
    "WrongModel",
    "WrongShape",
    "ZeroNorm",
    "check_evidence",
    "resting_on",
]
