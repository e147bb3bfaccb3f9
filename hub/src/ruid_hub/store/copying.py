"""All rows of one database into another, whichever the two are."""

from pathlib import Path

from sqlalchemy import Connection, create_engine, delete, insert, make_url, select

from ruid_hub.store.opening import open_database, open_store
from ruid_hub.store.postgresql import is_address, mend_sequences
from ruid_hub.store.sqlite import copy_database
from ruid_hub.store.tables import embeddings, metadata, thumbnails

BATCH_ROWS = 1000


def copy_to_file(place: Path | str, target: Path) -> None:
    """A consistent copy of a database as an SQLite file; a hub may be using it."""
    if not is_address(place):
        copy_database(Path(place), target)
        return
    source = create_engine(make_url(str(place)).set(drivername="postgresql+psycopg"), isolation_level="REPEATABLE READ")
    open_store(target).close()
    database = open_database(target)
    try:
        with source.connect() as connection, database.writer.begin() as copy:
            _copy_rows(connection, copy)
    finally:
        database.close()
        source.dispose()


def copy_from_file(source: Path, place: str) -> None:
    """Everything in a PostgreSQL database becomes what the file holds; no hub may be using either."""
    open_store(source).close()
    open_store(place).close()
    copy, database = open_database(source), open_database(place)
    try:
        with copy.readers.connect() as connection, database.writer.begin() as target:
            _copy_rows(connection, target)
            mend_sequences(target, metadata.sorted_tables)
    finally:
        copy.close()
        database.close()


def forget_biometrics(path: Path) -> None:
    """Remove every embedding and picture from a copy."""
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            for table in (embeddings, thumbnails):
                connection.execute(delete(table))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
    finally:
        engine.dispose()


def _copy_rows(source: Connection, target: Connection) -> None:
    for table in reversed(metadata.sorted_tables):
        target.execute(delete(table))
    for table in metadata.sorted_tables:
        rows = source.execution_options(yield_per=BATCH_ROWS).execute(select(table)).mappings()
        for batch in rows.partitions(BATCH_ROWS):
            target.execute(insert(table), [dict(row) for row in batch])
