"""What expires, and in what order: rows that point at others go first."""

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, select

from ruid_hub.store.rows import Retention, SweepOutcome
from ruid_hub.store.tables import drops, embeddings, gaps, identities, observations, thumbnails

CHUNK_ROWS = 500
"""Rows a transaction removes, so that a sweep never holds up a commit for long."""


@dataclass(frozen=True, slots=True)
class Step:
    """Removes up to CHUNK_ROWS rows of one table that match."""

    table: Table
    expired: ColumnElement[bool]

    def remove(self, connection: Connection) -> int:
        """Rows removed; as many as CHUNK_ROWS means that there may be more."""
        [key] = self.table.primary_key.columns
        chunk = select(key).where(self.expired).limit(CHUNK_ROWS)
        return connection.execute(delete(self.table).where(key.in_(chunk))).rowcount

    def count(self, swept: SweepOutcome, removed: int) -> SweepOutcome:
        """Add what was removed to the outcome."""
        name = self.table.name
        return replace(swept, **{name: getattr(swept, name) + removed})


def steps(now_s: float, kept: Retention) -> tuple[Step, ...]:
    """The sweep at a time, in order."""
    embeddings_before_s = now_s - kept.embeddings_s
    thumbnails_before_s = now_s - kept.thumbnails_s
    history_before_s = now_s - kept.history_s
    old = observations.c.ended_at_s < history_before_s
    old_ids = select(observations.c.observation_id).where(old)
    owned = exists().where(observations.c.identity_key == identities.c.identity_key)
    return (
        Step(embeddings, embeddings.c.taken_at_s < embeddings_before_s),
        Step(thumbnails, thumbnails.c.taken_at_s < thumbnails_before_s),
        Step(embeddings, embeddings.c.observation_id.in_(old_ids)),
        Step(thumbnails, thumbnails.c.observation_id.in_(old_ids)),
        Step(observations, old),
        Step(identities, (identities.c.last_seen_s < history_before_s) & ~owned),
        Step(gaps, gaps.c.to_s < history_before_s),
        Step(drops, drops.c.received_at_s < history_before_s),
    )
