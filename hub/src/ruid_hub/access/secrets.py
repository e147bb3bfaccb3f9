"""Random secrets, and what is kept or shown in their place."""

import hashlib
import hmac
import secrets

TOKEN_PREFIX = "ruid_"  # noqa: S105 - lets scanners and people see what a leaked token is
SECRET_BYTES = 32


def new_secret() -> str:
    """For a cookie: 256 bits that nobody guesses."""
    return secrets.token_urlsafe(SECRET_BYTES)


def new_token() -> str:
    """The same for an API token."""
    return TOKEN_PREFIX + new_secret()


def digest(secret: str) -> bytes:
    """What the database keeps: a long random secret needs no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def derived(secret: str, purpose: str) -> str:
    """Another secret that tells nothing of the first: a session's CSRF token."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare in a time that tells nothing."""
    return hmac.compare_digest(one.encode(), other.encode())
