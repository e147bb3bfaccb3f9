"""Streams of several pages: shared updates, slow readers, pulses, the end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from hub_fakes import FakeClock, hello, live
from ruid_hub.access import Reach
from ruid_hub.live import feed as feed_module
from ruid_hub.live.feed import LiveFeed
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.site import CameraView, PersonCard, Site, SiteView

pytestmark = pytest.mark.asyncio
WITHIN_S = 5.0


class PlainRenderer:
    """Only the number of people."""

    def title(self, view: SiteView) -> str:
        return ""

    broken = False

    def summary(self, view: SiteView) -> str:
        if self.broken:
            raise ValueError("a template that does not fit")
        return f"now={view.people_now}"

    def announcement(self, view: SiteView) -> str:
        return ""

    def cameras_end(self, view: SiteView) -> str:
        return ""

    def camera(self, camera: CameraView) -> str:
        return ""

    def people_end(self, view: SiteView) -> str:
        return ""

    def person(self, person: PersonCard) -> str:
        return ""


class Hub:
    """A site, its clock, its feed."""

    def __init__(self) -> None:
        self.site, self.clock, self.notifier = Site(), FakeClock(), ChangeNotifier()
        self.renderer = PlainRenderer()
        self.feed = LiveFeed(site=self.site, renderer=self.renderer, notifier=self.notifier, clock=self.clock)
        self.site.node_connected(hello(), self.clock())

    def people(self, count: int) -> None:
        self.site.live("node-1", live(*range(count)), self.clock())
        self.notifier.changed()


@asynccontextmanager
async def running() -> AsyncGenerator[Hub]:
    hub = Hub()
    following = asyncio.create_task(hub.feed.run())
    try:
        yield hub
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def following(stream: AsyncIterator[bytes]) -> bytes:
    async with asyncio.timeout(WITHIN_S):
        return await anext(stream)


async def test_every_page_gets_the_same_bytes():
    async with running() as hub:
        pages = [hub.feed.stream() for _ in range(3)]
        first = [await following(page) for page in pages]
        assert b"now=0" in first[0]
        waiting = [asyncio.create_task(following(page)) for page in pages]
        await asyncio.sleep(0)
        hub.people(2)
        sent = await asyncio.gather(*waiting)
        assert b"now=2" in sent[0]
        assert sent[0] is sent[1] is sent[2]
        assert hub.feed.counts.open_pages == 3


async def test_a_page_that_reads_slowly_gets_the_newest_and_what_it_missed_is_counted():
    async with running() as hub:
        slow, quick = hub.feed.stream(), hub.feed.stream()
        await following(slow)
        await following(quick)
        for count in (1, 2, 3):
            hub.people(count)
            assert f"now={count}".encode() in await following(quick)
        assert b"now=3" in await following(slow)
        assert hub.feed.counts.skipped == 2


async def test_changes_in_a_burst_travel_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feed_module, "PACE_S", 0.05)
    async with running() as hub:
        page = hub.feed.stream()
        await following(page)
        hub.people(1)
        await following(page)
        for count in range(2, 30):
            hub.people(count)
            await asyncio.sleep(0)
        assert b"now=29" in await following(page)
        assert hub.feed.counts.updates <= 4


async def test_a_quiet_hub_still_gives_a_sign_of_life(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feed_module, "PULSE_S", 0.01)
    async with running() as hub:
        page = hub.feed.stream()
        await following(page)
        assert await following(page) == b"event: pulse\ndata: \n\n"


async def test_what_only_time_changes_reaches_the_page(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feed_module, "IDLE_S", 0.01)
    async with running() as hub:
        hub.people(1)
        page = hub.feed.stream()
        assert b"now=1" in await following(page)
        hub.clock.now_s += 3.0
        assert b"now=0" in await following(page)


async def test_nothing_is_rendered_while_nobody_looks():
    async with running() as hub:
        for count in range(5):
            hub.people(count)
            await asyncio.sleep(0.01)
        assert hub.feed.counts.updates == 0


async def test_closing_ends_the_feed_and_every_stream():
    hub = Hub()
    task = asyncio.create_task(hub.feed.run())
    page = hub.feed.stream()
    await following(page)
    waiting = asyncio.create_task(following(page))
    await asyncio.sleep(0)
    hub.notifier.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    await asyncio.wait_for(task, WITHIN_S)
    assert hub.feed.counts.open_pages == 0


async def test_a_picture_that_cannot_be_drawn_ends_the_streams_and_the_next_one_works():
    async with running() as hub:
        page = hub.feed.stream()
        await following(page)
        hub.renderer.broken = True
        hub.people(1)
        with pytest.raises(StopAsyncIteration):
            await following(page)
        assert (hub.feed.counts.failures, hub.feed.counts.open_pages) == (1, 0)
        hub.renderer.broken = False
        again = hub.feed.stream()
        assert b"now=1" in await following(again)
        hub.people(2)
        assert b"now=2" in await following(again)


async def test_only_so_many_pages_may_follow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feed_module, "MAX_PAGES", 2)
    async with running() as hub:
        pages = [hub.feed.stream() for _ in range(2)]
        for page in pages:
            await following(page)
        assert hub.feed.full
        await pages[0].aclose()
        assert not hub.feed.full


async def test_a_page_that_leaves_is_no_longer_counted():
    async with running() as hub:
        page = hub.feed.stream()
        await following(page)
        await page.aclose()
        assert hub.feed.counts.open_pages == 0


async def test_a_change_may_come_from_another_thread():
    hub = Hub()
    waiting = asyncio.create_task(hub.notifier.wait(WITHIN_S))
    await asyncio.to_thread(hub.notifier.changed_from_thread)
    async with asyncio.timeout(WITHIN_S / 2):
        await waiting


async def test_pages_see_only_the_cameras_within_their_reach():
    async with running() as hub:
        hub.site.node_connected(hello("node-2"), hub.clock())
        hub.site.live("node-2", live(7, 8), hub.clock())
        hub.people(1)
        everywhere, one_node = hub.feed.stream(), hub.feed.stream(Reach.of(["node-1"]))
        assert b"now=3" in await following(everywhere)
        assert b"now=1" in await following(one_node)
        await one_node.aclose()
        await everywhere.aclose()
        assert hub.feed.counts.open_pages == 0


async def test_a_page_whose_rights_were_taken_away_gets_nothing_more():
    async with running() as hub:
        may = [True]
        page = hub.feed.stream(still_may=lambda: may[0])
        assert b"now=0" in await following(page)
        may[0] = False
        hub.people(2)
        with pytest.raises(StopAsyncIteration):
            await following(page)
        assert hub.feed.counts.open_pages == 0


async def test_a_quiet_page_whose_rights_were_taken_away_ends_with_the_next_pulse(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feed_module, "PULSE_S", 0.05)
    async with running() as hub:
        may = [True]
        page = hub.feed.stream(still_may=lambda: may[0])
        await following(page)
        waiting = asyncio.create_task(following(page))
        await asyncio.sleep(0)
        may[0] = False
        with pytest.raises(StopAsyncIteration):
            await waiting
