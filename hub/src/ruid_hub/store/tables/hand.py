"""What operators decided, and whom tracks belonged to before."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from ruid_hub.store.tables.base import REAL, metadata

operations = Table(
    "operations",
    metadata,
    Column("operation_id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at_s", REAL, nullable=False),
    Column("identity_id", Text, nullable=False),
    Column("other_id", Text),
    Column("text", Text, nullable=False),
    # What it changed, as JSON, to undo it and to hold to it after a restart; empty where neither can be.
    Column("correction", Text),
    Column("undone_at_s", REAL),
    Column("undone_by", Text),
    Index(None, "identity_id"),
    Index(None, "other_id"),
    sqlite_autoincrement=True,
)

former_identities = Table(
    "former_identities",
    metadata,
    Column("former_key", Integer, primary_key=True),
    Column("camera_key", Integer, ForeignKey("cameras.camera_key"), nullable=False),
    Column("boot_epoch", BigInteger, nullable=False),
    Column("track_id", BigInteger, nullable=False),
    Column("identity_id", Text, nullable=False),
    Column("until_s", REAL, nullable=False),
    Column("cause", Text, nullable=False),
    Index(None, "camera_key", "boot_epoch", "track_id"),
    Index(None, "until_s"),
    Index(None, "identity_id"),
)
