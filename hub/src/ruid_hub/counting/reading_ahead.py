"""What long counts are made of, read before anybody asks: the first month's page after a start reads a million rows.

A day at a time, the newest first, and after each it rests for as long as that took, so that neither live updates nor
pages wait for long. Once an hour it looks again: hours that nobody asked about since are read by then.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from ruid_hub.counting.counting import Counting
from ruid_hub.counting.values import Bucket, Period

MONTH_DAYS = 30
"""As the page of counts has it, which compares it with the one before."""
AGAIN_S = 3600.0
DAY_S = 86_400.0

_log = structlog.get_logger("counting")


async def keep_read_ahead(counting: Counting, clock: Callable[[], float]) -> None:
    """For ever. What cannot be read now is worked out when somebody asks, and tried again an hour later."""
    counting.reading_ahead = True
    while True:
        try:
            took_s = await read_ahead(counting, clock)
        except Exception as error:
            _log.warning("counts could not be read ahead", reason=str(error))
        else:
            _log.debug("counts read ahead", took_s=round(took_s, 1))
        finally:
            counting.reading_ahead = False
        await asyncio.sleep(AGAIN_S)


async def read_ahead(counting: Counting, clock: Callable[[], float]) -> float:
    """Each day from today back, as far as there is room; then what a month is put together from.

    Returns the seconds that it took.
    """
    started_s = time.monotonic()
    # Not on the threads of those who ask.
    day = await asyncio.to_thread(counting.day, clock())
    for _ in range(2 * MONTH_DAYS):
        began_s = time.monotonic()
        if not await asyncio.to_thread(counting.prepare, day):
            break
        day = await asyncio.to_thread(counting.day, day.from_s - DAY_S / 2)
        await asyncio.sleep(time.monotonic() - began_s)
    now_s = clock()
    since = await asyncio.to_thread(counting.day, now_s - (MONTH_DAYS - 1) * DAY_S)
    for back_s in (0.0, MONTH_DAYS * DAY_S):
        month = Period(since.from_s - back_s, now_s - back_s)
        await asyncio.to_thread(counting.unique_visitors, month, Bucket.DAY)
        await asyncio.to_thread(counting.visits, month, Bucket.DAY)
    return time.monotonic() - started_s
