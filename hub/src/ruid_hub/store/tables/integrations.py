"""Integrations that are set in the browser; their secrets are sealed with a key that lies beside the database."""

from sqlalchemy import Column, LargeBinary, Table, Text

from ruid_hub.store.tables.base import REAL, metadata

integrations = Table(
    "integrations",
    metadata,
    Column("name", Text, primary_key=True),
    # JSON of what may be shown.
    Column("plain", Text, nullable=False),
    # JSON of what may not, sealed; empty where there is none.
    Column("sealed", LargeBinary, nullable=False),
    Column("changed_at_s", REAL, nullable=False),
    Column("changed_by", Text, nullable=False),
)
