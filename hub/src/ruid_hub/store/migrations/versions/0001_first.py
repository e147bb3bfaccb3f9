"""The first schema: nodes, cameras, identities, observations with their evidence, gaps and drops."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

REAL = sa.Double[float]()


def upgrade() -> None:
    """Make every table, those that others point at first."""
    _create_nodes()
    _create_cameras()
    _create_identities()
    _create_observations()
    _create_embeddings()
    _create_thumbnails()
    _create_gaps()
    _create_drops()


def downgrade() -> None:
    """Drop everything."""
    for table in ("drops", "gaps", "thumbnails", "embeddings", "observations", "identities", "cameras", "nodes"):
        op.drop_table(table)


def _create_nodes() -> None:
    op.create_table(
        "nodes",
        sa.Column("node_key", sa.Integer(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("resume_boot_epoch", sa.BigInteger(), nullable=True),
        sa.Column("resume_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("node_key", name=op.f("pk_nodes")),
        sa.UniqueConstraint("node_id", name=op.f("uq_nodes_node_id")),
    )


def _create_cameras() -> None:
    op.create_table(
        "cameras",
        sa.Column("camera_key", sa.Integer(), nullable=False),
        sa.Column("node_key", sa.Integer(), nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_heard_s", REAL, nullable=True),
        sa.ForeignKeyConstraint(["node_key"], ["nodes.node_key"], name=op.f("fk_cameras_node_key")),
        sa.PrimaryKeyConstraint("camera_key", name=op.f("pk_cameras")),
        sa.UniqueConstraint("camera", name=op.f("uq_cameras_camera")),
    )


def _create_identities() -> None:
    op.create_table(
        "identities",
        sa.Column("identity_key", sa.Integer(), nullable=False),
        sa.Column("identity_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("first_seen_s", REAL, nullable=False),
        sa.Column("last_seen_s", REAL, nullable=False),
        sa.PrimaryKeyConstraint("identity_key", name=op.f("pk_identities")),
        sa.UniqueConstraint("identity_id", name=op.f("uq_identities_identity_id")),
    )
    op.create_index(op.f("ix_identities_last_seen_s"), "identities", ["last_seen_s"], unique=False)


def _create_observations() -> None:
    op.create_table(
        "observations",
        sa.Column("observation_id", sa.Integer(), nullable=False),
        sa.Column("node_key", sa.Integer(), nullable=False),
        sa.Column("boot_epoch", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("camera_key", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("started_at_s", REAL, nullable=False),
        sa.Column("ended_at_s", REAL, nullable=False),
        sa.Column("grabbed_at_s", REAL, nullable=False),
        sa.Column("received_at_s", REAL, nullable=False),
        sa.Column("x1_rel", REAL, nullable=False),
        sa.Column("y1_rel", REAL, nullable=False),
        sa.Column("x2_rel", REAL, nullable=False),
        sa.Column("y2_rel", REAL, nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("identity_key", sa.Integer(), nullable=True),
        sa.Column("assignment_state", sa.Text(), nullable=True),
        sa.Column("assignment_probability", REAL, nullable=True),
        sa.ForeignKeyConstraint(["camera_key"], ["cameras.camera_key"], name=op.f("fk_observations_camera_key")),
        sa.ForeignKeyConstraint(
            ["identity_key"], ["identities.identity_key"], name=op.f("fk_observations_identity_key")
        ),
        sa.ForeignKeyConstraint(["node_key"], ["nodes.node_key"], name=op.f("fk_observations_node_key")),
        sa.PrimaryKeyConstraint("observation_id", name=op.f("pk_observations")),
        sa.UniqueConstraint("node_key", "boot_epoch", "seq", name=op.f("uq_observations_node_key_boot_epoch_seq")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_observations_camera_key_boot_epoch_track_id"),
        "observations",
        ["camera_key", "boot_epoch", "track_id"],
        unique=False,
    )
    op.create_index(op.f("ix_observations_ended_at_s"), "observations", ["ended_at_s"], unique=False)
    op.create_index(
        op.f("ix_observations_identity_key_ended_at_s"), "observations", ["identity_key", "ended_at_s"], unique=False
    )


def _create_embeddings() -> None:
    op.create_table(
        "embeddings",
        sa.Column("observation_id", sa.Integer(), nullable=False),
        sa.Column("taken_at_s", REAL, nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        sa.Column("embeddings_f16", sa.LargeBinary(), nullable=False),
        sa.Column("qualities_f16", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["observation_id"], ["observations.observation_id"], name=op.f("fk_embeddings_observation_id")
        ),
        sa.PrimaryKeyConstraint("observation_id", name=op.f("pk_embeddings")),
    )
    op.create_index(op.f("ix_embeddings_taken_at_s"), "embeddings", ["taken_at_s"], unique=False)


def _create_thumbnails() -> None:
    op.create_table(
        "thumbnails",
        sa.Column("observation_id", sa.Integer(), nullable=False),
        sa.Column("taken_at_s", REAL, nullable=False),
        sa.Column("jpeg", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["observation_id"], ["observations.observation_id"], name=op.f("fk_thumbnails_observation_id")
        ),
        sa.PrimaryKeyConstraint("observation_id", name=op.f("pk_thumbnails")),
    )
    op.create_index(op.f("ix_thumbnails_taken_at_s"), "thumbnails", ["taken_at_s"], unique=False)


def _create_gaps() -> None:
    op.create_table(
        "gaps",
        sa.Column("gap_id", sa.Integer(), nullable=False),
        sa.Column("camera_key", sa.Integer(), nullable=False),
        sa.Column("from_s", REAL, nullable=False),
        sa.Column("to_s", REAL, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("node_key", sa.Integer(), nullable=False),
        sa.Column("boot_epoch", sa.BigInteger(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["camera_key"], ["cameras.camera_key"], name=op.f("fk_gaps_camera_key")),
        sa.ForeignKeyConstraint(["node_key"], ["nodes.node_key"], name=op.f("fk_gaps_node_key")),
        sa.PrimaryKeyConstraint("gap_id", name=op.f("pk_gaps")),
        sa.UniqueConstraint("node_key", "boot_epoch", "seq", name=op.f("uq_gaps_node_key_boot_epoch_seq")),
    )
    op.create_index(op.f("ix_gaps_camera_key_to_s"), "gaps", ["camera_key", "to_s"], unique=False)
    op.create_index(op.f("ix_gaps_to_s"), "gaps", ["to_s"], unique=False)


def _create_drops() -> None:
    op.create_table(
        "drops",
        sa.Column("drop_id", sa.Integer(), nullable=False),
        sa.Column("node_key", sa.Integer(), nullable=False),
        sa.Column("boot_epoch", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("received_at_s", REAL, nullable=False),
        sa.ForeignKeyConstraint(["node_key"], ["nodes.node_key"], name=op.f("fk_drops_node_key")),
        sa.PrimaryKeyConstraint("drop_id", name=op.f("pk_drops")),
        sa.UniqueConstraint("node_key", "boot_epoch", "seq", name=op.f("uq_drops_node_key_boot_epoch_seq")),
    )
    op.create_index(op.f("ix_drops_received_at_s"), "drops", ["received_at_s"], unique=False)
