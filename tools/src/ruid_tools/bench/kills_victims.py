"""The programs that are killed: each start is a new process, forked from one that has imported everything already.

Importing takes longer than all the rest of a start, and no kill in it can lose anything: nothing is open yet. What
remains is the program's own: it opens its files, restores its state, and listens or connects.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from ruid_hub.__main__ import main as hub_main
from ruid_tools.bench.kills_node import main as node_main

_PR_SET_PDEATHSIG = 1
_KILL_WITHIN_S = 5.0


class Victim:
    """A program that can be started again and again; its log grows in a file."""

    def __init__(
        self,
        main: Callable[[], int],
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        log: Path,
    ) -> None:
        self._main = main
        self._arguments = tuple(arguments)
        self._environment = dict(environment or {})
        self._log = log
        self._process: BaseProcess | None = None

    def start(self) -> None:
        """Begin a new process."""
        context = get_context("forkserver")
        context.set_forkserver_preload(["__main__", __name__])
        self._process = context.Process(
            target=_live, args=(self._main, self._arguments, self._environment, str(self._log)), daemon=True
        )
        self._process.start()

    @property
    def exit_code(self) -> int | None:
        """How it ended (below 0: by which signal), None while it runs."""
        return self._process.exitcode if self._process else None

    def send(self, number: signal.Signals) -> None:
        """Send a signal if it still runs."""
        if self._process is not None and self._process.pid and self.exit_code is None:
            os.kill(self._process.pid, number)

    def wait(self, *, timeout_s: float) -> int | None:
        """Wait for its end; return the exit code, None if it still runs."""
        if self._process is not None:
            self._process.join(timeout_s)
        return self.exit_code

    @property
    def last_words(self) -> str:
        """The last line of its log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n") if self._log.exists() else []
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def end_all(victims: Sequence[Victim]) -> None:
    """Leave none behind."""
    for victim in victims:
        victim.send(signal.SIGKILL)
        victim.wait(timeout_s=_KILL_WITHIN_S)


def hub_victim(environment: Mapping[str, str], log: Path) -> Victim:
    """The whole hub, as `python -m ruid_hub` runs it."""
    return Victim(hub_main, environment=environment, log=log)


def node_victim(arguments: Sequence[str], log: Path) -> Victim:
    """The node of `kills_node`."""
    return Victim(node_main, arguments=arguments, log=log)


def _live(main: Callable[[], int], arguments: Sequence[str], environment: Mapping[str, str], log: str) -> None:
    """In the new process: become the program, as if started from a shell with its output in the log."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.environ.update(environment)
    sys.argv[1:] = arguments
    sys.exit(main())
