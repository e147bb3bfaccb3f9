"""The live page as a person sees it, on a hub that the test feeds."""

import json
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from hub_fakes import WEB_DIR, PagesOnly, health, hello, live, matched, row, track
from ruid_hub.site import Site, UniqueCount
from ruid_hub.store import Store
from tooling import require_file

HOSTILE = """"><script>window.hacked = 1</script><img src=x onerror="window.hacked = 2"><hx-partial id="summary">"""


@pytest.fixture
def picture_jpeg() -> bytes:
    """A grey picture, encoded here: no file of anybody."""
    encoded = cv2.imencode(".jpg", np.full((128, 64, 3), 120, np.uint8))[1]
    return encoded.tobytes()


def see(*track_ids: int, camera_id: str = "cam") -> Callable[[Site], None]:
    return lambda site: site.live("node-1", live(*track_ids, camera_id=camera_id), time.time())


def greet(site: Site) -> None:
    site.node_connected(hello(cameras={"cam": "Entrance", "yard": "Yard"}), time.time())


def fill(site: Site) -> None:
    """Every kind of camera and card."""
    now_s = time.time()
    site.node_connected(hello(cameras={"cam": "Entrance", "yard": "Yard", "new": "Stock room"}), now_s)
    site.live("node-1", live(1, 2), now_s)
    site.health("node-1", health(drops={"late": 3}), now_s)
    site.health("node-1", health("yard", capturing=False, trouble="unplugged"), now_s)
    site.assigned(track(1), matched("ada"), at_s=now_s, latency_s=0.09)
    site.assigned(track(9), matched("bob"), at_s=now_s - 60)
    site.counted(UniqueCount(2, 2, 3))


def open_live(page: Page, hub: PagesOnly) -> None:
    page.goto(hub.url)
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")


def test_counts_follow_without_reloading(page: Page, hub: PagesOnly):
    hub.do(greet)
    open_live(page, hub)
    people, entrance = page.get_by_test_id("people-now"), page.get_by_test_id("camera-node-1/cam")
    expect(people).to_have_text("0")
    expect(entrance.get_by_test_id("camera-state")).to_have_text("Waiting")
    hub.do(see(1, 2, 3))
    expect(people).to_have_text("3")
    expect(entrance.get_by_test_id("camera-people")).to_have_text("3")
    expect(entrance.get_by_test_id("camera-state")).to_have_text("Up")
    hub.do(see(2))
    expect(people).to_have_text("1")
    expect(page).to_have_title("1 now · Corner shop")


def test_a_change_is_on_the_page_within_300_ms(page: Page, hub: PagesOnly):
    hub.do(greet)
    open_live(page, hub)
    page.evaluate("""() => {
        window.seen = {};
        new MutationObserver(() => {
            const shown = document.querySelector('[data-testid="people-now"]').textContent;
            window.seen[shown] ??= Date.now();
        }).observe(document.getElementById("summary"), {subtree: true, childList: true, characterData: true});
    }""")
    fed_at_ms: dict[str, float] = {}
    for count in range(1, 11):
        fed_at_ms[str(count)] = time.time() * 1000
        hub.do(see(*range(count)))
        expect(page.get_by_test_id("people-now")).to_have_text(str(count))
    seen_at_ms: dict[str, float] = page.evaluate("window.seen")
    delays_ms = sorted(seen_at_ms[count] - fed_at_ms[count] for count in fed_at_ms)
    assert delays_ms[len(delays_ms) // 2] < 300, delays_ms


def test_cards_appear_with_picture_and_do_not_flicker(page: Page, hub: PagesOnly, store: Store, picture_jpeg: bytes):
    hub.do(greet)
    open_live(page, hub)
    expect(page.get_by_test_id("no-people")).to_be_visible()
    [observation_id] = store.commit([row(1, thumbnail_jpeg=picture_jpeg)]).observation_ids
    hub.do(lambda site: site.assigned(track(1), matched("ada"), at_s=time.time(), thumbnail_id=observation_id))
    card = page.get_by_test_id("person")
    expect(card.get_by_test_id("person-place")).to_have_text("Last at Entrance")
    image = card.locator("img")
    expect(image).to_have_js_property("naturalWidth", 64)
    image.evaluate("element => { element.same = true; }")
    hub.do(see(1))
    expect(card).to_have_attribute("data-present", "true")
    expect(card.get_by_test_id("person-place")).to_contain_text("Here now")
    hub.do(lambda site: site.assigned(track(2), matched("bob"), at_s=time.time()))
    expect(page.get_by_test_id("person")).to_have_count(2)
    assert page.locator("img").evaluate_all("all => all.filter(image => image.same).length") == 1


def test_an_expired_picture_leaves_a_silhouette(page: Page, hub: PagesOnly):
    hub.do(greet)
    hub.do(lambda site: site.assigned(track(1), matched("ada"), at_s=time.time(), thumbnail_id=12345))
    open_live(page, hub)
    expect(page.get_by_test_id("person")).to_have_count(1)
    expect(page.get_by_test_id("person").locator("img")).to_have_count(0)


def test_a_camera_that_goes_away_and_comes_back_says_so(page: Page, hub: PagesOnly):
    hub.do(greet)
    hub.do(see())
    open_live(page, hub)
    entrance = page.get_by_test_id("camera-node-1/cam")
    hub.do(lambda site: site.node_disconnected("node-1", time.time(), "connection lost"))
    expect(entrance.get_by_test_id("camera-state")).to_have_text("Down")
    expect(entrance.get_by_test_id("camera-away")).to_contain_text("connection lost")
    hub.do(see())
    expect(entrance.get_by_test_id("camera-state")).to_have_text("Up")
    expect(entrance.get_by_test_id("camera-gap")).to_contain_text("Was away")


def test_the_page_says_when_the_hub_is_gone_and_recovers_by_itself(page: Page, hub: PagesOnly, store: Store):
    hub.do(greet)
    hub.do(see(1, 2))
    open_live(page, hub)
    expect(page.get_by_test_id("people-now")).to_have_text("2")
    hub.stop()
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "reconnecting")
    expect(page.get_by_test_id("offline")).to_contain_text("No connection to the hub since")
    again = PagesOnly(store, port=hub.port)
    again.do(greet)
    again.do(see(1, 2, 3, 4, 5))
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    expect(page.get_by_test_id("offline")).to_be_hidden()
    again.do(see(1, 2, 3, 4))
    expect(page.get_by_test_id("people-now")).to_have_text("4")
    again.stop()


