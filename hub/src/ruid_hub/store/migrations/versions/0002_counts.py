"""Crossings, stays and what else is counted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

REAL = sa.Double[float]()
TABLES = ("adjustments", "stays", "crossings", "appearances", "boots", "sites")


def upgrade() -> None:
    """Make the tables, give every camera to the first site, and count what has been observed already."""
    _create_sites()
    _create_boots()
    _create_appearances()
    _create_crossings()
    _create_stays()
    _create_adjustments()
    op.add_column("cameras", sa.Column("site_key", sa.Integer(), nullable=False, server_default="1"))
    op.execute("INSERT INTO sites (site_key, site_id, name, time_zone) VALUES (1, 'main', 'Main', '')")
    op.execute(_COUNT_WHAT_IS_THERE.replace("{hour}", _hour("started_at_s")))
    op.execute(_WHEN_NODES_RAN)


def downgrade() -> None:
    """Drop them."""
    for table in TABLES:
        op.drop_table(table)
    op.drop_column("cameras", "site_key")


def _hour(column: str) -> str:
    """Whole hours since the epoch; PostgreSQL rounds where SQLite cuts off."""
    return f"CAST({'floor' if op.get_bind().dialect.name == 'postgresql' else ''}({column} / 3600.0) AS INTEGER)"


_COUNT_WHAT_IS_THERE = """
INSERT INTO appearances
  (camera_key, boot_epoch, track_id, hour, first_s, last_s, identity_key, probability, newcomer, begins)
SELECT camera_key, boot_epoch, track_id, {hour}, min(started_at_s), max(ended_at_s), max(identity_key),
  avg(assignment_probability), max(CASE WHEN assignment_state = 'new' THEN 1 ELSE 0 END) = 1,
  min(part) = 0
FROM observations GROUP BY camera_key, boot_epoch, track_id, {hour}
"""

_WHEN_NODES_RAN = """
INSERT INTO boots (node_key, boot_epoch, started_at_s, heard_at_s)
SELECT node_key, boot_epoch, min(started_at_s), max(received_at_s) FROM observations GROUP BY node_key, boot_epoch
"""


def _create_sites() -> None:
    op.create_table(
        "sites",
        sa.Column("site_key", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("site_key", name=op.f("pk_sites")),
        sa.UniqueConstraint("site_id", name=op.f("uq_sites_site_id")),
    )


def _create_boots() -> None:
    op.create_table(
        "boots",
        sa.Column("boot_key", sa.Integer(), nullable=False),
        sa.Column("node_key", sa.Integer(), nullable=False),
        sa.Column("boot_epoch", sa.BigInteger(), nullable=False),
        sa.Column("started_at_s", REAL, nullable=False),
        sa.Column("heard_at_s", REAL, nullable=False),
        sa.ForeignKeyConstraint(["node_key"], ["nodes.node_key"], name=op.f("fk_boots_node_key")),
        sa.PrimaryKeyConstraint("boot_key", name=op.f("pk_boots")),
        sa.UniqueConstraint("node_key", "boot_epoch", name=op.f("uq_boots_node_key_boot_epoch")),
    )
    op.create_index(op.f("ix_boots_heard_at_s"), "boots", ["heard_at_s"], unique=False)


def _create_appearances() -> None:
    op.create_table(
        "appearances",
        sa.Column("appearance_id", sa.Integer(), nullable=False),
        sa.Column("camera_key", sa.Integer(), nullable=False),
        sa.Column("boot_epoch", sa.BigInteger(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("first_s", REAL, nullable=False),
        sa.Column("last_s", REAL, nullable=False),
        sa.Column("identity_key", sa.BigInteger(), nullable=True),
        sa.Column("probability", REAL, nullable=True),
        sa.Column("newcomer", sa.Boolean(), nullable=False),
        sa.Column("begins", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["camera_key"], ["cameras.camera_key"], name=op.f("fk_appearances_camera_key")),
        sa.PrimaryKeyConstraint("appearance_id", name=op.f("pk_appearances")),
        sa.UniqueConstraint(
            "camera_key",
            "boot_epoch",
            "track_id",
            "hour",
            name=op.f("uq_appearances_camera_key_boot_epoch_track_id_hour"),
        ),
    )
    op.create_index(op.f("ix_appearances_hour"), "appearances", ["hour"], unique=False)


def _create_crossings() -> None:
    op.create_table(
        "crossings",
        sa.Column("crossing_id", sa.Integer(), nullable=False),
        sa.Column("node_key", sa.Integer(), nullable=False),
        sa.Column("boot_epoch", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("camera_key", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Integer(), nullable=False),
        sa.Column("at_s", REAL, nullable=False),
        sa.ForeignKeyConstraint(["camera_key"], ["cameras.camera_key"], name=op.f("fk_crossings_camera_key")),
        sa.ForeignKeyConstraint(["node_key"], ["nodes.node_key"], name=op.f("fk_crossings_node_key")),
        sa.PrimaryKeyConstraint("crossing_id", name=op.f("pk_crossings")),
        sa.UniqueConstraint("node_key", "boot_epoch", "seq", name=op.f("uq_crossings_node_key_boot_epoch_seq")),
    )
    op.create_index(op.f("ix_crossings_at_s"), "crossings", ["at_s"], unique=False)


def _create_stays() -> None:
    op.create_table(
        "stays",
        sa.Column("stay_key", sa.Integer(), nullable=False),
        sa.Column("node_key", sa.Integer(), nullable=False),
        sa.Column("boot_epoch", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("camera_key", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        sa.Column("zone_id", sa.Text(), nullable=False),
        sa.Column("stay", sa.Integer(), nullable=False),
        sa.Column("entered_at_s", REAL, nullable=False),
        sa.Column("left_at_s", REAL, nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["camera_key"], ["cameras.camera_key"], name=op.f("fk_stays_camera_key")),
        sa.ForeignKeyConstraint(["node_key"], ["nodes.node_key"], name=op.f("fk_stays_node_key")),
        sa.PrimaryKeyConstraint("stay_key", name=op.f("pk_stays")),
        sa.UniqueConstraint(
            "camera_key",
            "boot_epoch",
            "track_id",
            "zone_id",
            "stay",
            name=op.f("uq_stays_camera_key_boot_epoch_track_id_zone_id_stay"),
        ),
    )
    op.create_index(op.f("ix_stays_entered_at_s"), "stays", ["entered_at_s"], unique=False)


def _create_adjustments() -> None:
    op.create_table(
        "adjustments",
        sa.Column("adjustment_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("at_s", REAL, nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("adjustment_id", name=op.f("pk_adjustments")),
    )
    op.create_index(op.f("ix_adjustments_place_at_s"), "adjustments", ["place", "at_s"], unique=False)
