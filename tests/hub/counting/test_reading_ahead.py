"""Counts are read ahead: whoever opens a month first waits for nothing that was counted before."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import event

from api_fakes import eventually
from hub_fakes import NOON_S, FakeClock, row
from ruid_hub.counting import Bucket, Counting, Period, StillReading, keep_read_ahead, read_ahead
from ruid_hub.counting import counting as counting_module
from ruid_hub.counting.hours import Hours
from ruid_hub.site import Site
from ruid_hub.store import Store

DAY_S = 86_400.0


@pytest.fixture
def store(store: Store) -> Store:
    """Somebody else on each of ninety days."""
    store.commit([row(1 + day, f"p{day}", at_s=NOON_S - day * DAY_S) for day in range(90)])
    return store


@pytest.fixture
def counting(store: Store) -> Counting:
    return Counting(store=store, site=Site(), clock=FakeClock(NOON_S + 60))


def hours_read(store: Store, ask: Callable[[], object]) -> int:
    """How often the accounts of hours are read while something is asked."""
    times = 0

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal times
        times += "FROM appearances" in statement and "appearances.hour BETWEEN" in statement

    with store.reading() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return times


def month_of(counting: Counting) -> float:
    """The first figures of the page of a month."""
    now_s = NOON_S + 60
    since_s = counting.day(now_s - 29 * DAY_S).from_s
    month, earlier = Period(since_s, now_s), Period(since_s - 30 * DAY_S, now_s - 30 * DAY_S)
    counting.visits(month, Bucket.DAY)
    return counting.compare(month, earlier, Bucket.DAY).now.total.value


async def test_a_month_that_was_read_ahead_reads_no_more_hours(store: Store, counting: Counting):
    assert hours_read(store, lambda: month_of(counting)) > 30
    fresh = Counting(store=store, site=Site(), clock=FakeClock(NOON_S + 60))
    await read_ahead(fresh, FakeClock(NOON_S + 60))
    figures: list[float] = []
    assert hours_read(store, lambda: figures.append(month_of(fresh))) == 0
    assert figures == [month_of(counting)] == [30.0]


async def test_reading_ahead_stops_where_the_next_day_would_push_out_what_is_kept(
    store: Store, counting: Counting, monkeypatch: pytest.MonkeyPatch
):
    asked: list[Period] = []
    prepare = counting.prepare

    def note(day: Period) -> bool:
        asked.append(day)
        return prepare(day)

    monkeypatch.setattr(Hours, "full", property(lambda _: len(asked) > 3))
    monkeypatch.setattr(counting, "prepare", note)
    await read_ahead(counting, FakeClock(NOON_S + 60))
    assert [(asked[0].from_s - day.from_s) / DAY_S for day in asked] == [0, 1, 2, 3]


async def test_whoever_asks_before_that_is_told_so_at_once_and_the_answer_comes(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
):
    go_on = threading.Event()

    def slowly(_: Period) -> bool:
        return not go_on.wait(30)

    monkeypatch.setattr(counting_module, "PATIENCE_S", 2.0)
    monkeypatch.setattr(counting, "prepare", slowly)
    reading = asyncio.create_task(keep_read_ahead(counting, FakeClock(NOON_S + 60)))
    await asyncio.sleep(0)
    with pytest.raises(StillReading, match="still reading"):
        await counting.ask(go_on.wait, 30)
    assert await counting.ask(lambda: "at once") == "at once"
    go_on.set()
    await eventually(lambda: not counting.reading_ahead)
    assert await counting.ask(month_of, counting) == 30.0
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def test_what_cannot_be_read_ahead_ends_nothing(counting: Counting, monkeypatch: pytest.MonkeyPatch):
    tried = asyncio.Event()

    def fail(_: Period) -> bool:
        tried.set()
        raise OSError("the disk is away")

    monkeypatch.setattr(counting, "prepare", fail)
    reading = asyncio.create_task(keep_read_ahead(counting, FakeClock(NOON_S)))
    await asyncio.wait_for(tried.wait(), 10)
    await asyncio.sleep(0)
    assert not reading.done()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


def test_nothing_is_read_of_days_before_the_first_count(counting: Counting):
    assert counting.prepare(counting.day(NOON_S - 89 * DAY_S))
    assert not counting.prepare(counting.day(NOON_S - 91 * DAY_S))
