"""Opens the database: the lock file, the connections' settings, and the migrations."""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import IO

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import QueuePool, StaticPool

from ruid_hub.store.errors import StoreBusyError, StorePathError, StoreSchemaError
from ruid_hub.store.rows import Retention
from ruid_hub.store.store import Store

MIGRATIONS = Path(__file__).with_name("migrations")
READERS = 4
BUSY_TIMEOUT_S = 5.0

WRITER_PRAGMAS = (
    "auto_vacuum=INCREMENTAL",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    "temp_store=MEMORY",
)


def open_store(database_path: Path, *, retention: Retention | None = None) -> Store:
    """Open or create the database and bring its schema up to date.

    Raises StorePathError, StoreBusyError or StoreSchemaError; nothing stays open then.
    """
    lock = _lock(database_path)
    writer = _writer(database_path)
    readers = _readers(database_path)
    try:
        _migrate(writer, database_path)
        return Store(
            writer=writer,
            readers=readers,
            database_path=database_path,
            retention=retention or Retention(),
            lock=lock,
        )
    except BaseException as error:
        readers.dispose()
        writer.dispose()
        lock.close()
        if isinstance(error, DatabaseError):
            raise StorePathError(database_path, str(error.orig)) from error
        raise


def _lock(database_path: Path) -> IO[bytes]:
    """Take the lock file beside the database; the kernel lets go of it however the hub ends."""
    if database_path.is_dir():
        raise StorePathError(database_path, "it is a folder")
    lock_path = database_path.with_name(database_path.name + ".lock")
    try:
        lock = lock_path.open("ab")
    except OSError as error:
        raise StorePathError(database_path, os.strerror(error.errno or 0)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StoreBusyError(database_path) from error
    return lock


def _writer(database_path: Path) -> Engine:
    """One connection, whichever thread uses it; Store's lock lets one thread in at a time."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(database_path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        # The driver's own transactions start too late to cover schema changes.
        connection.isolation_level = None
        for pragma in WRITER_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _readers(database_path: Path) -> Engine:
    address = f"{database_path.absolute().as_uri()}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False)

    return create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=READERS, max_overflow=READERS)


def _migrate(writer: Engine, database_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with writer.begin() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if current is not None and current not in known:
            raise StoreSchemaError(database_path, current)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
