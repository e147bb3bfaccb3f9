"""The node's one composition root: settings in, a running node out."""

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

import structlog

from ruid_edge.errors import EdgeError
from ruid_edge.inference import Embedder, load_embedder
from ruid_edge.node import EdgeNode
from ruid_edge.settings import EdgeSettings
from ruid_edge.spool import Spool
from ruid_edge.update_lock import UpdateLock
from ruid_edge.watchdog import leave_last_words, show_life

_REST_S = 5.0

_log = structlog.get_logger("node")


def configure_logging(level: str) -> None:
    """Terse lines on standard error: time, level, what happened, values."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                pad_event_to=0,
                pad_level=False,
                # The usual one shows the values of variables, passwords among them, and holds up all else meanwhile.
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


async def _run(settings: EdgeSettings, spool: Spool, embedder: Embedder, update_lock: UpdateLock) -> None:
    node = EdgeNode(settings, spool=spool, embedder=embedder, update_lock=update_lock)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.stop)
    _log.info("node starts", node=settings.node_name, node_id=spool.node_id, boot=spool.boot_epoch)
    try:
        await node.run()
    finally:
        if settings.summary_file:
            _write_summary(Path(settings.summary_file), node.summary())


def _write_summary(path: Path, summary: dict[str, object]) -> None:
    path.write_text(json.dumps(summary), encoding="utf-8")


def _rest(heartbeat: Path | None) -> None:
    """Wait to be told to stop: every service of a release runs on every device, needed or not."""
    numbers = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    _log.info("this device is the hub alone: its node rests")
    show_life(heartbeat)
    while signal.sigtimedwait(numbers, _REST_S) is None:
        show_life(heartbeat)


def run_node(settings: EdgeSettings) -> None:
    """Run a node until it ends; raise the `EdgeError` that ended it, if one did."""
    configure_logging(settings.log_level)
    if settings.role == "hub":
        _rest(Path(settings.heartbeat_file) if settings.heartbeat_file else None)
        return
    update_lock = UpdateLock.open(os.environ)
    embedder = load_embedder(settings.embedder, runtime=settings.runtime, threads=settings.threads)
    spool = Spool.open(Path(settings.state_dir), max_bytes=int(settings.spool_max_mb * 1e6))
    try:
        asyncio.run(_run(settings, spool, embedder, update_lock))
    except EdgeError as error:
        leave_last_words(Path(settings.state_dir), str(error))
        raise
    finally:
        update_lock.release()
        spool.close()
