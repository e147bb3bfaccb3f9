"""PostgreSQL: for hubs whose owner has one anyway, backs it up and watches over it."""

from collections.abc import Iterable

from sqlalchemy import Connection, Table, create_engine, func, make_url, select, text
from sqlalchemy.exc import OperationalError

from ruid_hub.store.database import READERS
from ruid_hub.store.errors import StoreBusyError, StorePathError

SCHEME = "postgresql"
HUB_LOCK = 0x52_75_49_44
"""Advisory lock of a hub on its database."""
BIOMETRIC = ("embeddings", "thumbnails", "identities")


class PostgresDatabase:
    """A database that no other hub uses: an advisory lock keeps a second one away."""

    def __init__(self, address: str) -> None:
        """Raises StorePathError or StoreBusyError; nothing stays open then."""
        url = make_url(address).set(drivername="postgresql+psycopg")
        self.place = url.render_as_string(hide_password=True)
        self.writer = create_engine(url, pool_size=1, max_overflow=0, pool_pre_ping=True)
        self.readers = create_engine(
            url,
            pool_size=READERS,
            max_overflow=READERS,
            pool_pre_ping=True,
            # A reader sees one state, however many questions it asks.
            isolation_level="REPEATABLE READ",
            connect_args={"options": "-c default_transaction_read_only=on"},
        )
        self._lock_engine = create_engine(url, pool_size=1, max_overflow=0)
        self._lock = self._take_lock()

    def size_bytes(self) -> int:
        """As the server accounts for it."""
        with self.readers.connect() as connection:
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())

    def free_bytes(self) -> int | None:
        """The server's disk cannot be seen from here."""
        return None

    def tidy(self) -> None:
        """The server's autovacuum does that by itself."""

    def scrub(self) -> None:
        """Let the server reuse the room at once; it does not overwrite what was there."""
        with self.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in BIOMETRIC:
                connection.execute(text(f"VACUUM {table}"))

    def close(self) -> None:
        """End every connection; the lock goes with its own."""
        self._lock.close()
        for engine in (self.readers, self.writer, self._lock_engine):
            engine.dispose()

    def _take_lock(self) -> Connection:
        connection: Connection | None = None
        try:
            connection = self._lock_engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": HUB_LOCK}).scalar_one()
        except OperationalError as error:
            self._dispose_all()
            raise StorePathError(self.place, str(error.orig).strip().partition("\n")[0]) from error
        if not taken:
            connection.close()
            self._dispose_all()
            raise StoreBusyError(self.place)
        return connection

    def _dispose_all(self) -> None:
        for engine in (self.readers, self.writer, self._lock_engine):
            engine.dispose()


def is_address(place: object) -> bool:
    """Whether a place is a PostgreSQL address."""
    return isinstance(place, str) and place.partition(":")[0] in {SCHEME, "postgres"}


def mend_sequences(connection: Connection, tables: Iterable[Table]) -> None:
    """After rows were copied with their keys, new ones go on from there."""
    for table in tables:
        for column in table.primary_key.columns:
            sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
            if sequence is not None:
                beyond = select(func.coalesce(func.max(column), 0) + 1).scalar_subquery()
                connection.execute(select(func.setval(sequence, beyond)))
