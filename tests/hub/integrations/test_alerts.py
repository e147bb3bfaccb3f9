"""What is news, and what is not news any more."""

import pytest

from hub_fakes import NOON_S, health, hello, live, matched, track
from ruid_hub.integrations.alerts import DOWN_AFTER_S, Alert, AlertKind, AlertRules
from ruid_hub.observations import CoverageGap
from ruid_hub.site import KnownPerson, Site


@pytest.fixture
def site() -> Site:
    site = Site()
    site.node_connected(hello(), NOON_S)
    site.live("node-1", live(1), NOON_S)
    return site


def kinds(alerts: list[Alert]) -> list[AlertKind]:
    return [alert.kind for alert in alerts]


def test_a_camera_is_down_after_a_while_and_up_again_at_once(site: Site):
    rules = AlertRules()
    assert rules.alerts(site.view(NOON_S), NOON_S) == []
    site.node_disconnected("node-1", NOON_S + 1, "the cable was pulled")
    assert rules.alerts(site.view(NOON_S + 2), NOON_S + 2) == []
    late_s = NOON_S + 1 + DOWN_AFTER_S
    [alert] = rules.alerts(site.view(late_s), late_s)
    assert (alert.kind, alert.subject) == (AlertKind.CAMERA_DOWN, "node-1/cam")
    assert "the cable was pulled" in alert.text
    assert rules.alerts(site.view(late_s + 1), late_s + 1) == []
    site.live("node-1", live(1), late_s + 2)
    assert kinds(rules.alerts(site.view(late_s + 2), late_s + 2)) == [AlertKind.CAMERA_UP, AlertKind.GAP]


def test_a_gap_is_told_once_and_those_from_before_are_history(site: Site):
    site.gap(CoverageGap("node-1/cam", NOON_S - 500, NOON_S - 400, "restart"))
    rules = AlertRules()
    assert rules.alerts(site.view(NOON_S), NOON_S) == []
    site.gap(CoverageGap("node-1/cam", NOON_S - 100, NOON_S - 40, "overheated"))
    [gap] = rules.alerts(site.view(NOON_S), NOON_S)
    assert (gap.kind, "overheated" in gap.text) == (AlertKind.GAP, True)
    assert rules.alerts(site.view(NOON_S), NOON_S) == []


def test_somebody_on_the_watch_list_is_told_once_while_they_stay(site: Site):
    site.remember_people([KnownPerson("ada", "Banned Bert", NOON_S, NOON_S, "node-1/cam", ("node-1/cam",), None)])
    site.assigned(track(1), matched("ada"), at_s=NOON_S)
    rules = AlertRules(watch_list=("banned",), dedup_s=60)
    told = 0
    for second in range(0, 300, 5):
        site.live("node-1", live(1), NOON_S + second)
        told += len(rules.alerts(site.view(NOON_S + second), NOON_S + second))
    assert told == 1
    site.live("node-1", live(), NOON_S + 300)
    rules.alerts(site.view(NOON_S + 300), NOON_S + 300)
    site.live("node-1", live(1), NOON_S + 400)
    assert kinds(rules.alerts(site.view(NOON_S + 400), NOON_S + 400)) == [AlertKind.WATCH_LIST]


@pytest.mark.parametrize("name", ["Bannedict", "Not banned", ""])
def test_others_are_nobodys_business(site: Site, name: str):
    site.remember_people([KnownPerson("ada", name, NOON_S, NOON_S, "node-1/cam", ("node-1/cam",), None)])
    site.assigned(track(1), matched("ada"), at_s=NOON_S)
    site.health("node-1", health(), NOON_S)
    assert AlertRules(watch_list=("Banned",)).alerts(site.view(NOON_S), NOON_S) == []
