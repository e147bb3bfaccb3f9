"""An index of the tracks that identities were made for, so that none is looked for among all of a person's."""

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
