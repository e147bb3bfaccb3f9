"""What is counted: who was where in which hour, crossings, stays in zones; sites, and when nodes were running."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from ruid_hub.store.tables.base import REAL, metadata

DEFAULT_SITE = 1
"""The site that every hub has, and that a camera belongs to until somebody says otherwise."""

sites = Table(
    "sites",
    metadata,
    Column("site_key", Integer, primary_key=True),
    Column("site_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    # An IANA name; empty for the hub's own.
    Column("time_zone", Text, nullable=False),
)

boots = Table(
    "boots",
    metadata,
    Column("boot_key", Integer, primary_key=True),
    Column("node_key", Integer, ForeignKey("nodes.node_key"), nullable=False),
    Column("boot_epoch", BigInteger, nullable=False),
    # While a node runs its cameras see, or it reports a gap: also while the hub cannot hear it.
    Column("started_at_s", REAL, nullable=False),
    Column("heard_at_s", REAL, nullable=False),
    UniqueConstraint("node_key", "boot_epoch"),
    Index(None, "heard_at_s"),
)

appearances = Table(
    "appearances",
    metadata,
    Column("appearance_id", Integer, primary_key=True),
    Column("camera_key", Integer, ForeignKey("cameras.camera_key"), nullable=False),
    Column("boot_epoch", BigInteger, nullable=False),
    Column("track_id", BigInteger, nullable=False),
    # Hours since the Unix epoch in which the observations behind it began.
    Column("hour", Integer, nullable=False),
    Column("first_s", REAL, nullable=False),
    Column("last_s", REAL, nullable=False),
    # Negative for somebody who was erased: still one person to count, and nothing more.
    Column("identity_key", BigInteger),
    Column("probability", REAL),
    Column("newcomer", Boolean, nullable=False),
    # Holds the track's first part: an answer is doubted once, however many hours the track lasts.
    Column("begins", Boolean, nullable=False),
    UniqueConstraint("camera_key", "boot_epoch", "track_id", "hour"),
    Index(None, "hour"),
    # All that a person's card says of places, without a look at the rows.
    Index(None, "identity_key", "camera_key", "first_s", "begins"),
    # The tracks that identities were made for.
    Index(
        "ix_appearances_founders",
        "identity_key",
        sqlite_where=text("newcomer = 1"),
        postgresql_where=text("newcomer"),
    ),
)

crossings = Table(
    "crossings",
    metadata,
    Column("crossing_id", Integer, primary_key=True),
    Column("node_key", Integer, ForeignKey("nodes.node_key"), nullable=False),
    Column("boot_epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("camera_key", Integer, ForeignKey("cameras.camera_key"), nullable=False),
    Column("track_id", BigInteger, nullable=False),
    Column("line_id", Text, nullable=False),
    Column("direction", Integer, nullable=False),
    Column("at_s", REAL, nullable=False),
    UniqueConstraint("node_key", "boot_epoch", "seq"),
    Index(None, "at_s"),
)

stays = Table(
    "stays",
    metadata,
    Column("stay_key", Integer, primary_key=True),
    Column("node_key", Integer, ForeignKey("nodes.node_key"), nullable=False),
    Column("boot_epoch", BigInteger, nullable=False),
    # The newest item that told of the stay.
    Column("seq", BigInteger, nullable=False),
    Column("camera_key", Integer, ForeignKey("cameras.camera_key"), nullable=False),
    Column("track_id", BigInteger, nullable=False),
    Column("zone_id", Text, nullable=False),
    Column("stay", Integer, nullable=False),
    Column("entered_at_s", REAL, nullable=False),
    Column("left_at_s", REAL, nullable=False),
    Column("final", Boolean, nullable=False),
    UniqueConstraint("camera_key", "boot_epoch", "track_id", "zone_id", "stay"),
    Index(None, "entered_at_s"),
)

adjustments = Table(
    "adjustments",
    metadata,
    Column("adjustment_id", Integer, primary_key=True),
    # What was adjusted, as `site:<id>`, `camera:<id>` or `zone:<camera>/<id>`.
    Column("place", Text, nullable=False),
    Column("at_s", REAL, nullable=False),
    # How many people were there at that moment, whatever was counted until then.
    Column("people", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Index(None, "place", "at_s"),
)