def test_a_page_whose_first_connection_fails_tries_again(page: Page, hub: PagesOnly):
    failures = iter([True, True])
    page.route("**/live/stream", lambda route: route.abort() if next(failures, False) else route.continue_())
    hub.do(greet)
    page.goto(hub.url)
    expect(page.get_by_test_id("offline")).to_be_visible()
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live", timeout=20_000)


def test_two_windows_show_the_same(browser: Browser, page: Page, hub: PagesOnly):
    hub.do(greet)
    open_live(page, hub)
    other = browser.new_page()
    open_live(other, hub)
    hub.do(see(1, 2))
    for window in (page, other):
        expect(window.get_by_test_id("people-now")).to_have_text("2")
    other.close()


def test_hostile_names_are_only_text(page: Page, hub: PagesOnly):
    open_live(page, hub)

    def attack(site: Site) -> None:
        now_s = time.time()
        site.node_connected(hello(HOSTILE, cameras={HOSTILE: HOSTILE}), now_s)
        site.live(HOSTILE, live(1, camera_id=HOSTILE), now_s)
        site.assigned(track(1, camera=f"{HOSTILE}/{HOSTILE}"), matched(HOSTILE), at_s=now_s)

    hub.do(attack)
    expect(page.get_by_test_id("people-now")).to_have_text("1")
    expect(page.locator("#cameras h3")).to_have_text(HOSTILE)
    hub.do(lambda site: site.live(HOSTILE, live(1, 2, camera_id=HOSTILE), time.time()))
    expect(page.get_by_test_id("people-now")).to_have_text("2")
    assert page.evaluate("window.hacked") is None
    assert page.locator("main script, main [onerror]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", ["busy", "empty"])
def test_axe_finds_nothing_serious(browser: Browser, hub: PagesOnly, scheme: Any, state: str):
    axe = require_file(WEB_DIR / "node_modules" / "axe-core" / "axe.min.js", hint="run `npm ci` in web/")
    if state == "busy":
        hub.do(fill)
    # The page's own policy forbids scripts from elsewhere; axe is one.
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    open_live(page, hub)
    page.add_script_tag(path=axe)
    violations = page.evaluate("axe.run().then(found => found.violations)")
    grave = [found for found in violations if found["impact"] in {"serious", "critical"}]
    assert grave == [], json.dumps(grave, indent=1)[:3000]
    context.close()


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1920])
def test_nothing_is_cut_off_at_any_width(browser: Browser, hub: PagesOnly, width: int):
    hub.do(fill)
    hub.do(lambda site: site.node_connected(hello("node-9", cameras={"x": "W" * 100}), time.time()))
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    open_live(page, hub)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_everything_can_be_reached_by_keyboard(page: Page, hub: PagesOnly):
    open_live(page, hub)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"


def test_the_page_is_small(page: Page, hub: PagesOnly):
    hub.do(fill)
    sizes: list[int] = []
    page.on("response", lambda response: sizes.append(len(response.body())) if "/stream" not in response.url else None)
    open_live(page, hub)
    assert sum(sizes) < 150_000
