"""A hub changes its database only where there is room for it, and while no update may stop it."""

import fcntl
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from hub.test_backup import first_schema
from hub.test_standby import first_answer, free_port
from ruid_hub.store import open_store
from ruid_hub.updating import clear_update_lock, find_shortage, updates_held_off

FAR_TOO_LARGE_BYTES = 10**13
"""Of a file with nothing in it: the backup would have to hold it."""
WITHIN_S = 60.0


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of a hub of the first release."""
    folder = tmp_path / "state"
    folder.mkdir()
    first_schema(folder / "hub.db")
    with closing(sqlite3.connect(folder / "hub.db")) as connection, connection:
        connection.execute("DELETE FROM embeddings")  # made up, and of no length that a model's has
    return folder


@pytest.fixture
def ballast(state: Path) -> Path:
    path = state / "ballast"
    with path.open("wb") as file:
        file.truncate(FAR_TOO_LARGE_BYTES)
    return path


def test_room_is_asked_for_where_the_schema_changes_alone(state: Path, ballast: Path) -> None:
    shortage = find_shortage(state / "hub.db", state)
    assert shortage is not None
    assert shortage.needed_bytes > FAR_TOO_LARGE_BYTES > shortage.free_bytes
    assert "needs 10000" in str(shortage)
    assert "make room there" in str(shortage)
    open_store(state / "hub.db").close()
    assert find_shortage(state / "hub.db", state) is None
    assert find_shortage(state / "none.db", state) is None
    assert not (state / "none.db").exists()


def test_with_room_nothing_is_short(state: Path) -> None:
    assert find_shortage(state / "hub.db", state) is None


@pytest.fixture
def hub(state: Path, ballast: Path) -> "Generator[tuple[subprocess.Popen[bytes], int]]":
    """A real hub that finds too little room."""
    port = free_port()
    environment = {
        **os.environ,
        "RUID_STATE_DIR": str(state),
        "RUID_HTTP_PORT": str(port),
        "RUID_NODE_PORT": "0",
        "BALENA_APP_LOCK_PATH": str(state.parent / "updates.lock"),
    }
    with subprocess.Popen([sys.executable, "-m", "ruid_hub"], env=environment) as process:
        try:
            yield process, port
        finally:
            process.kill()


def test_a_hub_without_room_says_so_waits_and_goes_on_by_itself(
    hub: "tuple[subprocess.Popen[bytes], int]", state: Path, ballast: Path
) -> None:
    process, port = hub
    health = f"http://127.0.0.1:{port}/healthz"
    answer = first_answer(health)
    assert answer.status_code == 503
    assert "waits for its update" in answer.json()["reasons"][0]
    assert httpx.get(f"{health}/live").status_code == 200
    assert not (state / "backups").exists()
    ballast.unlink()
    deadline_s = time.monotonic() + WITHIN_S
    while first_answer(health).status_code != 200:
        assert process.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.2)
    assert [path.name for path in (state / "backups").iterdir()] == ["before-update-0001.tar"]
    with closing(sqlite3.connect(state / "hub.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() != ("0001",)
    assert not (state.parent / "updates.lock").exists()


# --- the update lock -----------------------------------------------------------------------------------


def test_updates_are_held_off_while_the_database_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "updates.lock"
    with updates_held_off({"BALENA_APP_LOCK_PATH": str(path)}) as held:
        assert held
        with path.open("rb") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not path.exists()


def test_an_error_lets_updates_through_again(tmp_path: Path) -> None:
    path = tmp_path / "updates.lock"
    with pytest.raises(ZeroDivisionError), updates_held_off({"BALENA_APP_LOCK_PATH": str(path)}):
        raise ZeroDivisionError
    assert not path.exists()


def test_the_lock_of_an_update_that_does_not_end_is_left_and_the_hub_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "updates.lock"
    path.touch()
    with updates_held_off({"BALENA_APP_LOCK_PATH": str(path)}, within_s=0.1) as held:
        assert not held
    assert path.exists()


def test_without_balena_there_is_nobody_to_hold_off(tmp_path: Path) -> None:
    with updates_held_off({}) as held:
        assert not held
    with updates_held_off({"BALENA_APP_LOCK_PATH": str(tmp_path / "nowhere/updates.lock")}) as held:
        assert not held
    clear_update_lock({})


def test_what_a_killed_hub_left_is_cleared_and_the_supervisors_file_is_not(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.lock", tmp_path / "theirs.lock"
    ours.touch()
    clear_update_lock({"BALENA_APP_LOCK_PATH": str(ours)})
    assert not ours.exists()
    if os.geteuid() == 0:
        theirs.touch()
        os.chown(theirs, 65534, 65534)
        clear_update_lock({"BALENA_APP_LOCK_PATH": str(theirs)})
        assert theirs.exists()
