"""Reads and writes; opening.py makes a Store."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from threading import Lock

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import OperationalError

from ruid_hub.cards import KnownPerson
from ruid_hub.observations import CoverageGap, HealthSample
from ruid_hub.store import access, counts, health, queries, revising, writing
from ruid_hub.store.batch import KnownKeys, write_arrivals, write_batch
from ruid_hub.store.database import Database
from ruid_hub.store.errors import StoreWriteError
from ruid_hub.store.retention import CHUNK_ROWS, Step, check_retention, most_dispensable, steps
from ruid_hub.store.rows import (
    COUNTED,
    Arrival,
    CameraRecord,
    CommitOutcome,
    Committed,
    ObservationRow,
    Retention,
    Revision,
    StoreCounts,
    SweepOutcome,
)
from ruid_hub.store.tables import cameras, gaps, identities, nodes, observations

RETENTION = "retention"
LEAST_ROOM_BYTES = 32 * 2**20
"""With less left on the disk nothing from the nodes is taken in: they keep it, and what is there stays sound."""


class Store:
    """Open until `close`. Any thread may call; writes wait for one another, reads do not wait for writes."""

    def __init__(self, *, database: Database, retention: Retention | None = None) -> None:
        self._database = database
        self._fixed_retention = retention
        self.closed = False
        self._writing = Lock()
        self._duplicates = 0
        self._known = KnownKeys()
        self.revision = 0
        """Becomes another with every transaction: what was read since the last one still holds. Look before reading."""
        self._watchers: list[Callable[[frozenset[int]], None]] = []
        self._forgetters: list[Callable[[], object]] = []
        self._on_correction: list[Callable[[], None]] = []
        with self.reading() as connection:
            self._observations = queries.row_count(connection, observations)

    @property
    def retention(self) -> Retention:
        """How long each kind is kept, as people set it."""
        if self._fixed_retention is not None:
            return self._fixed_retention
        with self.reading() as connection:
            kept = access.read_setting(connection, RETENTION)
        return Retention() if kept is None else Retention(**kept)

    def troubles(self) -> tuple[str, ...]:
        """Why nothing can be taken in at present; empty where that is not so."""
        free = self._database.free_bytes()
        if free is None or free >= LEAST_ROOM_BYTES:
            return ()
        return (f"the disk is full: {free / 1e6:.0f} MB are left, {LEAST_ROOM_BYTES / 1e6:.0f} MB are needed",)

    def set_retention(self, kept: Retention) -> None:
        """Keep it and hold to it from the next sweep on. Raises BadRetention, and then nothing has changed."""
        check_retention(kept)
        with self.writing() as connection:
            access.write_setting(connection, RETENTION, asdict(kept))

    # --- what the nodes sent ---------------------------------------------------------------------------

    def resume_points(self) -> dict[str, tuple[int, int]]:
        """(boot_epoch, seq) of the newest committed item of every node that has one."""
        query = select(nodes.c.node_id, nodes.c.resume_boot_epoch, nodes.c.resume_seq)
        with self.reading() as connection:
            rows = connection.execute(query.where(nodes.c.resume_boot_epoch.is_not(None)))
            return {row.node_id: (row.resume_boot_epoch, row.resume_seq) for row in rows}

    def commit(self, batch: Sequence[Committed], revisions: Sequence[Revision] = ()) -> CommitOutcome:
        """Write the batch and the revisions in one transaction; on return they survive a power cut.

        What is already there counts as a duplicate and changes nothing, its assignment included.
        Raises StoreWriteError where the disk would not have it; nothing of the batch is kept then.
        """
        if trouble := self.troubles():
            raise StoreWriteError(self._database.place, trouble[0])
        touched: set[int] = {writing.hour_of(row) for row in batch if isinstance(row, COUNTED)}
        with self.writing() as connection:
            outcome = write_batch(connection, batch, self._known)
            if revisions:
                touched |= revising.revise(connection, revisions)
        self._tell(touched)
        self._duplicates += outcome.duplicates
        self._observations += sum(key is not None for key in outcome.observation_ids)
        return outcome

    def revise(self, revisions: Sequence[Revision]) -> None:
        """Give whole tracks to other identities; an identity that is left with nothing goes."""
        with self.writing() as connection:
            touched = revising.revise(connection, revisions)
        self._tell(touched)

    @contextmanager
    def correcting(self) -> Generator[tuple[Connection, set[int]]]:
        """One transaction that changes who is who; put the hours that are counted otherwise into the set."""
        touched: set[int] = set()
        with self.writing() as connection:
            yield connection, touched
        self._tell(touched)
        for told in self._on_correction:
            told()

    def on_correction(self, told: Callable[[], None]) -> None:
        """Call this after each correction by an operator, names included; it must be quick."""
        self._on_correction.append(told)

    def watch(self, watcher: Callable[[frozenset[int]], None]) -> None:
        """Tell the watcher, after each commit, which hours (since the Unix epoch) are counted otherwise now.

        It is called on the committing thread and must be quick.
        """
        self._watchers.append(watcher)

    def _tell(self, hours: Iterable[int]) -> None:
        touched = frozenset(hours)
        if touched:
            for watcher in self._watchers:
                watcher(touched)

    def record_arrivals(self, arrivals: Sequence[Arrival]) -> None:
        """Keep, in one transaction, which nodes run: their cameras see, or they will report a gap."""
        with self.writing() as connection:
            write_arrivals(connection, arrivals, self._known)

    def record_gap(self, node_id: str, gap: CoverageGap) -> None:
        """Keep a gap that the hub saw: a node or a camera that could not be heard."""
        with self.writing() as connection:
            writing.write_hub_gap(connection, node_id, gap)

    def record_heard(self, heard_at_s: Mapping[str, float]) -> None:
        """Keep when each camera was last heard, so that the next start can say how long it was away."""
        with self.writing() as connection:
            for camera, at_s in heard_at_s.items():
                connection.execute(update(cameras).where(cameras.c.camera == camera).values(last_heard_s=at_s))
            counts.note_heard(connection, heard_at_s)

    def record_health(self, samples: Mapping[str, HealthSample]) -> None:
        """Keep how each camera does at this moment."""
        with self.writing() as connection:
            health.write_health(connection, samples)

    # --- reading ---------------------------------------------------------------------------------------

    def observations_in_order(self) -> Iterator[ObservationRow]:
        """Every observation whose embeddings are still kept, in the order of commit, without its picture."""
        with self.reading() as connection:
            yield from queries.observations_in_order(connection)

    def model_in_use(self) -> str | None:
        """The model of the newest embeddings that somebody was recognised by; None where there are none."""
        with self.reading() as connection:
            return queries.model_in_use(connection)

    def recent_identities(self, limit: int) -> list[KnownPerson]:
        """The identities seen last, newest first."""
        with self.reading() as connection:
            return queries.recent_identities(connection, limit)

    def cameras(self) -> list[CameraRecord]:
        """Every camera that the hub has met, by name of place."""
        query = select(cameras).order_by(cameras.c.camera)
        with self.reading() as connection:
            return [CameraRecord(row.camera, row.name, row.last_heard_s) for row in connection.execute(query)]

    def health_since(self, camera: str, since_s: float) -> tuple[HealthSample, ...]:
        """How a camera did after a time, the oldest first; what is kept of it."""
        with self.reading() as connection:
            return health.health_since(connection, camera, since_s)

    def thumbnail(self, observation_id: int) -> bytes | None:
        """The JPEG of an observation; None where there is none or it has expired."""
        with self.reading() as connection:
            return queries.thumbnail(connection, observation_id)

    def counts(self) -> StoreCounts:
        """How much there is, cheap enough for every scrape of the metrics."""
        with self.reading() as connection:
            return StoreCounts(
                observations=self._observations,
                identities=queries.row_count(connection, identities),
                gaps=queries.row_count(connection, gaps),
                items_dropped=queries.items_dropped(connection),
                duplicates=self._duplicates,
                database_bytes=self._database.size_bytes(),
            )

    # --- upkeep ----------------------------------------------------------------------------------------

    def sweep(self, now_s: float) -> SweepOutcome:
        """Remove what is older than the retention allows, or too much for the disk; call it every minute or so.

        Each transaction is short, so that commits come in between. Call it from a thread of its own.
        """
        kept, swept = self.retention, SweepOutcome()
        for step in steps(now_s, kept):
            swept = self._remove_all(step, swept)
        while self._too_large(kept) and (crowded := self._remove_oldest(swept)) is not None:
            swept = crowded
        self.scrub()
        return swept

    def scrub(self) -> None:
        """Leave nothing readable of what was deleted in the database's files."""
        with self._writing:
            self._database.scrub()

    def on_erasure(self, forget: Callable[[], object]) -> None:
        """Call this too once somebody was erased, for what is kept elsewhere."""
        self._forgetters.append(forget)

    def forget_traces(self) -> None:
        """Somebody was erased: leave nothing readable in the files, nor in what is kept beside them."""
        self.scrub()
        for forget in self._forgetters:
            forget()

    def close(self) -> None:
        """Write the log back into the database and let go of the files."""
        with self._writing:
            self._database.close()
            self.closed = True

    def _remove_all(self, step: Step, swept: SweepOutcome) -> SweepOutcome:
        while True:
            removed, swept = self._remove(step, swept)
            if removed < CHUNK_ROWS:
                return swept

    def _remove_oldest(self, swept: SweepOutcome) -> SweepOutcome | None:
        """Remove one portion of what can be spared most; None where nothing is left to spare."""
        with self.reading() as connection:
            step = most_dispensable(connection)
        if step is None:
            return None
        swept = self._remove_all(step, swept)
        with self._writing:
            # Only now has the file become smaller.
            self._database.scrub()
        return swept

    def _remove(self, step: Step, swept: SweepOutcome) -> tuple[int, SweepOutcome]:
        with self.writing() as connection:
            removed = step.remove(connection)
        swept = step.count(swept, removed)
        with self._writing:
            self._database.tidy()
            if step.table is observations:
                self._observations -= removed
        return removed, swept

    def _too_large(self, kept: Retention) -> bool:
        free = self._database.free_bytes()
        crowded = free is not None and free < kept.least_free_bytes
        return crowded or 0 < kept.most_bytes < self._database.size_bytes()

    # --- connections -----------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """One transaction of the one writer; raises StoreWriteError where the disk would not have it."""
        try:
            with self._writing:
                with self._database.writer.begin() as connection:
                    yield connection
                self.revision += 1
        except OperationalError as error:
            raise StoreWriteError(self._database.place, str(error.orig)) from error

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A connection that only reads, and sees what was committed when it began."""
        with self._database.readers.connect() as connection:
            yield connection
