"""Starting programs and stopping them, so that none is ever left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_STOP_WITHIN_S = 1.8


def _end_with_parent() -> None:
    """Ask Linux to end this program when the one that started it is gone, however that went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(slots=True)
class Program:
    """One of the demo's programs; `start` again starts it anew after it has ended."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    starts: int = 0
    _process: "subprocess.Popen[bytes] | None" = field(default=None)

    def start(self) -> None:
        """Start it in a session of its own, its log in a file."""
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs
                [sys.executable, *self.arguments],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - one thread at this point
            )

    @property
    def pid(self) -> int:
        """The process number; 0 before the start."""
        return self._process.pid if self._process else 0

    @property
    def exit_code(self) -> int | None:
        """How it ended, None while it runs."""
        return self._process.poll() if self._process else None

    def ask_to_stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self, *, timeout_s: float) -> int | None:
        """Wait for its end; return the exit code, None if it still runs."""
        try:
            return self._process.wait(timeout_s) if self._process else None
        except subprocess.TimeoutExpired:
            return None

    @property
    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1].removeprefix("ruid edge: ").removeprefix("ruid hub: ") if lines else "it said nothing"


def stop_all(programs: Sequence[Program]) -> None:
    """Stop the programs together within two seconds, by force in the end."""
    for program in programs:
        program.ask_to_stop()
    deadline_s = time.monotonic() + _STOP_WITHIN_S
    for program in programs:
        program.wait(timeout_s=max(0.0, deadline_s - time.monotonic()))
    for program in programs:
        program.ask_to_stop(signal.SIGKILL)
        program.wait(timeout_s=1.0)
