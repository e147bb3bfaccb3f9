"""Ends a hub that hangs: nobody else restarts an unhealthy container.

A thread of its own sees that the event loop does not turn and ends the process with exit code 70. Where no thread gets
a turn any more, because one does not let go of the interpreter, `faulthandler` ends it with exit code 1: it needs none.
"""

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

STUCK_AFTER_S = 20.0
"""Longer than the node's: a hub on a small board reads a large database at once when it starts."""
EXIT_CODE = 70


@asynccontextmanager
async def watched(
    *, limit_s: float = STUCK_AFTER_S, end: Callable[[int], object] = os._exit
) -> AsyncGenerator[threading.Thread]:
    """Watch the running event loop while the context lasts; `end` is called in the watchdog's thread."""
    loop, over = asyncio.get_running_loop(), threading.Event()
    thread = threading.Thread(target=_watch, args=(loop, over, limit_s, end), name="watchdog", daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        over.set()


def _watch(
    loop: asyncio.AbstractEventLoop, over: threading.Event, limit_s: float, end: Callable[[int], object]
) -> None:
    turned = threading.Event()
    turned_s = time.monotonic()
    every_s = min(1.0, limit_s / 4)
    try:
        while not over.wait(every_s) and not loop.is_closed():
            faulthandler.dump_traceback_later(2 * limit_s + every_s, exit=True)
            if turned.is_set():
                turned_s = time.monotonic()
            turned.clear()
            loop.call_soon_threadsafe(turned.set)
            silent_s = time.monotonic() - turned_s
            if silent_s > limit_s:
                sys.stderr.write(f"ruid hub: ended by the watchdog: the event loop did not turn for {silent_s:.0f} s\n")
                faulthandler.dump_traceback(all_threads=True)
                end(EXIT_CODE)
                return
    finally:
        faulthandler.cancel_dump_traceback_later()
