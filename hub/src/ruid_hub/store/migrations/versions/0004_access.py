"""Users, sessions, tokens, the audit, and what is set in the browser."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

REAL = sa.Double[float]()


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "users",
        sa.Column("user_key", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("reach", sa.Text),
        sa.Column("password_hash", sa.Text),
        sa.Column("created_at_s", REAL, nullable=False),
        sa.Column("signed_in_at_s", REAL),
        sa.PrimaryKeyConstraint("user_key", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
        sqlite_autoincrement=True,
    )
    _create_sessions()
    _create_tokens()
    _create_audit()
    op.create_table(
        "hub_settings",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_hub_settings"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("hub_settings", "audit", "tokens", "sessions", "users"):
        op.drop_table(table)


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_key", sa.Integer, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("user_key", sa.Integer, nullable=False),
        sa.Column("created_at_s", REAL, nullable=False),
        sa.Column("seen_at_s", REAL, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("browser", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("session_key", name="pk_sessions"),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
        sa.ForeignKeyConstraint(["user_key"], ["users.user_key"], name="fk_sessions_user_key", ondelete="CASCADE"),
    )
    op.create_index("ix_sessions_user_key", "sessions", ["user_key"])


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("token_key", sa.Integer, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("user_key", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("permits", sa.Text, nullable=False),
        sa.Column("created_at_s", REAL, nullable=False),
        sa.Column("expires_at_s", REAL),
        sa.Column("used_at_s", REAL),
        sa.PrimaryKeyConstraint("token_key", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
        sa.ForeignKeyConstraint(["user_key"], ["users.user_key"], name="fk_tokens_user_key", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tokens_user_key", "tokens", ["user_key"])


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("entry_id", sa.Integer, nullable=False),
        sa.Column("at_s", REAL, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("way", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_at_s", "audit", ["at_s"])
    op.create_index("ix_audit_subject", "audit", ["subject"])
