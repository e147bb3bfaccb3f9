"""Keeps the secrets of integrations unreadable in the database.

They have to be sent to others as they are, so they cannot be kept as digests. They are encrypted (Fernet: AES-128-CBC
with HMAC-SHA256) with a key that lies in a file of its own in the state folder: a copy of the database alone, a dump
of PostgreSQL or a stolen page of it, tells nothing. Who has the whole state folder, or a backup of the hub, has both.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from ruid_hub.authority.files import write_secret

KEY_FILE = "integrations.key"


class Sealer:
    """One per hub; `folder` is its state folder. The key is made when the first secret is kept."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / KEY_FILE

    def seal(self, secrets: Mapping[str, str]) -> bytes:
        """Nothing at all where there is no secret."""
        if not secrets:
            return b""
        if not self._path.exists():
            write_secret(self._path, Fernet.generate_key())
        return Fernet(self._path.read_bytes()).encrypt(json.dumps(dict(secrets)).encode())

    def unseal(self, sealed: bytes) -> dict[str, str]:
        """What was sealed; nothing where the key is another one, as in a database without its folder."""
        if not sealed:
            return {}
        try:
            return json.loads(Fernet(self._path.read_bytes()).decrypt(sealed))
        except (OSError, ValueError, InvalidToken):
            return {}
