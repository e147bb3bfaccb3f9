"""Opens a database and brings its schema up to date."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from ruid_hub.store.database import Database
from ruid_hub.store.errors import StorePathError, StoreSchemaError
from ruid_hub.store.postgresql import PostgresDatabase, is_address
from ruid_hub.store.rows import Retention
from ruid_hub.store.sqlite import SqliteDatabase
from ruid_hub.store.store import Store

MIGRATIONS = Path(__file__).with_name("migrations")


@dataclass(frozen=True, slots=True)
class PendingUpdate:
    """What opening would change: a database of this revision and size."""

    revision: str
    size_bytes: int


def pending_update(place: Path | str) -> PendingUpdate | None:
    """Whether opening would change the schema of a database that is there; changes nothing itself.

    Raises StorePathError, StoreBusyError or StoreSchemaError as `open_store` does.
    """
    if isinstance(place, Path) and not place.exists():
        return None
    database = open_database(place)
    try:
        current, newest = _revisions(database, _config())
        return None if current in {None, newest} else PendingUpdate(str(current), database.size_bytes())
    except DatabaseError as error:
        raise StorePathError(database.place, str(error.orig)) from error
    finally:
        database.close()


def open_store(
    place: Path | str,
    *,
    retention: Retention | None = None,
    before_migration: Callable[[str], object] | None = None,
) -> Store:
    """Open or create the database, a file's path or a `postgresql://` address, and bring its schema up to date.

    `before_migration` is called with the revision of a database that is about to be changed: the moment for a backup.
    Raises StorePathError, StoreBusyError or StoreSchemaError; nothing stays open then.
    """
    database = open_database(place)
    try:
        _migrate(database, before_migration)
        return Store(database=database, retention=retention)
    except BaseException as error:
        database.close()
        if isinstance(error, DatabaseError):
            raise StorePathError(database.place, str(error.orig)) from error
        raise


def open_database(place: Path | str) -> Database:
    """The database as it is. Raises StorePathError or StoreBusyError."""
    if is_address(place):
        return PostgresDatabase(str(place))
    return SqliteDatabase(Path(place))


def _migrate(database: Database, before_migration: Callable[[str], object] | None) -> None:
    config = _config()
    current, newest = _revisions(database, config)
    if current == newest:
        return
    if current is not None and before_migration is not None:
        before_migration(current)
    with database.writer.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def _revisions(database: Database, config: Config) -> tuple[str | None, str | None]:
    """The revision of a database, None for an empty one, and this hub's own.

    Raises StoreSchemaError where a newer hub wrote it.
    """
    scripts = ScriptDirectory.from_config(config)
    with database.readers.connect() as connection:
        current = _revision(connection)
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise StoreSchemaError(database.place, current)
    return current, scripts.get_current_head()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
