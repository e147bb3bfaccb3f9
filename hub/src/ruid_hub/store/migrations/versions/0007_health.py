"""How cameras did over time, and an index of the people who have a name."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

REAL = sa.Double[float]()


def upgrade() -> None:
    """Make the table and the index."""
    op.create_table(
        "health_samples",
        sa.Column("sample_key", sa.Integer(), nullable=False),
        sa.Column("camera_key", sa.Integer(), nullable=False),
        sa.Column("at_s", REAL, nullable=False),
        sa.Column("up", sa.Boolean(), nullable=False),
        sa.Column("fps", REAL, nullable=False),
        sa.Column("temperature_c", REAL),
        sa.Column("cpu_percent", REAL),
        sa.Column("latency_p50_ms", sa.Integer()),
        sa.Column("spool_items", sa.BigInteger()),
        sa.ForeignKeyConstraint(["camera_key"], ["cameras.camera_key"], name=op.f("fk_health_samples_camera_key")),
        sa.PrimaryKeyConstraint("sample_key", name=op.f("pk_health_samples")),
    )
    op.create_index(op.f("ix_health_samples_camera_key_at_s"), "health_samples", ["camera_key", "at_s"])
    op.create_index(op.f("ix_health_samples_at_s"), "health_samples", ["at_s"])
    named = sa.text("label IS NOT NULL")
    op.create_index(op.f("ix_identities_label"), "identities", ["label"], sqlite_where=named, postgresql_where=named)


def downgrade() -> None:
    """Drop them."""
    op.drop_index(op.f("ix_identities_label"), "identities")
    op.drop_table("health_samples")
