"""What goes into the store and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ruid_hub.observations import Assignment, CoverageGap, Observation, TrackKey

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class ObservationRow:
    """An accepted tracklet and whom it was assigned to; None while nothing has been decided."""

    observation: Observation
    assignment: Assignment | None


@dataclass(frozen=True, slots=True)
class GapRow:
    """A gap that a node reported under its own sequence number."""

    node_id: str
    boot_epoch: int
    seq: int
    gap: CoverageGap


@dataclass(frozen=True, slots=True)
class DroppedRow:
    """Items that a node gave up before sending them, or that the hub would not take."""

    node_id: str
    boot_epoch: int
    seq: int
    reason: str
    first_seq: int
    last_seq: int
    items: int
    received_at_s: float


@dataclass(frozen=True, slots=True)
class CrossingRow:
    """A track crossed a line, in (1) or out (-1)."""

    node_id: str
    boot_epoch: int
    seq: int
    track: TrackKey
    line_id: str
    direction: int
    at_s: float


@dataclass(frozen=True, slots=True)
class StayRow:
    """A track was in a zone; while `final` is False it still is, and a later row replaces this one."""

    node_id: str
    boot_epoch: int
    seq: int
    track: TrackKey
    zone_id: str
    stay: int
    entered_at_s: float
    left_at_s: float
    final: bool


Committed = ObservationRow | GapRow | DroppedRow | CrossingRow | StayRow
COUNTED = (ObservationRow, CrossingRow, StayRow)
"""The rows that people are counted from."""
Revision = tuple[str, str]
"""(track key as text, identity_id): every observation of that track belongs to that identity from now on."""


@dataclass(frozen=True, slots=True)
class CommitOutcome:
    """`observation_ids` runs beside the batch: the database id, or None for a duplicate or another kind."""

    stored: int
    duplicates: int
    observation_ids: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """How much there is; `items_dropped` adds up what nodes gave up, `duplicates` counts since opening."""

    observations: int
    identities: int
    gaps: int
    items_dropped: int
    duplicates: int
    database_bytes: int


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each kind is kept, in seconds, and how much room the database may take.

    `history_s` is for observations (who was where, when), `counts_s` for what numbers come from: appearances,
    crossings, stays, gaps. Once the database takes more than `most_bytes` (0: no limit), or its disk has less than
    `least_free_bytes` left, the oldest goes before its time: pictures first, then embeddings, then history.
    """

    embeddings_s: float = DAY_S
    thumbnails_s: float = DAY_S
    history_s: float = 90 * DAY_S
    counts_s: float = 800 * DAY_S
    most_bytes: int = 0
    least_free_bytes: int = 512 * 2**20


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """Rows that a sweep removed."""

    embeddings: int = 0
    thumbnails: int = 0
    observations: int = 0
    identities: int = 0
    operations: int = 0
    former_identities: int = 0
    health_samples: int = 0
    appearances: int = 0
    crossings: int = 0
    stays: int = 0
    boots: int = 0
    gaps: int = 0
    drops: int = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A node runs, in this boot, at this moment, and its cameras (`node_id/camera_id`) have these names.

    Without a boot only the names are news.
    """

    node_id: str
    boot_epoch: int | None = None
    at_s: float = 0.0
    cameras: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class CameraRecord:
    """A camera that the hub knows, and when it last heard of it."""

    camera: str
    name: str
    last_heard_s: float | None
