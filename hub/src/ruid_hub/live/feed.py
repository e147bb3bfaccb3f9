"""Paces the live picture and streams it to pages."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

import structlog

from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.live.picture import LivePicture
from ruid_hub.site import Site

PACE_S = 0.1
"""At most ten updates a second."""
IDLE_S = 1.0
"""Ages and silences change without a message."""
PULSE_S = 3.0
"""A page that hears nothing for longer knows that the hub is gone."""
MAX_PAGES = 200
"""More than these are turned away until others close."""
PULSE = b"event: pulse\ndata: \n\n"

log: structlog.stdlib.BoundLogger = structlog.get_logger("ruid_hub.live")


@dataclass(slots=True)
class FeedCounts:
    """Since the start, but for `open_pages`.

    `skipped` are revisions that a slow page never saw by themselves, `failures` pictures that could not be drawn.
    """

    updates: int = 0
    sent: int = 0
    skipped: int = 0
    failures: int = 0
    open_pages: int = 0


class LiveFeed:
    """One per hub. `run` is its task; each page has a `stream`; both end when the notifier closes."""

    def __init__(
        self, *, site: Site, picture: LivePicture, notifier: ChangeNotifier, clock: Callable[[], float]
    ) -> None:
        self.counts = FeedCounts()
        self._site = site
        self._picture = picture
        self._notifier = notifier
        self._clock = clock
        self._next = asyncio.Event()

    @property
    def full(self) -> bool:
        """True while as many pages follow as are allowed."""
        return self.counts.open_pages >= MAX_PAGES

    async def run(self) -> None:
        """Bring the picture up to date at every change, but never faster than the pace."""
        while not self._notifier.closed:
            await self._notifier.wait(IDLE_S)
            if self.counts.open_pages:
                self._refresh_or_hang_up()
                await asyncio.sleep(PACE_S)
        self._wake()

    def refresh(self) -> None:
        """Look at the site now and wake every page if anything differs."""
        at_s = self._clock()
        if self._picture.update(self._site.view(at_s), at_s):
            self.counts.updates += 1
            self._wake()

    async def stream(self) -> AsyncGenerator[bytes]:
        """Everything first, then what changed, and a pulse when nothing does."""
        self.counts.open_pages += 1
        try:
            self.refresh()
            shown, hung_up = 0, self.counts.failures
            while not self._notifier.closed and hung_up == self.counts.failures:
                following = self._next
                if shown == self._picture.revision:
                    if not await _set_within(following, PULSE_S):
                        yield PULSE
                    continue
                newest = self._picture.revision
                yield self._catch_up(shown)
                shown = newest
        finally:
            self.counts.open_pages -= 1

    def _refresh_or_hang_up(self) -> None:
        """A page that looks alive and shows old numbers would lie: end its stream, it will come back."""
        try:
            self.refresh()
        except Exception as error:
            self.counts.failures += 1
            log.exception("live.refresh_failed", error=repr(error))
            self._wake()

    def _catch_up(self, shown: int) -> bytes:
        self.counts.sent += 1
        if shown:
            self.counts.skipped += self._picture.revision - shown - 1
        return self._picture.since(shown)

    def _wake(self) -> None:
        woken, self._next = self._next, asyncio.Event()
        woken.set()


async def _set_within(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
