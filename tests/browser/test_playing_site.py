"""The live page of a real site: a hub and two nodes on the bundled footage, seen through Chromium."""

import signal
import threading
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from ruid_tools.demo.hub_client import HubSilent
from system.playing import Hub, site

COLLECT_CHANGES = """() => {
  window.counts = [];
  const note = () => {
    const shown = document.querySelector('[data-testid=people-now]').textContent.trim();
    const last = window.counts.at(-1);
    if (!last || last[1] !== shown) window.counts.push([Date.now() / 1000, shown]);
  };
  new MutationObserver(note).observe(document.body, {subtree: true, childList: true, characterData: true});
  note();
}"""
WATCH_S = 12.0


def test_the_counts_follow_the_people_in_the_footage(page: Page, tmp_path: Path) -> None:
    """Every number that the page showed was the hub's own at that moment, and it moved as people came and went."""
    with site(tmp_path) as (hub, add):
        for name in ("west", "east"):
            add(name, RUID_LOOP="true")
        page.goto(hub.client.url)
        expect(page.locator("[data-testid=camera-state]", has_text="Up")).to_have_count(2, timeout=60_000)
        page.wait_for_function("() => Number(document.querySelector('[data-testid=people-now]').textContent) > 0")
        page.evaluate(COLLECT_CHANGES)
        truth = sample(hub, for_s=WATCH_S)
        shown: list[tuple[float, str]] = page.evaluate("() => window.counts")
        assert len({count for _, count in shown}) >= 3
        strays = [(at_s, count) for at_s, count in shown if not was_true(int(count), at_s, truth)]
        assert strays == []
        assert int(page.locator("[data-testid=unique-people]").inner_text()) >= 1
        expect(page.locator("[data-testid=camera-fps]").first).to_contain_text("a second")


def test_the_page_says_which_camera_is_away_and_when_it_is_back(page: Page, tmp_path: Path) -> None:
    with site(tmp_path) as (hub, add):
        node = add("west", RUID_LOOP="true")
        add("east", RUID_LOOP="true")
        page.goto(hub.client.url)
        states = page.locator("[data-testid=camera-state]")
        expect(states.filter(has_text="Up")).to_have_count(2, timeout=60_000)
        node.stop(signal.SIGKILL)
        expect(states.filter(has_text="Down")).to_have_count(1, timeout=5_000)
        expect(page.locator("[data-testid=camera-away]")).to_contain_text("Away since")
        node.start()
        expect(states.filter(has_text="Up")).to_have_count(2, timeout=60_000)
        expect(page.locator("[data-testid=camera-gap]").first).to_contain_text("Was away")


def sample(hub: Hub, *, for_s: float) -> list[tuple[float, int]]:
    """The hub's own count, many times a second."""
    samples: list[tuple[float, int]] = []
    stop = threading.Event()
    threading.Timer(for_s, stop.set).start()
    while not stop.is_set():
        try:
            samples.append((time.time(), int(hub.client.site()["people_now"])))
        except HubSilent:
            continue
        stop.wait(0.03)
    return samples


def was_true(count: int, at_s: float, truth: list[tuple[float, int]]) -> bool:
    """Whether the hub said the same within the last half second, the page's own delay included."""
    return (
        any(said == count for said_s, said in truth if at_s - 0.5 <= said_s <= at_s + 0.1) or at_s < truth[0][0] + 0.5
    )
