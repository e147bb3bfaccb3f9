"""Durable items in SQLite, in order, until they are acknowledged.

Write-ahead log with synchronous=FULL: what `append` returned survives a power cut, at one sync a batch. A
file that cannot be read any more is put aside, not deleted, and a new one is begun.

What is given up when the spool is full, the oldest first, each only when the one before is used up:

1. live state, which never enters the spool;
2. pictures;
3. embeddings beyond the best one of each tracklet;
4. tracklets;
5. crossings, stays and gaps: what counts are made of.

Every run of dropped items leaves one `Dropped` record in its place, so the hub learns exactly how many were lost and
why. Pictures and embeddings that have waited for longer than `max_age_s` go as well: the hub would not keep them.
"""

import itertools
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import msgspec
import structlog

from ruid_core.wire.codec import decode_content, encode
from ruid_core.wire.messages import Content, Dropped, Item, Tracklet
from ruid_core.wire.uplink import ItemKey
from ruid_edge.errors import SpoolUnusable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS node (
  one INTEGER PRIMARY KEY CHECK (one = 1), node_id TEXT NOT NULL, boot_epoch INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS items (
  boot_epoch INTEGER NOT NULL, seq INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (boot_epoch, seq)
) WITHOUT ROWID;
"""
_REASON_FULL = "spool_full"
_BATCH = 64
_MAX_AGE_S = 72 * 3600.0
_AGE_LOOK_EVERY_S = 60.0
_START = ItemKey(-1, -1)

_log = structlog.get_logger("spool")


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How full the spool is, and what it gave up since boot.

    `dropped_items` counts all that was dropped, `dropped_counts` the crossings, stays and gaps among them; `put_aside`
    is 1 where an older spool could not be read, and everything in it is missing.
    """

    items: int
    content_bytes: int
    appended: int
    dropped_items: int
    dropped_thumbnails: int
    dropped_embeddings: int = 0
    dropped_counts: int = 0
    put_aside: int = 0


class Spool:
    """One per node. Not thread-safe: one thread at a time calls it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        max_bytes: int,
        max_age_s: float = _MAX_AGE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connection = connection
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._clock = clock
        self._connection.executescript(_SCHEMA)
        self.node_id, self.boot_epoch = self._next_boot()
        self._seq = 0
        self._pictures_through = self._embeddings_through = self._tracklets_through = self._aged_through = _START
        self._aged_at_s = 0.0
        self._appended = self._dropped_items = self._dropped_thumbnails = 0
        self._dropped_embeddings = self._dropped_counts = self._put_aside = 0
        self._items, self._bytes = self._connection.execute(
            "SELECT count(*), coalesce(sum(length(content)), 0) FROM items"
        ).fetchone()

    @classmethod
    def open(cls, folder: Path, *, max_bytes: int) -> "Spool":
        """Open or begin the spool in `folder`; raise `SpoolUnusable` where it cannot be written."""
        path = folder / "spool.db"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                return cls(_connect(path), max_bytes=max_bytes)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                aside = _put_aside(path)
                _log.error("the spool cannot be read, beginning a new one", reason=str(error), kept_as=str(aside))
                spool = cls(_connect(path), max_bytes=max_bytes)
                spool._put_aside = 1
                return spool
        except (OSError, sqlite3.OperationalError) as error:
            raise SpoolUnusable(f"the folder '{folder}' cannot hold the spool ({error}): set RUID_STATE_DIR") from error

    def append(self, contents: Iterable[Content]) -> tuple[ItemKey, ...]:
        """Store the contents durably in one commit and return their keys.

        Raises `SpoolUnusable` where the disk takes nothing; all is as it was then, and the same may be tried again.
        """
        rows: list[tuple[int, int, bytes]] = []
        with self._transaction():
            for content in contents:
                self._seq += 1
                rows.append((self.boot_epoch, self._seq, encode(content)))
            self._connection.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)
            self._items += len(rows)
            self._bytes += sum(len(row[2]) for row in rows)
            self._make_room()
            self._shed_old()
        self._appended += len(rows)
        return tuple(ItemKey(row[0], row[1]) for row in rows)

    def take_place(self, node_id: str, *, after_boot_epoch: int) -> None:
        """Go by another node's id from now on, and count boots from after its last one, waiting items included."""
        shift = max(0, after_boot_epoch + 1 - self._oldest_boot_epoch())
        with self._connection:
            # Through negative numbers, so that no row meets another on the way.
            self._connection.execute("UPDATE items SET boot_epoch = -(boot_epoch + ?)", (shift,))
            self._connection.execute("UPDATE items SET boot_epoch = -boot_epoch")
            self._connection.execute("UPDATE node SET node_id = ?, boot_epoch = boot_epoch + ?", (node_id, shift))
        self.node_id, self.boot_epoch = node_id, self.boot_epoch + shift
        self._pictures_through = self._embeddings_through = self._tracklets_through = self._aged_through = _START

    def _oldest_boot_epoch(self) -> int:
        [oldest] = self._connection.execute("SELECT min(boot_epoch) FROM items").fetchone()
        return self.boot_epoch if oldest is None else int(oldest)

    def after(self, key: ItemKey, *, limit: int) -> list[Item]:
        """Return at most `limit` items that follow `key`, in order."""
        rows = self._connection.execute(
            "SELECT boot_epoch, seq, content FROM items WHERE (boot_epoch, seq) > (?, ?) "
            "ORDER BY boot_epoch, seq LIMIT ?",
            (*key, limit),
        )
        return [Item(boot_epoch, seq, decode_content(content)) for boot_epoch, seq, content in rows]

    def discard_through(self, key: ItemKey) -> int:
        """Forget what the hub has; return how many items that were. Raises `SpoolUnusable` as `append` does.

        It does not wait for the disk: what comes back after a power cut is sent again, and the hub has it already.
        """
        with self._without_waiting(), self._transaction():
            gone, gone_bytes = self._connection.execute(
                "SELECT count(*), coalesce(sum(length(content)), 0) FROM items WHERE (boot_epoch, seq) <= (?, ?)", key
            ).fetchone()
            self._connection.execute("DELETE FROM items WHERE (boot_epoch, seq) <= (?, ?)", key)
            self._items -= gone
            self._bytes -= gone_bytes
        return gone

    @property
    def state(self) -> SpoolState:
        """How full it is."""
        return SpoolState(
            items=self._items,
            content_bytes=self._bytes,
            appended=self._appended,
            dropped_items=self._dropped_items,
            dropped_thumbnails=self._dropped_thumbnails,
            dropped_embeddings=self._dropped_embeddings,
            dropped_counts=self._dropped_counts,
            put_aside=self._put_aside,
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _without_waiting(self) -> Generator[None]:
        """Commits meanwhile are written, and synced with the next one that waits."""
        self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def _transaction(self) -> Generator[None]:
        """All or nothing: where it fails, what the spool counts goes back with what it holds."""
        before = dict(vars(self))
        try:
            with self._connection:
                yield
        except sqlite3.OperationalError as error:
            vars(self).update(before)
            raise SpoolUnusable(f"the spool cannot be written ({error}): make room in its folder") from error

    def _next_boot(self) -> tuple[str, int]:
        with self._connection:
            self._connection.execute(
                "INSERT INTO node VALUES (1, ?, 1) ON CONFLICT (one) DO UPDATE SET boot_epoch = boot_epoch + 1",
                (uuid4().hex,),
            )
        return self._connection.execute("SELECT node_id, boot_epoch FROM node").fetchone()

    def _make_room(self) -> None:
        for step in (self._drop_pictures, self._drop_embeddings, self._drop_tracklets, self._drop_oldest):
            while self._full and step():
                pass

    @property
    def _full(self) -> bool:
        return self._bytes > self._max_bytes

    def _drop_pictures(self) -> bool:
        """Strip the pictures from the next few items; return False once every item was seen."""
        batch = self.after(self._pictures_through, limit=_BATCH)
        for item in batch:
            if not self._full:
                break
            self._strip_picture(item)
            self._pictures_through = ItemKey(item.boot_epoch, item.seq)
        return bool(batch)

    def _strip_picture(self, item: Item) -> Item:
        if not isinstance(item.content, Tracklet) or not item.content.thumbnail_jpeg:
            return item
        self._dropped_thumbnails += 1
        return self._replace(item, msgspec.structs.replace(item.content, thumbnail_jpeg=b""))

    def _drop_embeddings(self) -> bool:
        """Leave the next few tracklets their best embedding alone; return False once every item was seen."""
        batch = self.after(self._embeddings_through, limit=_BATCH)
        for item in batch:
            if not self._full:
                break
            self._keep_embeddings(item, most=1)
            self._embeddings_through = ItemKey(item.boot_epoch, item.seq)
        return bool(batch)

    def _keep_embeddings(self, item: Item, *, most: int) -> Item:
        tracklet = item.content
        if not isinstance(tracklet, Tracklet) or len(tracklet.qualities) <= most:
            return item
        self._dropped_embeddings += len(tracklet.qualities) - most
        row_bytes = len(tracklet.embeddings) // len(tracklet.qualities)
        best = max(range(len(tracklet.qualities)), key=tracklet.qualities.__getitem__)
        kept = slice(best * row_bytes, (best + 1) * row_bytes) if most else slice(0, 0)
        qualities = (tracklet.qualities[best],) if most else ()
        slimmer = msgspec.structs.replace(tracklet, embeddings=tracklet.embeddings[kept], qualities=qualities)
        return self._replace(item, slimmer)

    def _drop_tracklets(self) -> bool:
        """Turn the next run of tracklets into one `Dropped` record; return False once every item was seen."""
        batch = self.after(self._tracklets_through, limit=_BATCH)
        run = list(itertools.takewhile(_may_go, batch))
        run = [item for item in run if item.boot_epoch == run[0].boot_epoch]
        if not run:  # the next one counts: it stays where it is, and splits the runs around it
            if batch:
                self._tracklets_through = ItemKey(batch[0].boot_epoch, batch[0].seq)
            return bool(batch)
        self._merge(run)
        last = run[-1]
        whole = len(run) == len(batch) == _BATCH
        # A record at the end of a full batch may be joined with what follows it.
        self._tracklets_through = ItemKey(last.boot_epoch, last.seq - 1 if whole else last.seq)
        return True

    def _shed_old(self) -> None:
        """Take pictures and embeddings off what has waited for too long; what counts stays."""
        now_s = self._clock()
        if abs(now_s - self._aged_at_s) < _AGE_LOOK_EVERY_S:
            return
        self._aged_at_s = now_s
        while batch := self.after(self._aged_through, limit=_BATCH):
            for item in batch:
                if isinstance(item.content, Tracklet):
                    if item.content.grabbed_at_s > now_s - self._max_age_s:
                        return
                    self._keep_embeddings(self._strip_picture(item), most=0)
                self._aged_through = ItemKey(item.boot_epoch, item.seq)

    def _drop_oldest(self) -> bool:
        """Turn the oldest items into one `Dropped` record; return False where nothing is left to drop."""
        run = self._oldest_run()
        if len(run) < 2:
            return False
        self._merge(run)
        return True

    def _merge(self, run: Sequence[Item]) -> None:
        """Put one `Dropped` record in the place of a run of items of one boot."""
        lost = [item.content for item in run if not isinstance(item.content, Dropped)]
        self._dropped_items += len(lost)
        self._dropped_counts += sum(not isinstance(content, Tracklet) for content in lost)
        count = sum(_stands_for(item.content) for item in run)
        self._delete(run[:-1])
        self._replace(run[-1], Dropped(_REASON_FULL, _first_seq(run[0]), run[-1].seq, count))

    def _oldest_run(self) -> list[Item]:
        """Return the oldest items of the oldest boot that has more than its own `Dropped` record."""
        after = ItemKey(-1, -1)
        while batch := self.after(after, limit=_BATCH):
            run = [item for item in batch if item.boot_epoch == batch[0].boot_epoch]
            if len(run) > 1:
                return run[: max(2, len(run) // 2)]
            after = ItemKey(run[0].boot_epoch, run[0].seq)
        return []

    def _delete(self, items: Sequence[Item]) -> None:
        for item in items:
            size = self._size_of(item)
            self._connection.execute("DELETE FROM items WHERE boot_epoch = ? AND seq = ?", (item.boot_epoch, item.seq))
            self._items -= 1
            self._bytes -= size

    def _replace(self, item: Item, content: Content) -> Item:
        packed = encode(content)
        self._bytes += len(packed) - self._size_of(item)
        self._connection.execute(
            "UPDATE items SET content = ? WHERE boot_epoch = ? AND seq = ?", (packed, item.boot_epoch, item.seq)
        )
        return Item(item.boot_epoch, item.seq, content)

    def _size_of(self, item: Item) -> int:
        row = self._connection.execute(
            "SELECT length(content) FROM items WHERE boot_epoch = ? AND seq = ?", (item.boot_epoch, item.seq)
        ).fetchone()
        return int(row[0])


def _may_go(item: Item) -> bool:
    return isinstance(item.content, Tracklet | Dropped)


def _stands_for(content: Content) -> int:
    return content.items if isinstance(content, Dropped) else 1


def _first_seq(item: Item) -> int:
    return item.content.first_seq if isinstance(item.content, Dropped) else item.seq


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _put_aside(path: Path) -> Path:
    aside = path.with_name(f"spool.unreadable-{int(time.time())}.db")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside
