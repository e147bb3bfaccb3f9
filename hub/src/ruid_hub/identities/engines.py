"""Which engines there are, and how each is built."""

from collections.abc import Callable
from dataclasses import dataclass

from ruid_core.identity import IdentityEngine, IdentityError, IdentitySettings, TrackletEngine

ENGINE_NAMES = ("ruid",)


@dataclass
class UnknownEngine(IdentityError):
    """No engine goes by this name."""

    name: str

    def __str__(self) -> str:
        return f"no identity engine {self.name!r}; there are {', '.join(ENGINE_NAMES)}"


def build_engine(
    name: str = "ruid", *, next_identity_id: Callable[[], str], settings: IdentitySettings | None = None
) -> IdentityEngine:
    """A fresh engine; raises `UnknownEngine`."""
    if name not in ENGINE_NAMES:
        raise UnknownEngine(name)
    return TrackletEngine(next_identity_id=next_identity_id, settings=settings)
