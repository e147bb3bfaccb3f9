"""The hub's memory on disk: observations, who they belong to, gaps, and how far each node has been heard.

SQLite through SQLAlchemy Core, migrated by alembic. The choices and their reasons:

- WAL with `synchronous=FULL`: a commit that returned survives a power cut, so the hub may acknowledge it.
- One writer connection behind a lock and a lock file beside the database: SQLite releases up to 3.51.2 can
  corrupt a WAL that two writers or checkpointers reset. Readers open the file read-only and never checkpoint.
- The unique index (node, boot epoch, sequence number) drops what arrives twice; duplicates are counted.
- Embeddings and thumbnails are biometric data: they live in tables of their own, expire after a day and are
  overwritten when deleted. The rows that counts come from stay.
"""

from ruid_hub.store.errors import (
    BadRetention,
    StoreBusyError,
    StoreError,
    StorePathError,
    StoreSchemaError,
    StoreWriteError,
)
from ruid_hub.store.opening import open_store
from ruid_hub.store.rows import (
    Arrival,
    CameraRecord,
    CommitOutcome,
    Committed,
    CrossingRow,
    DroppedRow,
    GapRow,
    ObservationRow,
    Retention,
    Revision,
    StayRow,
    StoreCounts,
    SweepOutcome,
)
from ruid_hub.store.store import Store

__all__ = [
    "Arrival",
    "BadRetention",
    "CameraRecord",
    "CommitOutcome",
    "Committed",
    "CrossingRow",
    "DroppedRow",
    "GapRow",
    "ObservationRow",
    "Retention",
    "Revision",
    "StayRow",
    "Store",
    "StoreBusyError",
    "StoreCounts",
    "StoreError",
    "StorePathError",
    "StoreSchemaError",
    "StoreWriteError",
    "SweepOutcome",
    "open_store",
]
