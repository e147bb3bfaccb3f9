"""Random secrets, and what is kept or shown in their place."""

import hashlib
import hmac
import secrets

TOKEN_PREFIX = "ruid_"  # noqa: S105 - lets scanners and people see what a leaked token is
SECRET_BYTES = 32
CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""None that looks like another."""


def new_secret() -> str:
    """For a cookie: 256 bits that nobody guesses."""
    return secrets.token_urlsafe(SECRET_BYTES)


def new_token() -> str:
    """The same for an API token."""
    return TOKEN_PREFIX + new_secret()


def new_setup_code() -> str:
    """40 bits that somebody copies from a log: with a wait after each wrong one, nobody guesses them."""
    letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def same_code(one: str, other: str) -> bool:
    """However they were typed."""
    return same(*("".join(code.upper().replace("-", "").split()) for code in (one, other)))


def digest(secret: str) -> bytes:
    """What the database keeps: a long random secret needs no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def derived(secret: str, purpose: str) -> str:
    """Another secret that tells nothing of the first: a session's CSRF token."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare in a time that tells nothing."""
    return hmac.compare_digest(one.encode(), other.encode())
