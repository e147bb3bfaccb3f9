"""Checksums of what was fetched without one being known: recorded at the first download, asked for at every later one.

The first download is trusted as far as the connection to the publisher is; that it is the file that the publisher
meant is known only where the catalogue or the user states a checksum.
"""

from pathlib import Path

import msgspec

from ruid_tools.errors import ToolError

_FILE = "pins.json"


class DamagedPinsError(ToolError):
    """The record of checksums cannot be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} cannot be read: mend it, or remove it to trust the next downloads as first ones"


def read_pins(folder: Path) -> dict[str, str]:
    """Return the recorded SHA-256 checksums by address; raise `DamagedPinsError`."""
    path = folder / _FILE
    if not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except msgspec.DecodeError as error:
        raise DamagedPinsError(path) from error


def pin(folder: Path, url: str, sha256: str) -> None:
    """Record the checksum of what an address gave; a file written halfway is never left."""
    pins = {**read_pins(folder), url: sha256}
    written = folder / f"{_FILE}.partial"
    written.write_bytes(msgspec.json.format(msgspec.json.encode(dict(sorted(pins.items()))), indent=1))
    written.replace(folder / _FILE)
