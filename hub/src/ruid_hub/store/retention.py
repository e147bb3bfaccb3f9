"""What expires, and in what order: rows that point at others go first."""

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, or_, select

from ruid_hub.store.errors import BadRetention
from ruid_hub.store.rows import DAY_S, Retention, SweepOutcome
from ruid_hub.store.tables import (
    appearances,
    boots,
    crossings,
    drops,
    embeddings,
    gaps,
    identities,
    observations,
    stays,
    thumbnails,
)
from ruid_hub.store.tables.hand import former_identities, operations
from ruid_hub.store.tables.health import health_samples

CHUNK_ROWS = 500
"""Rows a transaction removes, so that a sweep never holds up a commit for long."""
HOUR_S = 3600.0
HEALTH_S = 7 * DAY_S
"""How long it is told how cameras did, unless the history is kept for less."""
SHORTEST_S = 60.0
LONGEST_S = 20 * 366 * DAY_S
LEAST_DATABASE_BYTES = 64 * 2**20


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
    history_before_s, counts_before_s = now_s - kept.history_s, now_s - kept.counts_s
    old = observations.c.ended_at_s < history_before_s
    old_ids = select(observations.c.observation_id).where(old)
    owned = exists().where(observations.c.identity_key == identities.c.identity_key)
    return (
        Step(embeddings, embeddings.c.taken_at_s < now_s - kept.embeddings_s),
        Step(thumbnails, thumbnails.c.taken_at_s < now_s - kept.thumbnails_s),
        Step(embeddings, embeddings.c.observation_id.in_(old_ids)),
        Step(thumbnails, thumbnails.c.observation_id.in_(old_ids)),
        Step(observations, old),
        Step(identities, (identities.c.last_seen_s < history_before_s) & ~owned),
        Step(operations, (operations.c.at_s < history_before_s) & ~_about_somebody()),
        Step(former_identities, former_identities.c.until_s < history_before_s),
        Step(health_samples, health_samples.c.at_s < now_s - min(HEALTH_S, kept.history_s)),
        Step(appearances, appearances.c.hour < counts_before_s // HOUR_S),
        Step(crossings, crossings.c.at_s < counts_before_s),
        Step(stays, stays.c.entered_at_s < counts_before_s),
        Step(boots, boots.c.heard_at_s < counts_before_s),
        Step(gaps, gaps.c.to_s < counts_before_s),
        Step(drops, drops.c.received_at_s < counts_before_s),
    )


def _about_somebody() -> ColumnElement[bool]:
    """Whether an operation is about somebody who is still known."""
    named = (operations.c.identity_id, operations.c.other_id)
    return or_(*(exists().where(identities.c.identity_id == name) for name in named))


def most_dispensable(connection: Connection) -> Step | None:
    """The oldest portion of what can be spared most: pictures, then embeddings, then history; never counts."""
    for table, at_s in (
        (thumbnails, thumbnails.c.taken_at_s),
        (embeddings, embeddings.c.taken_at_s),
        (observations, observations.c.ended_at_s),
    ):
        portion = select(at_s).order_by(at_s).offset(CHUNK_ROWS).limit(1)
        until_s = connection.scalar(portion)
        if until_s is not None:
            return Step(table, at_s < until_s)
    return None


def check_retention(kept: Retention) -> None:
    """Raises BadRetention that says what is wrong."""
    for name in ("embeddings_s", "thumbnails_s", "history_s", "counts_s"):
        kept_s: float = getattr(kept, name)
        if not SHORTEST_S <= kept_s <= LONGEST_S:
            raise BadRetention(f"{name} is kept for between a minute and 20 years")
    if max(kept.embeddings_s, kept.thumbnails_s) > kept.history_s or kept.history_s > kept.counts_s:
        raise BadRetention("pictures and embeddings cannot outlive the history, nor the history the counts")
    if kept.most_bytes and kept.most_bytes < LEAST_DATABASE_BYTES:
        raise BadRetention("a database needs 64 MB: allow it more, or 0 for no limit")
    if not 0 <= kept.least_free_bytes <= 2**50:
        raise BadRetention("the room to be left free cannot be negative")
