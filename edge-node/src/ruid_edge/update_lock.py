"""Holds off updates while something runs that they must not cut short: balena's update lock.

While the file at BALENA_APP_LOCK_PATH exists, made by whoever saw that it was not there, balena's supervisor stops none
of the device's services for a new release; while somebody has it locked (`flock`), the device does not restart for an
update of its system. Elsewhere than under balena there is no such variable, and nothing is held off.

A run that is killed leaves its file behind: only a restart of the device clears the folder. The supervisor's own locks
belong to another user, so what belongs to ours is left over and goes when the next run opens the lock.
"""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

_LONGEST_S = 600.0
_BACKLOG_ITEMS = 200
_DELIVERED_ITEMS = 20


class UpdateLock:
    """One a process; `path` is None where there is nobody to hold off."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._descriptor: int | None = None

    @classmethod
    def open(cls, environment: Mapping[str, str]) -> "UpdateLock":
        """The lock that the environment names; what an earlier run of ours left of it is gone."""
        named = environment.get("BALENA_APP_LOCK_PATH", "")
        lock = cls(Path(named) if named else None)
        lock._clear()
        return lock

    @property
    def held(self) -> bool:
        """Whether we hold updates off."""
        return self._descriptor is not None

    def take(self) -> bool:
        """Hold updates off, if one has not begun already; return whether they are held off now."""
        if self._path is None or self.held:
            return self.held
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # an update is under way, or the folder is not ours to write
            return self.held
        return True

    def release(self) -> None:
        """Let updates through again; harmless where they are not held off."""
        if self._path is None or self._descriptor is None:
            return
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def _clear(self) -> None:
        try:
            if self._path is not None and self._path.stat().st_uid == os.geteuid():
                self._path.unlink()
        except OSError:  # nothing is left over
            return


class DeliveryHold:
    """Holds updates off while a backlog is delivered, but never for longer than `longest_s` at a stretch.

    What it protects is durable anyway: an update in the middle costs time, not data, so it may never be in the way of
    one for long. After the longest stretch it waits until the backlog is gone before it holds another time.
    """

    def __init__(self, lock: UpdateLock, *, longest_s: float = _LONGEST_S) -> None:
        self._lock = lock
        self._longest_s = longest_s
        self._since_s: float | None = None

    def look(self, *, connected: bool, waiting_items: int, now_s: float) -> None:
        """Take or release the lock; call it about once a second."""
        if not connected or waiting_items <= _DELIVERED_ITEMS:
            self._lock.release()
            self._since_s = None
        elif waiting_items >= _BACKLOG_ITEMS and self._since_s is None and self._lock.take():
            self._since_s = now_s
        elif self._since_s is not None and now_s - self._since_s > self._longest_s:
            self._lock.release()
