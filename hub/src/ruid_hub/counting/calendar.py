"""Periods cut by a place's own calendar: days begin at local midnight, and last 23 to 25 hours."""

import os
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ruid_hub.counting.errors import BadCounting, BadPeriod
from ruid_hub.counting.values import Bucket, Period

MOST_BUCKETS = 24 * 400
HOUR_S = 3600.0
_LOCALTIME = Path("/etc/localtime")


def zone(name: str) -> tzinfo:
    """The zone of an IANA name; the machine's own for an empty one. Raises BadCounting."""
    if not name:
        return machine_zone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadCounting(f"'{name}' is no time zone: give an IANA name such as Europe/Berlin") from error


def machine_zone() -> tzinfo:
    """The machine's zone with its changes between winter and summer, as far as it can be told; else UTC."""
    names = (os.environ.get("TZ", "").lstrip(":"), str(_LOCALTIME.resolve()).partition("zoneinfo/")[2])
    for name in names:
        try:
            if name:
                return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return UTC


def local(at_s: float, site_zone: tzinfo) -> datetime:
    """The moment on the site's clock."""
    return datetime.fromtimestamp(at_s, tz=site_zone)


def label(at_s: float, site_zone: tzinfo) -> str:
    """The moment for people and programs: ISO 8601 with the offset."""
    return local(at_s, site_zone).isoformat(timespec="minutes")


def edges(period: Period, bucket: Bucket, site_zone: tzinfo) -> list[float]:
    """The bounds of the buckets, the period's own ends included. Raises BadPeriod."""
    if not period.from_s < period.to_s:
        raise BadPeriod("the period ends before it begins: choose a later end")
    if (period.to_s - period.from_s) / _LEAST_S[bucket] > MOST_BUCKETS:
        raise BadPeriod(f"too many buckets: ask for a shorter period, or larger ones than {bucket}s")
    inner = _hours(period, site_zone) if bucket is Bucket.HOUR else _dates(period, bucket, site_zone)
    return [period.from_s, *(at_s for at_s in inner if period.from_s < at_s < period.to_s), period.to_s]


def day_of(at_s: float, site_zone: tzinfo) -> Period:
    """The local day around a moment."""
    today = local(at_s, site_zone).date()
    return Period(_midnight(today, site_zone), _midnight(today + timedelta(days=1), site_zone))


def last_time_of_day(clock: str, before_s: float, site_zone: tzinfo) -> float:
    """When the site's clock last showed this time of day ("04:00"). Raises BadCounting."""
    at = time_of_day(clock)
    today = local(before_s, site_zone).date()
    moment_s = datetime.combine(today, at, site_zone).timestamp()
    if moment_s > before_s:
        moment_s = datetime.combine(today - timedelta(days=1), at, site_zone).timestamp()
    return moment_s


def time_of_day(clock: str) -> time:
    """Raises BadCounting for what is no time of day."""
    try:
        return time.fromisoformat(clock)
    except ValueError as error:
        raise BadCounting(f"'{clock}' is no time of day: write it as 04:00") from error


_LEAST_S = {
    Bucket.HOUR: HOUR_S,
    Bucket.DAY: 23 * HOUR_S,
    Bucket.WEEK: 7 * 23 * HOUR_S,
    Bucket.MONTH: 28 * 23 * HOUR_S,
}


def _hours(period: Period, site_zone: tzinfo) -> list[float]:
    """Full hours since each local midnight: they go on evenly when the clock is put forward or back."""
    hours: list[float] = []
    for start_s, end_s in pairwise(_dates(period, Bucket.DAY, site_zone)):
        hours += [start_s + HOUR_S * count for count in range(round((end_s - start_s) / HOUR_S))]
    return hours


def _dates(period: Period, bucket: Bucket, site_zone: tzinfo) -> list[float]:
    """Every local beginning of a bucket from just before the period to just after it."""
    day = _first_date(local(period.from_s, site_zone).date(), bucket)
    starts = [_midnight(day, site_zone)]
    while starts[-1] < period.to_s:
        day = _next_date(day, bucket)
        starts.append(_midnight(day, site_zone))
    return starts


def _first_date(day: date, bucket: Bucket) -> date:
    match bucket:
        case Bucket.WEEK:
            return day - timedelta(days=day.weekday())
        case Bucket.MONTH:
            return day.replace(day=1)
        case _:
            return day


def _next_date(day: date, bucket: Bucket) -> date:
    match bucket:
        case Bucket.WEEK:
            return day + timedelta(days=7)
        case Bucket.MONTH:
            return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        case _:
            return day + timedelta(days=1)


def _midnight(day: date, site_zone: tzinfo) -> float:
    return datetime.combine(day, time(), site_zone).timestamp()
