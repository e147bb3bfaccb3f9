"""Paces the live picture and streams it to pages."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

import structlog

from ruid_hub.access import Reach
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.live.picture import LivePicture, Pieces, Renderer
from ruid_hub.site import Site

PACE_S = 0.1
"""At most ten updates a second."""
IDLE_S = 1.0
"""Ages and silences change without a message."""
PULSE_S = 3.0
"""A page that hears nothing for longer knows that the hub is gone."""
MAX_PAGES = 200
"""More than these are turned away until others close."""
EVERYWHERE = Reach()
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


@dataclass(slots=True)
class _Shown:
    """What the pages of one reach show; it lives while there are such pages."""

    picture: LivePicture
    pages: int = 0
    next: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        woken, self.next = self.next, asyncio.Event()
        woken.set()


class LiveFeed:
    """One per hub. `run` is its task; each page has a `stream`; both end when the notifier closes.

    Pages that may see the same cameras share one picture and its bytes; all pictures share their pieces.
    """

    def __init__(self, *, site: Site, renderer: Renderer, notifier: ChangeNotifier, clock: Callable[[], float]) -> None:
        self.counts = FeedCounts()
        self._site = site
        self._renderer = renderer
        self._pieces = Pieces(renderer)
        self._notifier = notifier
        self._clock = clock
        self._shown: dict[Reach, _Shown] = {}

    @property
    def full(self) -> bool:
        """True while as many pages follow as are allowed."""
        return self.counts.open_pages >= MAX_PAGES

    async def run(self) -> None:
        """Bring the pictures up to date at every change, but never faster than the pace."""
        while not self._notifier.closed:
            await self._notifier.wait(IDLE_S)
            if self.counts.open_pages:
                self._refresh_or_hang_up()
                await asyncio.sleep(PACE_S)
        self._wake_all()

    def refresh(self) -> None:
        """Look at the site now and wake every page for which anything differs."""
        for reach, shown in self._shown.items():
            self._refresh(reach, shown)

    async def stream(
        self, reach: Reach = EVERYWHERE, *, still_may: Callable[[], bool] = lambda: True
    ) -> AsyncGenerator[bytes]:
        """Everything within a reach first, then what changed, and a pulse when nothing does.

        It ends once `still_may` says no, a pulse later at the latest.
        """
        shown = self._shown.setdefault(reach, _Shown(LivePicture(self._renderer, self._pieces)))
        shown.pages += 1
        self.counts.open_pages += 1
        try:
            self._refresh(reach, shown)
            async for sent in self._follow(shown, still_may):
                yield sent
        finally:
            self.counts.open_pages -= 1
            shown.pages -= 1
            if not shown.pages:
                del self._shown[reach]
            if not self._shown:
                self._pieces.clear()

    async def _follow(self, shown: _Shown, still_may: Callable[[], bool]) -> AsyncGenerator[bytes]:
        revision, hung_up = 0, self.counts.failures
        while still_may() and not self._notifier.closed and hung_up == self.counts.failures:
            following = shown.next
            if revision == shown.picture.revision:
                if not await _set_within(following, PULSE_S) and still_may():
                    yield PULSE
                continue
            newest = shown.picture.revision
            yield self._catch_up(shown.picture, revision)
            revision = newest

    def _refresh(self, reach: Reach, shown: _Shown) -> None:
        at_s = self._clock()
        view = self._site.view(at_s, sees=None if reach.everywhere else reach.covers)
        if shown.picture.update(view, at_s):
            self.counts.updates += 1
            shown.wake()

    def _refresh_or_hang_up(self) -> None:
        """A page that looks alive and shows old numbers would lie: end its stream, it will come back."""
        try:
            self.refresh()
        except Exception as error:
            self.counts.failures += 1
            log.exception("live.refresh_failed", error=repr(error))
            self._wake_all()

    def _catch_up(self, picture: LivePicture, revision: int) -> bytes:
        self.counts.sent += 1
        if revision:
            self.counts.skipped += picture.revision - revision - 1
        return picture.since(revision)

    def _wake_all(self) -> None:
        for shown in self._shown.values():
            shown.wake()


async def _set_within(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
