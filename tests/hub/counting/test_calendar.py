"""Days where clocks change."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from ruid_hub.counting import BadCounting, Bucket, Period, calendar

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_has_as_many_hours_as_its_clock_shows(day: str, hours: int):
    period = calendar.day_of(at(f"{day}T12:00"), BERLIN)
    edges = calendar.edges(period, Bucket.HOUR, BERLIN)
    assert len(edges) - 1 == hours
    assert {after - before for before, after in pairwise(edges)} == {3600.0}


def test_the_hour_that_comes_twice_can_be_told_apart():
    period = calendar.day_of(at("2026-10-25T12:00"), BERLIN)
    labels = [calendar.label(at_s, BERLIN) for at_s in calendar.edges(period, Bucket.HOUR, BERLIN)[2:4]]
    assert labels == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]


def test_days_weeks_and_months_begin_at_local_midnight():
    period = Period(at("2026-03-10T15:00"), at("2026-04-10T15:00"))
    days = calendar.edges(period, Bucket.DAY, BERLIN)
    assert len(days) - 1 == 32
    assert all(calendar.local(at_s, BERLIN).hour == 0 for at_s in days[1:-1])
    weeks = calendar.edges(period, Bucket.WEEK, BERLIN)
    assert {calendar.local(at_s, BERLIN).weekday() for at_s in weeks[1:-1]} == {0}
    months = calendar.edges(period, Bucket.MONTH, BERLIN)
    assert [calendar.local(at_s, BERLIN).day for at_s in months] == [10, 1, 10]


def test_a_time_of_day_is_todays_once_it_has_come():
    assert calendar.last_time_of_day("04:00", at("2026-06-02T05:00"), BERLIN) == at("2026-06-02T04:00")
    assert calendar.last_time_of_day("04:00", at("2026-06-02T03:00"), BERLIN) == at("2026-06-01T04:00")
    with pytest.raises(BadCounting, match="no time of day"):
        calendar.last_time_of_day("teatime", 0.0, BERLIN)


def test_the_machines_own_zone_follows_summer_and_winter(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert calendar.zone("") == BERLIN
    monkeypatch.setenv("TZ", "no such zone")
    assert calendar.zone("").utcoffset(datetime(2026, 1, 1)) is not None  # noqa: DTZ001
