"""The node of `ruid bench kills`: the real spool and uplink under steady load, and a ledger of what it spooled.

A program of its own (`main`), killed at any moment. On SIGTERM it makes no more items, waits until the hub has them
all, and ends.
"""

import asyncio
import itertools
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import structlog

from ruid_core.wire.messages import Content, Crossing
from ruid_edge.spool import Spool
from ruid_edge.uplink import Uplink
from ruid_tools.fleet.node import NodePlan, make_uplink
from ruid_tools.fleet.traffic import CAMERA_ID, Passage, passages_of
from ruid_tools.fleet.world import World, WorldSettings

BATCH = 4
SERIALS_PER_BOOT = 10_000_000
LEDGER = "ledger.txt"
UPS = "ups.txt"
_WORLD = WorldSettings(cameras=1, people=60, hours=1.0)
_SPOOL_BYTES = 256_000_000
_TOOK_S = 4.0


class _Notes:
    """Lines in a file that outlive SIGKILL: each is one write to the system, none waits in this process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, text: str) -> None:
        os.write(self._file, text.encode("ascii"))


async def _run(folder: Path, hub_url: str, join_file: str, rate: float, seed: int) -> None:
    [passages] = passages_of(World(_WORLD))
    spool = Spool.open(folder, max_bytes=_SPOOL_BYTES)
    uplink = make_uplink(NodePlan("kills", folder, hub_url, join_file, _WORLD.dim), spool)
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    running = asyncio.create_task(uplink.run())
    noting = asyncio.create_task(_note_connections(uplink, _Notes(folder / UPS)))
    await _feed(spool, uplink, _contents(spool, passages, seed), _Notes(folder / LEDGER), rate=rate, ending=ending)
    while spool.state.items:  # noqa: ASYNC110 - whoever started this has a deadline
        await asyncio.sleep(0.02)
    noting.cancel()
    uplink.close(reason="the bench is over", finished=True)
    await asyncio.gather(running, noting, return_exceptions=True)
    spool.close()


async def _feed(
    spool: Spool,
    uplink: Uplink,
    contents: Iterator[tuple[int, Content]],
    ledger: _Notes,
    *,
    rate: float,
    ending: asyncio.Event,
) -> None:
    while not ending.is_set():
        batch = list(itertools.islice(contents, BATCH))
        keys = spool.append([content for _, content in batch])
        lines = (
            f"{key.boot_epoch} {key.seq} {serial} {type(content).__name__}\n"
            for key, (serial, content) in zip(keys, batch, strict=True)
        )
        ledger.write("".join(lines))
        uplink.wake()
        await asyncio.sleep(BATCH / rate)


def _contents(spool: Spool, passages: list[Passage], seed: int) -> Iterator[tuple[int, Content]]:
    """Tracklets and crossings by turns, each with a number that no other has, in place of a track's."""
    first = SERIALS_PER_BOOT * spool.boot_epoch
    for count in itertools.count():
        passage, now_s = passages[(seed + first + count // 2) % len(passages)], time.time()
        serial = first + count
        if count % 2:
            yield serial, Crossing(CAMERA_ID, "door", serial, 1, now_s)
        else:
            yield serial, passage.tracklet(track_id=serial, ended_at_s=now_s, took_s=_TOOK_S)


async def _note_connections(uplink: Uplink, notes: _Notes) -> None:
    """Note when the hub has welcomed the node, on the clock that all processes share."""
    welcomes = 0
    while True:
        if uplink.counters.connections > welcomes:
            welcomes = uplink.counters.connections
            notes.write(f"{time.monotonic()}\n")
        await asyncio.sleep(0.01)


def main() -> int:
    """Run until SIGTERM, with the arguments FOLDER HUB_URL JOIN_FILE RATE SEED."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    folder, hub_url, join_file, rate, seed = sys.argv[1:]
    asyncio.run(_run(Path(folder), hub_url, join_file, float(rate), int(seed)))
    return 0
