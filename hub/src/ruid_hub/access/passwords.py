"""Hashing passwords with argon2id."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ruid_hub.access.errors import UnusablePassword

LEAST, MOST = 10, 256
MEMORY_KIB = 32 * 1024
"""The hub lives in half a gigabyte: a guess costs memory, but never that of several guesses at once."""


class Passwords:
    """Makes and checks hashes, one at a time: that bounds memory, and guessing, whatever knocks at the door."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=3, memory_cost=MEMORY_KIB, parallelism=1)
        self._one_at_a_time = threading.Lock()
        self._nobody = self.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """Takes about a tenth of a second on purpose; raises UnusablePassword."""
        if not LEAST <= len(password) <= MOST:
            raise UnusablePassword(LEAST, MOST)
        with self._one_at_a_time:
            return self._hasher.hash(password)

    def fits(self, password: str, password_hash: str | None) -> bool:
        """Whether the password made the hash; without a hash it takes just as long and is False."""
        with self._one_at_a_time:
            try:
                fits = self._hasher.verify(password_hash or self._nobody, password[: MOST + 1])
            except (VerificationError, InvalidHashError):
                return False
        return fits and password_hash is not None
