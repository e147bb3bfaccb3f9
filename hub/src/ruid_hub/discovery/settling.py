"""Which of two hubs stays: a rule that both come to by themselves."""

from dataclasses import dataclass
from enum import Enum


class Standing(Enum):
    """How far a device is with being the hub."""

    CANDIDATE = "candidate"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Announced:
    """What a device says of itself; `has_nodes` once it has let a node in."""

    hub_id: str
    standing: Standing
    has_nodes: bool


def gives_way(own: Announced, other: Announced) -> bool:
    """Whether `own` leaves the place to `other`; never both, and always one unless both have nodes."""
    if own.has_nodes and other.has_nodes:
        return False
    return _rank(other) < _rank(own)


def _rank(hub: Announced) -> tuple[bool, bool, str]:
    return (not hub.has_nodes, hub.standing is not Standing.HUB, hub.hub_id)
