"""SQLite: the database that every hub has unless told otherwise."""

import fcntl
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import QueuePool, StaticPool

from ruid_hub.store.database import READERS
from ruid_hub.store.errors import StoreBusyError, StorePathError

BUSY_TIMEOUT_S = 5.0
TIDY_PAGES = 2000
_CACHED_STATEMENTS = 256
"""A batch writes to five tables, each with one of `prepared.ROWS_AT_ONCE` statements; the usual 128 are too few."""

WRITER_PRAGMAS = (
    "auto_vacuum=INCREMENTAL",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    "temp_store=MEMORY",
)


class SqliteDatabase:
    """A file, its log, and a lock file beside them that keeps a second hub away."""

    def __init__(self, path: Path) -> None:
        """Raises StorePathError or StoreBusyError; nothing stays open then."""
        self.place = str(path)
        self.path = path
        self._lock = _lock(path)
        self.writer = _writer(path)
        self.readers = _readers(path)
        try:
            # The first use opens the file.
            with self.writer.connect():
                pass
        except DatabaseError as error:
            self._let_go()
            raise StorePathError(path, str(error.orig)) from error

    def size_bytes(self) -> int:
        """The file and its log."""
        names = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(path.stat().st_size for path in names if path.exists())

    def free_bytes(self) -> int | None:
        """What the disk under the file has left."""
        return shutil.disk_usage(self.path.parent).free

    def tidy(self) -> None:
        """Give some of the free pages back to the file system."""
        self._pragma(f"incremental_vacuum({TIDY_PAGES})")

    def scrub(self) -> None:
        """Deleted rows are overwritten (secure_delete); empty the log, which still has the pages as they were."""
        # Without waiting: whoever reads for long must not hold up the writer. The next time will do.
        self._pragma("busy_timeout=0; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout=5000")

    def close(self) -> None:
        """Write the log back and let go of the files."""
        self.readers.dispose()
        self._pragma("wal_checkpoint(TRUNCATE)")
        self._let_go()

    def _let_go(self) -> None:
        self.readers.dispose()
        self.writer.dispose()
        self._lock.close()

    def _pragma(self, pragma: str) -> None:
        """Run a pragma outside any transaction, to its end: `execute` would stop at its first step."""
        connection = self.writer.raw_connection()
        try:
            driver: Any = connection.driver_connection
            driver.executescript(f"PRAGMA {pragma}")
        finally:
            connection.close()


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy of a database that may be in use, as SQLite's backup interface makes it.

    Raises StorePathError.
    """
    try:
        with (
            closing(sqlite3.connect(_read_only(source), uri=True, timeout=BUSY_TIMEOUT_S)) as original,
            closing(sqlite3.connect(target)) as copy,
        ):
            original.backup(copy)
            # One file: a copy needs no log beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise StorePathError(source, str(error)) from error


def _lock(path: Path) -> IO[bytes]:
    """Take the lock file beside the database; the kernel lets go of it however the hub ends."""
    if path.is_dir():
        raise StorePathError(path, "it is a folder")
    lock_path = path.with_name(path.name + ".lock")
    try:
        lock = lock_path.open("ab")
    except OSError as error:
        raise StorePathError(path, os.strerror(error.errno or 0)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StoreBusyError(path) from error
    return lock


def _writer(path: Path) -> Engine:
    """One connection, whichever thread uses it; Store's lock lets one thread in at a time."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, check_same_thread=False, cached_statements=_CACHED_STATEMENTS
        )
        try:
            # The driver's own transactions start too late to cover schema changes.
            connection.isolation_level = None
            for pragma in WRITER_PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _readers(path: Path) -> Engine:
    def connect() -> Any:
        return sqlite3.connect(_read_only(path), uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False)

    return create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=READERS, max_overflow=READERS)


def _read_only(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro"
