"""Reads and writes; opening.py makes a Store."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import IO

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.exc import OperationalError

from ruid_hub.cards import KnownPerson
from ruid_hub.observations import CoverageGap
from ruid_hub.store import counts, queries, retention, writing
from ruid_hub.store.errors import StoreWriteError
from ruid_hub.store.rows import (
    COUNTED,
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


class Store:
    """Open until `close`. Any thread may call; writes wait for one another, reads do not wait for writes."""

    def __init__(
        self, *, writer: Engine, readers: Engine, database_path: Path, retention: Retention, lock: IO[bytes]
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._database_path = database_path
        self._retention = retention
        self._lock_file = lock
        self._writing = Lock()
        self._duplicates = 0
        self._watchers: list[Callable[[frozenset[int]], None]] = []
        with self.reading() as connection:
            self._observations = queries.row_count(connection, observations)

    @property
    def retention(self) -> Retention:
        """How long each kind is kept."""
        return self._retention

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
        touched: set[int] = {writing.hour_of(row) for row in batch if isinstance(row, COUNTED)}
        with self.writing() as connection:
            outcome = writing.write_batch(connection, batch)
            if revisions:
                touched |= writing.revise(connection, revisions)
        self._tell(touched)
        self._duplicates += outcome.duplicates
        self._observations += sum(key is not None for key in outcome.observation_ids)
        return outcome

    def revise(self, revisions: Sequence[Revision]) -> None:
        """Give whole tracks to other identities; an identity that is left with nothing goes."""
        with self.writing() as connection:
            touched = writing.revise(connection, revisions)
        self._tell(touched)

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

    def record_boot(self, node_id: str, boot_epoch: int, at_s: float) -> None:
        """Keep that a node runs, in this boot, at this moment: its cameras see, or it will report a gap."""
        with self.writing() as connection:
            counts.note_boot(connection, node_id, boot_epoch, at_s)

    def record_gap(self, node_id: str, gap: CoverageGap) -> None:
        """Keep a gap that the hub saw: a node or a camera that could not be heard."""
        with self.writing() as connection:
            writing.write_hub_gap(connection, node_id, gap)

    def record_cameras(self, node_id: str, names: Mapping[str, str]) -> None:
        """Keep the names of a node's cameras (`node_id/camera_id` to name), as a hello told them."""
        with self.writing() as connection:
            writing.write_cameras(connection, node_id, names)

    def record_heard(self, heard_at_s: Mapping[str, float]) -> None:
        """Keep when each camera was last heard, so that the next start can say how long it was away."""
        with self.writing() as connection:
            for camera, at_s in heard_at_s.items():
                connection.execute(update(cameras).where(cameras.c.camera == camera).values(last_heard_s=at_s))
            counts.note_heard(connection, heard_at_s)

    # --- reading ---------------------------------------------------------------------------------------

    def observations_in_order(self) -> Iterator[ObservationRow]:
        """Every observation whose embeddings are still kept, in the order of commit, without its picture."""
        with self.reading() as connection:
            yield from queries.observations_in_order(connection)

    def recent_identities(self, limit: int) -> list[KnownPerson]:
        """The identities seen last, newest first."""
        with self.reading() as connection:
            return queries.recent_identities(connection, limit)

    def cameras(self) -> list[CameraRecord]:
        """Every camera that the hub has met, by name of place."""
        query = select(cameras).order_by(cameras.c.camera)
        with self.reading() as connection:
            return [CameraRecord(row.camera, row.name, row.last_heard_s) for row in connection.execute(query)]

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
                database_bytes=self._bytes(),
            )

    # --- upkeep ----------------------------------------------------------------------------------------

    def sweep(self, now_s: float) -> SweepOutcome:
        """Remove what is older than the retention allows, in short transactions; call it every few minutes."""
        swept = SweepOutcome()
        for step in retention.steps(now_s, self._retention):
            while True:
                with self.writing() as connection:
                    removed = step.remove(connection)
                swept = step.count(swept, removed)
                if removed < retention.CHUNK_ROWS:
                    break
        self._observations -= swept.observations
        with self._writing:
            self._pragma("incremental_vacuum")
        return swept

    def close(self) -> None:
        """Write the log back into the database and let go of the files."""
        with self._writing:
            self._readers.dispose()
            self._pragma("wal_checkpoint(TRUNCATE)")
            self._writer.dispose()
            self._lock_file.close()

    # --- connections -----------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """One transaction of the one writer; raises StoreWriteError where the disk would not have it."""
        try:
            with self._writing, self._writer.begin() as connection:
                yield connection
        except OperationalError as error:
            raise StoreWriteError(self._database_path, str(error.orig)) from error

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A connection that only reads, and sees what was committed when it began."""
        with self._readers.connect() as connection:
            yield connection

    def _pragma(self, pragma: str) -> None:
        """Run a pragma outside any transaction; the caller holds the writer."""
        connection = self._writer.raw_connection()
        try:
            connection.cursor().execute(f"PRAGMA {pragma}").fetchall()
        finally:
            connection.close()

    def _bytes(self) -> int:
        names = (self._database_path, self._database_path.with_name(self._database_path.name + "-wal"))
        return sum(path.stat().st_size for path in names if path.exists())
