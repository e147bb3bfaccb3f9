"""A database as the store needs it, whichever it is: one writer, several readers, upkeep."""

from typing import Protocol

from sqlalchemy import Engine

READERS = 4


class Database(Protocol):
    """Open until `close`. `place` is what messages call it."""

    place: str
    writer: Engine
    readers: Engine

    def size_bytes(self) -> int:
        """What it takes on the disk."""
        ...

    def free_bytes(self) -> int | None:
        """What the disk under it has left; None where that cannot be known from here."""
        ...

    def tidy(self) -> None:
        """Give back the room of what was deleted. The caller holds the writer; it takes milliseconds at a time."""
        ...

    def scrub(self) -> None:
        """Leave nothing readable of what was deleted. The caller holds the writer."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...
