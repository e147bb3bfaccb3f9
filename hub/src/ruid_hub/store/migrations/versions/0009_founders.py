"""An index of the tracks that identities were made for: one row each, found without looking through a person's hours."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEX = "ix_appearances_founders"


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        INDEX,
        "appearances",
        ["identity_key"],
        sqlite_where=sa.text("newcomer = 1"),
        postgresql_where=sa.text("newcomer"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_index(INDEX, "appearances")
