"""Integrations that are set in the browser, and users whom an identity provider vouches for."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "integrations",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plain", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at_s", sa.Double[float](), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_integrations")),
    )
    op.add_column("users", sa.Column("subject", sa.Text()))
    op.create_index(op.f("ix_users_subject"), "users", ["subject"], unique=True)


def downgrade() -> None:
    """Drop them."""
    op.drop_index(op.f("ix_users_subject"), "users")
    op.drop_column("users", "subject")
    op.drop_table("integrations")
