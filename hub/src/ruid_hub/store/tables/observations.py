"""What the nodes sent, and whose it is."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from ruid_hub.store.tables.base import REAL, metadata

nodes = Table(
    "nodes",
    metadata,
    Column("node_key", Integer, primary_key=True),
    Column("node_id", Text, nullable=False, unique=True),
    Column("resume_boot_epoch", BigInteger),
    Column("resume_seq", BigInteger),
)

cameras = Table(
    "cameras",
    metadata,
    Column("camera_key", Integer, primary_key=True),
    Column("node_key", Integer, ForeignKey("nodes.node_key"), nullable=False),
    Column("camera", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("last_heard_s", REAL),
    Column("site_key", Integer, nullable=False, server_default="1"),
)

identities = Table(
    "identities",
    metadata,
    Column("identity_key", Integer, primary_key=True),
    Column("identity_id", Text, nullable=False, unique=True),
    Column("label", Text),
    Column("first_seen_s", REAL, nullable=False),
    Column("last_seen_s", REAL, nullable=False),
    Index(None, "last_seen_s"),
    Index(None, "label", sqlite_where=text("label IS NOT NULL"), postgresql_where=text("label IS NOT NULL")),
)

observations = Table(
    "observations",
    metadata,
    Column("observation_id", Integer, primary_key=True),
    Column("node_key", Integer, ForeignKey("nodes.node_key"), nullable=False),
    Column("boot_epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("camera_key", Integer, ForeignKey("cameras.camera_key"), nullable=False),
    Column("track_id", BigInteger, nullable=False),
    Column("part", Integer, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("started_at_s", REAL, nullable=False),
    Column("ended_at_s", REAL, nullable=False),
    Column("grabbed_at_s", REAL, nullable=False),
    Column("received_at_s", REAL, nullable=False),
    Column("x1_rel", REAL, nullable=False),
    Column("y1_rel", REAL, nullable=False),
    Column("x2_rel", REAL, nullable=False),
    Column("y2_rel", REAL, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("identity_key", Integer, ForeignKey("identities.identity_key")),
    Column("assignment_state", Text),
    Column("assignment_probability", REAL),
    UniqueConstraint("node_key", "boot_epoch", "seq"),
    Index(None, "camera_key", "boot_epoch", "track_id"),
    Index(None, "identity_key", "ended_at_s"),
    Index(None, "ended_at_s"),
    # Ids show in thumbnail addresses: one that was given to a person must never come back for another.
    sqlite_autoincrement=True,
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("observation_id", Integer, ForeignKey("observations.observation_id"), primary_key=True),
    Column("taken_at_s", REAL, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("dim", Integer, nullable=False),
    Column("embeddings_f16", LargeBinary, nullable=False),
    Column("qualities_f16", LargeBinary, nullable=False),
    Index(None, "taken_at_s"),
)

thumbnails = Table(
    "thumbnails",
    metadata,
    Column("observation_id", Integer, ForeignKey("observations.observation_id"), primary_key=True),
    Column("taken_at_s", REAL, nullable=False),
    Column("jpeg", LargeBinary, nullable=False),
    Index(None, "taken_at_s"),
)

gaps = Table(
    "gaps",
    metadata,
    Column("gap_id", Integer, primary_key=True),
    Column("camera_key", Integer, ForeignKey("cameras.camera_key"), nullable=False),
    Column("from_s", REAL, nullable=False),
    Column("to_s", REAL, nullable=False),
    Column("reason", Text, nullable=False),
    Column("node_key", Integer, ForeignKey("nodes.node_key"), nullable=False),
    # Empty where the hub itself saw the gap.
    Column("boot_epoch", BigInteger),
    Column("seq", BigInteger),
    UniqueConstraint("node_key", "boot_epoch", "seq"),
    Index(None, "camera_key", "to_s"),
    Index(None, "to_s"),
)

drops = Table(
    "drops",
    metadata,
    Column("drop_id", Integer, primary_key=True),
    Column("node_key", Integer, ForeignKey("nodes.node_key"), nullable=False),
    Column("boot_epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("items", BigInteger, nullable=False),
    Column("received_at_s", REAL, nullable=False),
    UniqueConstraint("node_key", "boot_epoch", "seq"),
    Index(None, "received_at_s"),
)
