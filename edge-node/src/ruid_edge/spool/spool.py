"""Durable items in SQLite, in order, until they are acknowledged.

Write-ahead log with synchronous=FULL: what `append` returned survives a power cut. A file that cannot be read
any more is put aside, not deleted, and a new one is begun.

When the spool is full, room is made from the oldest end: first pictures, then items; every run of dropped items
leaves one `Dropped` record in its place, so the hub learns exactly how many were lost and why.
"""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import msgspec

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


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How full the spool is, and what it gave up since boot."""

    items: int
    content_bytes: int
    appended: int
    dropped_items: int
    dropped_thumbnails: int


class Spool:
    """One per node. Not thread-safe: one thread at a time calls it."""

    def __init__(self, connection: sqlite3.Connection, *, max_bytes: int) -> None:
        self._connection = connection
        self._max_bytes = max_bytes
        self._connection.executescript(_SCHEMA)
        self.node_id, self.boot_epoch = self._next_boot()
        self._seq = 0
        self._stripped_through = ItemKey(-1, -1)
        self._appended = self._dropped_items = self._dropped_thumbnails = 0
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
                _put_aside(path)
                return cls(_connect(path), max_bytes=max_bytes)
        except (OSError, sqlite3.OperationalError) as error:
            raise SpoolUnusable(f"the folder '{folder}' cannot hold the spool ({error}): set RUID_STATE_DIR") from error

    def append(self, contents: Iterable[Content]) -> tuple[ItemKey, ...]:
        """Store the contents durably in one commit and return their keys."""
        rows: list[tuple[int, int, bytes]] = []
        for content in contents:
            self._seq += 1
            rows.append((self.boot_epoch, self._seq, encode(content)))
        with self._connection:
            self._connection.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)
            self._items += len(rows)
            self._bytes += sum(len(row[2]) for row in rows)
            self._make_room()
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
        self._stripped_through = ItemKey(-1, -1)

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
        """Forget what the hub has; return how many items that were."""
        with self._connection:
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
        return SpoolState(self._items, self._bytes, self._appended, self._dropped_items, self._dropped_thumbnails)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _next_boot(self) -> tuple[str, int]:
        with self._connection:
            self._connection.execute(
                "INSERT INTO node VALUES (1, ?, 1) ON CONFLICT (one) DO UPDATE SET boot_epoch = boot_epoch + 1",
                (uuid4().hex,),
            )
        return self._connection.execute("SELECT node_id, boot_epoch FROM node").fetchone()

    def _make_room(self) -> None:
        while self._bytes > self._max_bytes and self._drop_thumbnails():
            pass
        while self._bytes > self._max_bytes and self._drop_oldest():
            pass

    def _drop_thumbnails(self) -> bool:
        """Strip the pictures from the next few items; return False once every item was seen."""
        batch = self.after(self._stripped_through, limit=_BATCH)
        for item in batch:
            if self._bytes <= self._max_bytes:
                break
            if isinstance(item.content, Tracklet) and item.content.thumbnail_jpeg:
                self._replace(item, msgspec.structs.replace(item.content, thumbnail_jpeg=b""))
                self._dropped_thumbnails += 1
            self._stripped_through = ItemKey(item.boot_epoch, item.seq)
        return bool(batch)

    def _drop_oldest(self) -> bool:
        """Turn the oldest items into one `Dropped` record; return False where nothing is left to drop."""
        run = self._oldest_run()
        if len(run) < 2:
            return False
        count = sum(_stands_for(item.content) for item in run)
        self._dropped_items += sum(not isinstance(item.content, Dropped) for item in run)
        self._delete(run[:-1])
        self._replace(run[-1], Dropped(_REASON_FULL, _first_seq(run[0]), run[-1].seq, count))
        return True

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

    def _replace(self, item: Item, content: Content) -> None:
        packed = encode(content)
        self._bytes += len(packed) - self._size_of(item)
        self._connection.execute(
            "UPDATE items SET content = ? WHERE boot_epoch = ? AND seq = ?", (packed, item.boot_epoch, item.seq)
        )

    def _size_of(self, item: Item) -> int:
        row = self._connection.execute(
            "SELECT length(content) FROM items WHERE boot_epoch = ? AND seq = ?", (item.boot_epoch, item.seq)
        ).fetchone()
        return int(row[0])


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


def _put_aside(path: Path) -> None:
    aside = path.with_name(f"spool.unreadable-{int(time.time())}.db")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
