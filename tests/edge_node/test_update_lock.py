"""Updates are held off while a backlog is delivered, and never for longer than they should be."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ruid_edge.start import open_lock_folder
from ruid_edge.update_lock import DeliveryHold, UpdateLock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "updates.lock"


def opened(path: Path) -> UpdateLock:
    return UpdateLock.open({"BALENA_APP_LOCK_PATH": str(path)})


def test_the_file_is_there_while_updates_are_held_off(path: Path) -> None:
    lock = opened(path)
    assert lock.take()
    assert lock.take()
    assert path.exists()
    with path.open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.release()
    lock.release()
    assert not path.exists()


def test_an_update_that_has_begun_is_not_disturbed(path: Path) -> None:
    """The supervisor's own file stays, and is not taken for ours."""
    lock = opened(path)
    path.touch()
    assert not lock.take()
    lock.release()
    assert path.exists()


def test_a_killed_run_leaves_nothing_that_the_next_one_does_not_clear(path: Path) -> None:
    program = (
        "import os, sys; from ruid_edge.update_lock import UpdateLock\n"
        "lock = UpdateLock.open(os.environ); print(lock.take(), flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, "BALENA_APP_LOCK_PATH": str(path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"True\n"
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)
    assert path.exists()
    lock = opened(path)
    assert not path.exists()
    assert lock.take()
    lock.release()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of another user")
def test_the_supervisors_file_is_not_taken_for_a_left_over_one(path: Path) -> None:
    path.touch()
    os.chown(path, 65534, 65534)
    opened(path)
    assert path.exists()


def test_without_balena_nobody_is_held_off(tmp_path: Path) -> None:
    lock = UpdateLock.open({})
    assert not lock.take()
    lock.release()
    assert not list(tmp_path.iterdir())
    assert not opened(tmp_path / "nowhere" / "updates.lock").take()


def test_updates_wait_for_a_backlog_and_not_for_what_is_always_on_its_way(path: Path) -> None:
    hold = DeliveryHold(opened(path))
    held: list[bool] = []
    for connected, waiting in ((True, 30), (False, 900), (True, 900), (True, 100), (True, 20), (True, 900), (False, 9)):
        hold.look(connected=connected, waiting_items=waiting, now_s=0.0)
        held.append(path.exists())
    assert held == [False, False, True, True, False, True, False]


def test_no_backlog_strands_an_update(path: Path) -> None:
    """After the longest stretch the lock is released, and not taken again for the same backlog."""
    hold = DeliveryHold(opened(path), longest_s=60.0)
    held: list[bool] = []
    for now_s in (0.0, 59.0, 61.0, 62.0, 500.0):
        hold.look(connected=True, waiting_items=9000, now_s=now_s)
        held.append(path.exists())
    assert held == [True, True, False, False, False]


def test_the_start_script_opens_the_locks_folder(path: Path) -> None:
    path.parent.chmod(0o755)
    open_lock_folder({"BALENA_APP_LOCK_PATH": str(path)})
    assert path.parent.stat().st_mode & 0o7777 == 0o1777
    open_lock_folder({})
    open_lock_folder({"BALENA_APP_LOCK_PATH": "/nowhere/updates.lock"})
