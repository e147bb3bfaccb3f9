"""Nodes that were let in, and their configuration."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "admissions",
        sa.Column("node_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_fingerprint", sa.Text(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("approved_at_s", sa.Double[float](), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("changed_at_s", sa.Double[float](), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["node_key"], ["nodes.node_key"], name=op.f("fk_admissions_node_key")),
        sa.PrimaryKeyConstraint("node_key", name=op.f("pk_admissions")),
        sa.UniqueConstraint("key_fingerprint", name=op.f("uq_admissions_key_fingerprint")),
    )
    op.create_table(
        "configurations",
        sa.Column("node_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("cameras", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at_s", sa.Double[float](), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("answered_revision", sa.BigInteger()),
        sa.Column("accepted", sa.Boolean()),
        sa.Column("refused_field", sa.Text()),
        sa.Column("refused_reason", sa.Text()),
        sa.Column("answered_at_s", sa.Double[float]()),
        sa.ForeignKeyConstraint(["node_key"], ["nodes.node_key"], name=op.f("fk_configurations_node_key")),
        sa.PrimaryKeyConstraint("node_key", name=op.f("pk_configurations")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("configurations")
    op.drop_table("admissions")
