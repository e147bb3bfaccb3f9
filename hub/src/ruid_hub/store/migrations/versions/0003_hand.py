"""What operators decided, and whom tracks belonged to before."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

REAL = sa.Double[float]()


def upgrade() -> None:
    """Make the tables."""
    _create_operations()
    _create_former_identities()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("former_identities")
    op.drop_table("operations")


def _create_operations() -> None:
    op.create_table(
        "operations",
        sa.Column("operation_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at_s", REAL, nullable=False),
        sa.Column("identity_id", sa.Text(), nullable=False),
        sa.Column("other_id", sa.Text()),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("correction", sa.Text()),
        sa.Column("undone_at_s", REAL),
        sa.Column("undone_by", sa.Text()),
        sa.PrimaryKeyConstraint("operation_id", name=op.f("pk_operations")),
        sqlite_autoincrement=True,
    )
    for column in ("identity_id", "other_id"):
        op.create_index(op.f(f"ix_operations_{column}"), "operations", [column])


def _create_former_identities() -> None:
    op.create_table(
        "former_identities",
        sa.Column("former_key", sa.Integer(), nullable=False),
        sa.Column("camera_key", sa.Integer(), nullable=False),
        sa.Column("boot_epoch", sa.BigInteger(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        sa.Column("identity_id", sa.Text(), nullable=False),
        sa.Column("until_s", REAL, nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["camera_key"], ["cameras.camera_key"], name=op.f("fk_former_identities_camera_key")),
        sa.PrimaryKeyConstraint("former_key", name=op.f("pk_former_identities")),
    )
    for columns in (["camera_key", "boot_epoch", "track_id"], ["until_s"], ["identity_id"]):
        op.create_index(op.f(f"ix_former_identities_{'_'.join(columns)}"), "former_identities", columns)
