"""Who may come in: users, sessions, tokens, and what they did.

Nothing that lets anybody in is kept as it is: passwords as argon2 hashes, session and API tokens as SHA-256 digests.
"""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from ruid_hub.store.tables.base import REAL, metadata

users = Table(
    "users",
    metadata,
    Column("user_key", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    # JSON list of cameras and nodes, or empty for everything.
    Column("reach", Text),
    Column("password_hash", Text),
    Column("created_at_s", REAL, nullable=False),
    Column("signed_in_at_s", REAL),
    # Who they are to an identity provider, as `<issuer> <subject>`; empty for the hub's own users.
    Column("subject", Text),
    Index(None, "subject", unique=True),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_key", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("user_key", Integer, ForeignKey("users.user_key", ondelete="CASCADE"), nullable=False),
    Column("created_at_s", REAL, nullable=False),
    Column("seen_at_s", REAL, nullable=False),
    Column("address", Text, nullable=False),
    Column("browser", Text, nullable=False),
    Index(None, "user_key"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_key", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("user_key", Integer, ForeignKey("users.user_key", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    # JSON list of what it may be used for.
    Column("permits", Text, nullable=False),
    Column("created_at_s", REAL, nullable=False),
    Column("expires_at_s", REAL),
    Column("used_at_s", REAL),
    Index(None, "user_key"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("entry_id", Integer, primary_key=True),
    Column("at_s", REAL, nullable=False),
    Column("actor", Text, nullable=False),
    Column("way", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index(None, "at_s"),
    Index(None, "subject"),
    sqlite_autoincrement=True,
)

hub_settings = Table(
    "hub_settings",
    metadata,
    Column("name", Text, primary_key=True),
    # JSON.
    Column("value", Text, nullable=False),
)
