"""One commit for whatever all nodes have sent meanwhile, then the acknowledgements."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ruid_core.wire.uplink import ItemKey
from ruid_hub.recognition import ReceivedItem

_WAITING_ITEMS = 2000
_LARGEST_COMMIT = 500
_APART_S = 0.02
"""A commit has its price however few items are in it: under load they are gathered for so long."""


class Acknowledger(Protocol):
    """Whoever tells a node that its items are safe."""

    def acknowledge(self, key: ItemKey) -> None:
        """Everything up to `key` is committed."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    item: ReceivedItem
    sender: Acknowledger


class GroupCommit:
    """Gathers items and commits them together; a full queue makes senders wait, which slows the nodes down."""

    def __init__(self, commit: Callable[[Sequence[ReceivedItem]], Awaitable[None]]) -> None:
        self._commit = commit
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(_WAITING_ITEMS)

    @property
    def waiting(self) -> int:
        """How many items wait to be committed."""
        return self._queue.qsize()

    async def put(self, item: ReceivedItem, sender: Acknowledger) -> None:
        """Add an item, waiting for room; `sender` hears of it once it is committed."""
        await self._queue.put(_Waiting(item, sender))

    async def run(self) -> None:
        """Commit for ever."""
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._queue.get()]
            started_s = loop.time()
            while not self._queue.empty() and len(batch) < _LARGEST_COMMIT:
                batch.append(self._queue.get_nowait())
            await self._commit([waiting.item for waiting in batch])
            newest = {waiting.sender: waiting.item.key for waiting in batch}
            for sender, key in newest.items():
                sender.acknowledge(key)
            if self.waiting < _LARGEST_COMMIT:
                await asyncio.sleep(started_s + _APART_S - loop.time())
