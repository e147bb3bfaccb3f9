"""An index that finds whom each camera saw, and how often, without looking through a person's observations."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INDEX = "ix_appearances_identity_key_camera_key_first_s_begins"


def upgrade() -> None:
    """Make the index."""
    columns = ["identity_key", "camera_key", "first_s", "begins"]
    op.create_index(op.f(INDEX), "appearances", columns)


def downgrade() -> None:
    """Drop it."""
    op.drop_index(op.f(INDEX), "appearances")
