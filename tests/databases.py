"""The databases that a hub runs on, for tests that must hold on each: a file, and a real PostgreSQL server."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ruid_hub.store import Store, open_store
from tooling import missing

SERVERS = Path("/usr/lib/postgresql")
Place = Path | str


def postgresql_programs() -> Path:
    """The folder of initdb and postgres (Debian: postgresql); skips where there is none."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(SERVERS.glob("*/bin"), reverse=True)
    usable = [folder for folder in folders if (folder / "initdb").is_file() and (folder / "postgres").is_file()]
    return usable[0] if usable else missing("no PostgreSQL server is installed: apt install postgresql")


class PostgresServer:
    """Lives in a folder, listens on a socket in it, and is not meant to survive anything."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)
        programs = postgresql_programs()
        self._user, self._as_user = _unprivileged(folder)
        self._run(programs / "initdb", "-D", folder / "data", "-U", "hub", "-A", "trust", "-E", "UTF8", "--no-sync")
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                *self._as_user,
                str(programs / "postgres"),
                "-D",
                str(folder / "data"),
                "-k",
                str(folder),
                *("-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )
        self._wait()

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"hub{next(self._numbers)}"
        with self._admin() as engine, engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return f"postgresql://hub@/{name}?host={self._folder}"

    def stop(self) -> None:
        """Fast: nothing on the disk matters."""
        self._process.terminate()
        self._process.wait(30)
        self._log.close()

    @contextmanager
    def _admin(self):  # type: ignore[no-untyped-def]
        address = f"postgresql+psycopg://hub@/postgres?host={self._folder}"
        engine = create_engine(address, isolation_level="AUTOCOMMIT")
        try:
            yield engine
        finally:
            engine.dispose()

    def _run(self, *command: object) -> None:
        subprocess.run(
            [*self._as_user, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd=self._folder, timeout=120
        )

    def _wait(self) -> None:
        for _ in range(300):
            try:
                with self._admin() as engine, engine.connect():
                    return
            except Exception:
                self._pause()
        pytest.fail((self._folder / "log").read_text())

    def _pause(self) -> None:
        if self._process.poll() is not None:
            pytest.fail((self._folder / "log").read_text())
        subprocess.run(["sleep", "0.1"], check=True)


def _unprivileged(folder: Path) -> tuple[str, list[str]]:
    """PostgreSQL does not run as root: who it runs as instead, and the words to put in front of a command."""
    if os.geteuid():
        return pwd.getpwuid(os.geteuid()).pw_name, []
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in known else "nobody"
    entry = pwd.getpwnam(user)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return user, ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


@pytest.fixture(scope="session")
def postgres_server() -> Generator[PostgresServer]:
    """One server for all tests."""
    # Not pytest's own folder: another user has to be able to reach it, and socket paths must be short.
    folder = Path(tempfile.mkdtemp(prefix="ruid-pg-"))
    server = PostgresServer(folder)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a test's database is: once a file, once PostgreSQL."""
    if request.param == "sqlite":
        return tmp_path / "hub.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture
def opened(place: Place) -> Generator[Callable[[], Store]]:
    """Opens the test's store, again and again if need be."""
    stores: list[Store] = []

    def open_it() -> Store:
        stores.append(open_store(place))
        return stores[-1]

    yield open_it
    for store in stores:
        if not store.closed:
            store.close()


@pytest.fixture
def store(opened: Callable[[], Store]) -> Store:
    """The test's store, on each database in turn."""
    return opened()
