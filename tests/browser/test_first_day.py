"""The first day of a shop with a new hub, as its owner lives it in the browser: real hub, real nodes, real Chromium."""

import csv
import io
import re
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from system.playing import Hub, Node, poll

OWNER, PASSWORD = "Mara", "four random words suffice"
WINDOWS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "color_scheme": "dark"},
}
ADOPTED_WITHIN_MS = 60_000
SEEN_WITHIN_MS = 90_000


@dataclass
class Day:
    """The running shop and the owner's window; tests go through the day in the order that they stand here."""

    hub: Hub
    nodes: list[Node]
    context: BrowserContext
    page: Page

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.hub.port}"

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)


@pytest.fixture(scope="module", params=WINDOWS)
def day(browser: Browser, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Generator[Day]:
    """A new hub that wants people to sign in, and two nodes that nobody has let in yet; once for each window."""
    folder = tmp_path_factory.mktemp("shop")
    hub = Hub(folder / "hub", RUID_ACCESS="required", RUID_JOIN_FILE="", RUID_HTTPS="off")
    nodes = [Node(folder, name, hub, RUID_LOOP="true", RUID_JOIN_FILE="") for name in ("west", "east")]
    context = browser.new_context(**WINDOWS[request.param])
    page = context.new_page()
    page.set_default_timeout(15_000)
    hub.start()
    for node in nodes:
        node.start()
    yield Day(hub, nodes, context, page)
    context.close()
    for process in (*nodes, hub):
        process.stop()


def test_the_first_visitor_makes_the_owners_account(day: Day):
    day.open("/")
    expect(day.page.get_by_test_id("setup-page")).to_be_visible()
    day.page.get_by_label("Your name").fill(OWNER)
    day.page.get_by_label("A password").fill(PASSWORD)
    day.page.get_by_role("button", name="Make the account").click()
    expect(day.page.get_by_test_id("live-page")).to_be_visible()
    expect(day.page.get_by_test_id("no-cameras")).to_be_visible()


def test_signing_out_and_in_again(day: Day):
    day.page.get_by_test_id("account").click()
    day.page.get_by_role("button", name="Sign out").click()
    day.open("/people")
    day.page.get_by_label("Name").fill(OWNER)
    day.page.get_by_label("Password").fill("not this one, surely")
    day.page.get_by_role("button", name="Sign in").click()
    expect(day.page.get_by_test_id("trouble")).to_contain_text("do not belong together")
    day.page.get_by_label("Name").fill(OWNER)
    day.page.get_by_label("Password").fill(PASSWORD)
    day.page.get_by_role("button", name="Sign in").click()
    expect(day.page.get_by_test_id("people-page")).to_be_visible()


def test_two_nodes_are_let_in_by_their_codes(day: Day):
    day.open("/cameras")
    waiting = day.page.get_by_test_id("pending-node")
    expect(waiting).to_have_count(2, timeout=ADOPTED_WITHIN_MS)
    logs = " ".join(node.log for node in day.nodes)
    for code in waiting.get_by_test_id("pending-code").all_inner_texts():
        assert code in logs
    for left in (1, 0):
        waiting.first.get_by_test_id("approve").click()
        expect(day.page.get_by_test_id("notice")).to_contain_text("is let in")
        expect(waiting).to_have_count(left)
    expect(day.page.get_by_test_id("node")).to_have_count(2)


def test_the_counts_change_as_people_come_and_go(day: Day):
    day.open("/")
    expect(day.page.locator("[data-testid=camera-state]", has_text="Up")).to_have_count(2, timeout=ADOPTED_WITHIN_MS)
    day.page.wait_for_function(
        "() => Number(document.querySelector('[data-testid=people-now]').textContent) > 0", timeout=SEEN_WITHIN_MS
    )
    day.page.evaluate("""() => {
        window.counts = new Set();
        new MutationObserver(() => window.counts.add(document.querySelector('[data-testid=people-now]').textContent))
            .observe(document.getElementById('summary'), {subtree: true, childList: true, characterData: true});
    }""")
    day.page.wait_for_function("() => window.counts.size >= 3", timeout=SEEN_WITHIN_MS)


def test_a_zone_and_a_line_are_drawn_with_mouse_or_finger_and_keyboard(day: Day):
    day.open("/cameras")
    day.page.get_by_role("link", name="west").first.click()
    board = day.page.get_by_test_id("board")
    expect(board.locator("img")).to_have_js_property("complete", value=True)
    day.page.get_by_test_id("add-zone").click()
    corner = board.get_by_role("button", name="Point 1 of 4 of zone Zone 1")
    before = corner.get_attribute("aria-label") or ""
    drag(day.page, corner, to_rel=(0.1, 0.1))
    assert corner.get_attribute("aria-label") != before
    day.page.get_by_test_id("add-line").click()
    end = board.get_by_role("button", name="End of line Line 1")
    end.focus()
    day.page.keyboard.press("Shift+ArrowRight")
    day.page.keyboard.press("ArrowDown")
    expect(end).to_have_attribute("aria-label", re.compile("80 % from the left, 61 % from the top"))
    drag(day.page, end, to_rel=(0.5, 0.95))
    drag(day.page, board.get_by_role("button", name="Start of line Line 1"), to_rel=(0.5, 0.05))
    day.page.get_by_label("Name of the zone").fill("Door")
    day.page.get_by_test_id("save-shapes").click()
    expect(day.page.get_by_test_id("notice")).to_contain_text("The camera works by it now")
    expect(day.page.get_by_label("Name of the zone")).to_have_value("Door")
    expect(day.page.get_by_label("Name of the line")).to_have_value("Line 1")


def test_the_new_zone_counts_on_the_live_page(day: Day):
    day.open("/")
    expect(day.page.get_by_test_id("zone-now").filter(has_text="Door")).to_be_visible(timeout=SEEN_WITHIN_MS)


def test_a_person_is_named_and_the_name_taken_back(day: Day):
    day.open("/people")
    day.page.get_by_test_id("person").first.get_by_role("link").click()
    unnamed = day.page.get_by_test_id("person-name").inner_text()
    day.page.get_by_test_id("name").fill("Ada")
    day.page.get_by_role("button", name="Save name").click()
    expect(day.page.get_by_test_id("person-name")).to_have_text("Ada")
    day.page.get_by_test_id("undo-last").click()
    expect(day.page.get_by_test_id("person-name")).to_have_text(unnamed)
    expect(day.page.get_by_test_id("notice")).to_contain_text("Undone")


def test_two_people_become_one_and_two_again(day: Day):
    poll(lambda: people(day) >= 2, within_s=90, what="two people are known")
    pairs: list[tuple[str, str]] = []
    poll(lambda: merges_somebody(day, pairs), within_s=120, what="two who were never in one picture become one")
    kept, merged = pairs[-1]
    day.page.goto(f"{day.url}/people/{merged}")
    expect(day.page.get_by_test_id("error-title")).to_be_visible()
    day.page.goto(f"{day.url}/people/{kept}")
    day.page.get_by_test_id("operations").get_by_test_id("undo").first.click()
    expect(day.page.get_by_test_id("notice")).to_contain_text("Undone")
    day.page.goto(f"{day.url}/people/{merged}")
    expect(day.page.get_by_test_id("person-page")).to_be_visible()


def test_a_sighting_becomes_somebody_else_and_comes_back(day: Day):
    poll(lambda: sightings_of_the_most_seen(day) >= 2, within_s=120, what="somebody was seen twice")
    page = day.page
    page.get_by_test_id("why-open").last.click()
    expect(page.get_by_test_id("why").last).to_contain_text("sure")
    box = page.get_by_test_id("sighting").last.get_by_role("checkbox")
    which = " ".join((page.get_by_test_id("sighting").last.locator("label.tick").text_content() or "").split())
    chosen = page.get_by_role("checkbox", name=which)  # not by its value, which changes while somebody stays in view
    box.check()
    page.get_by_test_id("split").click()
    expect(page.get_by_test_id("undo-last")).to_be_visible()
    expect(chosen).to_have_count(0)
    page.get_by_test_id("undo-last").click()
    expect(page.get_by_test_id("notice")).to_contain_text("Undone")
    expect(chosen).to_have_count(1)


def test_what_is_exported_adds_up_to_what_the_page_says(day: Day):
    poll(lambda: somebody_crossed(day), within_s=120, what="somebody crosses the line")
    for process in day.nodes:
        process.stop()
    day.nodes.clear()
    poll(lambda: settled(day), within_s=30, what="the visits come to rest")
    day.open("/counts")
    visits = int(day.page.get_by_test_id("visits").inner_text())
    exported = rows(day, "Visits as CSV")
    assert visits >= 1
    assert len(exported) == visits
    table = day.page.get_by_test_id("visits-table").locator("tbody tr")
    assert sum(int(row.locator("td").nth(1).text_content() or 0) for row in table.all()) == visits
    crossings = rows(day, "Crossings as CSV")
    shown = [int(day.page.get_by_test_id(name).inner_text()) for name in ("flow-in", "flow-out")]
    assert [sum(row["direction"] == sign for row in crossings) for sign in ("1", "-1")] == shown


def somebody_crossed(day: Day) -> bool:
    day.open("/counts")
    return day.page.get_by_test_id("flow-in").count() == 1


def test_of_an_erased_person_nothing_is_left_in_pages_files_backup_and_api(day: Day):
    day.open("/people")
    person = day.page.locator("[data-testid=person]:has(img)").first
    identity = person.get_attribute("data-identity")
    person.get_by_role("link").click()
    day.page.get_by_test_id("name").fill("Hildegard von Bingen")
    day.page.get_by_role("button", name="Save name").click()
    expect(day.page.get_by_test_id("person-name")).to_have_text("Hildegard von Bingen")
    picture = day.page.locator(".profile img").get_attribute("src") or ""
    traces = [b"Hildegard", middle_of(day.context.request.get(day.url + picture).body())]
    assert found(day, traces) == traces
    day.page.get_by_test_id("sure").check()
    day.page.get_by_test_id("erase").click()
    expect(day.page.get_by_test_id("notice")).to_contain_text("is erased")
    expect(day.page.locator(f"[data-identity='{identity}']")).to_have_count(0)
    day.open("/")
    expect(day.page.locator(f"[data-identity='{identity}']")).to_have_count(0)
    day.open(f"/people/{identity}")
    expect(day.page.get_by_test_id("error-title")).to_be_visible()
    assert found(day, traces) == []
    for path in (f"/api/v1/people/{identity}", picture):
        assert day.context.request.get(day.url + path).status == 404, path
    for path in (f"/api/v1/people/{identity}/sightings", "/api/v1/people?text=Hildegard"):
        assert day.context.request.get(day.url + path).json()["items"] == [], path


def middle_of(jpeg: bytes) -> bytes:
    """What no other picture holds: the beginning of all is alike."""
    return jpeg[len(jpeg) * 3 // 4 :][:24]


def found(day: Day, traces: list[bytes]) -> list[bytes]:
    """Those traces that are in the hub's files or in a backup that is taken now."""
    backup = day.context.request.get(f"{day.url}/api/v1/backup")
    assert backup.ok
    files = b"".join(path.read_bytes() for path in day.hub.folder.rglob("*") if path.is_file())
    return [trace for trace in traces if trace in files or trace in backup.body()]


def test_the_trail_says_who_did_it(day: Day):
    day.open("/audit")
    trail = day.page.get_by_test_id("trail")
    for deed in ("erased", "looked at", "let in", "set up this hub as"):
        expect(trail.get_by_text(deed).first).to_be_visible()
    for name in ("Ada", "Hildegard"):
        expect(trail).not_to_contain_text(name)


def drag(page: Page, handle: Locator, *, to_rel: tuple[float, float]) -> None:
    """Drag a handle to a place of the picture: with a finger where there is no mouse."""
    page.get_by_test_id("board").evaluate("board => board.scrollIntoView({block: 'center'})")
    start, board = handle.bounding_box(), page.get_by_test_id("board").bounding_box()
    assert start is not None
    assert board is not None
    from_px = (start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    to_px = (board["x"] + to_rel[0] * board["width"], board["y"] + to_rel[1] * board["height"])
    if page.evaluate("matchMedia('(hover: none)').matches"):
        return swipe(page, from_px, to_px)
    page.mouse.move(*from_px)
    page.mouse.down()
    page.mouse.move(*to_px, steps=4)
    page.mouse.up()
    return None


def swipe(page: Page, from_px: tuple[float, float], to_px: tuple[float, float]) -> None:
    """A finger that moves over the page."""
    screen = page.context.new_cdp_session(page)
    way_px = [tuple(a + (b - a) * share / 4 for a, b in zip(from_px, to_px, strict=True)) for share in range(5)]
    for kind, places_px in (("touchStart", way_px[:1]), *(("touchMove", [at]) for at in way_px[1:]), ("touchEnd", [])):
        points = [{"x": x, "y": y} for x, y in places_px]
        screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    screen.detach()


def people(day: Day) -> int:
    day.open("/people")
    return day.page.get_by_test_id("person").count()


def merges_somebody(day: Day, merged: list[tuple[str, str]]) -> bool:
    """Merges two who were never in one picture, notes who stays and who is gone; of others the page says why not."""
    day.open("/people")
    known = [card.get_attribute("data-identity") for card in day.page.get_by_test_id("person").all()]
    for identity in known:
        for place in range(len(known) - 1):
            day.open(f"/people/{identity}/similar")
            candidates = day.page.get_by_test_id("lookalike")
            if place >= candidates.count():
                break
            other = candidates.nth(place).get_by_test_id("person").get_attribute("data-identity") or ""
            candidates.nth(place).get_by_test_id("merge").click()
            notice = day.page.get_by_test_id("notice")
            expect(notice).to_be_visible()
            if day.page.get_by_test_id("undo-last").count():
                merged.append((identity or "", other))
                return True
            expect(notice).to_contain_text("same time")
    return False


def sightings_of_the_most_seen(day: Day) -> int:
    """Opens the person with the most sightings."""
    day.open("/people")
    texts = day.page.locator("[data-testid=person] .visited").all_inner_texts()
    counts = [int(text.partition(" sighting")[0].replace(",", "")) for text in texts]
    day.page.get_by_test_id("person").nth(counts.index(max(counts))).get_by_role("link").click()
    return day.page.get_by_test_id("sighting").count()


def settled(day: Day) -> bool:
    """The page says the same twice, a second apart."""
    day.open("/counts")
    before = day.page.get_by_test_id("visits").inner_text()
    time.sleep(1)
    day.page.reload()
    return day.page.get_by_test_id("visits").inner_text() == before


def rows(day: Day, export: str) -> list[dict[str, str]]:
    """An export of the counts page, read as a spreadsheet would."""
    address = day.page.get_by_role("link", name=export).get_attribute("href")
    answer = day.context.request.get(f"{day.url}{address}")
    assert answer.ok, answer.text()
    return list(csv.DictReader(io.StringIO(answer.text())))
