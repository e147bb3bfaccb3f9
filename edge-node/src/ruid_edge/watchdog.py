"""Ends a node that hangs: nobody else restarts an unhealthy container.

A thread of its own, so that it sees a wedged event loop; it asks the threads how long they have been stuck, and ends
the process with exit code 70 after noting the reason in the state folder, where the next run reads it. While nothing
hangs it touches the file that the container's health check looks at. Where no thread gets a turn any more, because
one does not let go of the interpreter, `faulthandler` ends the process with exit code 1: it needs no turn.
"""

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ruid_edge.durable import remove_durably, write_durably

STUCK_AFTER_S = 9.0
_LOOK_EVERY_S = 1.0
_REASON_CHARS = 400
EXIT_CODE = 70


def take_last_words(folder: Path) -> str:
    """Why the last run was ended, and forget it; empty after a run that ended well or had no time to say."""
    path = folder / "last-words.txt"
    try:
        reason = path.read_text(encoding="utf-8", errors="replace").strip()
        remove_durably(path)
    except OSError:
        return ""
    return "".join(character for character in reason if character.isprintable())[:_REASON_CHARS]


def leave_last_words(folder: Path, reason: str) -> None:
    """Note why this run ends; a folder that cannot be written must not stop it from ending."""
    try:
        write_durably(folder / "last-words.txt", reason.encode())
    except OSError as error:
        sys.stderr.write(f"ruid edge: the reason cannot be noted: {error}\n")


def show_life(heartbeat: Path | None) -> None:
    """Touch the file whose age a container's health check asks for; one that cannot be touched grows old."""
    if heartbeat is not None:
        with suppress(OSError):
            heartbeat.touch()


class Watchdog:
    """Watches until `stop`; `stuck_for_s` is called in the watchdog's thread and must not block."""

    def __init__(
        self,
        folder: Path,
        *,
        loop: asyncio.AbstractEventLoop,
        stuck_for_s: Callable[[], float],
        end: Callable[[int], object] = os._exit,
        limit_s: float = STUCK_AFTER_S,
        heartbeat: Path | None = None,
    ) -> None:
        self._folder = folder
        self._loop = loop
        self._stuck_for_s = stuck_for_s
        self._end = end
        self._limit_s = limit_s
        self._heartbeat = heartbeat
        self._beat_s = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()

    def trouble(self) -> str:
        """What hangs for too long, or nothing."""
        silent_s = time.monotonic() - self._beat_s
        if silent_s > self._limit_s:
            return f"the event loop did not turn for {silent_s:.0f} s"
        stuck_s = self._stuck_for_s()
        return f"a thread was stuck for {stuck_s:.0f} s" if stuck_s > self._limit_s else ""

    def _beat(self) -> None:
        self._beat_s = time.monotonic()

    def _watch(self) -> None:
        every_s = min(_LOOK_EVERY_S, self._limit_s / 4)
        try:
            while not self._stopped.wait(every_s) and not self._loop.is_closed():
                faulthandler.dump_traceback_later(2 * self._limit_s + every_s, exit=True)
                self._loop.call_soon_threadsafe(self._beat)
                reason = self.trouble()
                if reason:
                    self._end_with(reason)
                    return
                show_life(self._heartbeat)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _end_with(self, reason: str) -> None:
        sys.stderr.write(f"ruid edge: ended by the watchdog: {reason}\n")
        faulthandler.dump_traceback(all_threads=True)
        leave_last_words(self._folder, reason)
        self._end(EXIT_CODE)
