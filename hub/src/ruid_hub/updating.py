"""What a hub looks at before it changes the schema of its database after an update.

There must be room: the automatic backup is the database and the other files once more, packed from a copy, and the
change itself writes a log of about the database's size. And nobody may stop the hub in the middle: while balena's
update lock is held (the file at BALENA_APP_LOCK_PATH, and `flock` on it for restarts of the device), no service of this
device is stopped for a further release.

A hub that was killed leaves the lock's file behind, since only a restart of the device clears its folder. The
supervisor's own locks belong to another user: a file of ours is left over, and goes before anything else.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from ruid_hub.backup import backed_up_files
from ruid_hub.store.opening import pending_update

_SPARE_BYTES = 32_000_000
_COPIES = 3
"""The copy that is packed, the backup, and the log of the change."""
_LOCK_WITHIN_S = 5.0
_ASK_EVERY_S = 0.5

_log = structlog.get_logger("hub")


@dataclass(frozen=True, slots=True)
class Shortage:
    """Too little room to bring the database up to date; its text says what to do."""

    folder: Path
    needed_bytes: int
    free_bytes: int

    def __str__(self) -> str:
        needed_mb, free_mb = (round(size / 1e6) for size in (self.needed_bytes, self.free_bytes))
        return (
            f"the database waits for its update, which needs {needed_mb} MB in {self.folder}, where {free_mb} MB are "
            "free: make room there, and the hub goes on by itself; nodes keep meanwhile what they see"
        )


def find_shortage(place: Path | str, state_dir: Path) -> Shortage | None:
    """What is missing to back up a database and to change it; None where there is room or nothing to change.

    Raises StoreError where the database cannot be opened.
    """
    update = pending_update(place)
    if update is None:
        return None
    others = sum(path.stat().st_size for path in backed_up_files(state_dir))
    needed = _COPIES * update.size_bytes + others + _SPARE_BYTES
    free = shutil.disk_usage(state_dir).free
    return Shortage(state_dir, needed, free) if free < needed else None


@contextmanager
def updates_held_off(environment: Mapping[str, str], *, within_s: float = _LOCK_WITHIN_S) -> Generator[bool]:
    """Hold updates of this device off while the context lasts; yields whether that could be done.

    Where an update is just ending, its lock goes within seconds: so long it is waited for, and then gone on without.
    """
    named = environment.get("BALENA_APP_LOCK_PATH", "")
    descriptor = _take(Path(named), within_s) if named else None
    if named and descriptor is None:
        _log.warning("updates cannot be held off", lock=named)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            Path(named).unlink(missing_ok=True)
            os.close(descriptor)


def clear_update_lock(environment: Mapping[str, str]) -> None:
    """Remove the lock that an earlier run of this hub left, if it was killed while it held updates off."""
    path = Path(environment.get("BALENA_APP_LOCK_PATH", "") or os.devnull)
    try:
        if path.is_file() and path.stat().st_uid == os.geteuid():
            path.unlink()
    except OSError as error:
        _log.warning("the update lock cannot be looked at", lock=str(path), reason=str(error))


def _take(path: Path, within_s: float) -> int | None:
    deadline_s = time.monotonic() + within_s
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            if time.monotonic() > deadline_s:
                return None
            time.sleep(_ASK_EVERY_S)
        except OSError:  # the folder is not ours to write: no update has begun since the device started
            return None
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
