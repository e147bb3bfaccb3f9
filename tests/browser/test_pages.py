"""Every page on a hub with all its parts: nothing serious for axe, nothing cut off, no name that becomes markup."""

import asyncio
import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from api_fakes import parts_of
from hub_fakes import NOON_S, WEB_DIR, Announcing, PagesOnly, health, hello, live, matched, row, track, web_app
from ruid_core.wire.messages import CameraConfig, Line, Zone
from ruid_hub.access import Access, AccessMode, Role
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.observations import CoverageGap
from ruid_hub.pages import routes as page_routes
from ruid_hub.parts import HubParts
from ruid_hub.store import Arrival, Store, open_store
from ruid_hub.store.links import Admission, write_admission
from ruid_hub.store.tables import identities
from ruid_hub.web_app import WebSettings, create_web_app
from tooling import require_file

HOSTILE = """"><script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">{{ 7*7 }}"""
PAGES = {
    "live": "/",
    "people": "/people",
    "nobody": "/people?text=nobody",
    "person": "/people/ada",
    "similar": "/people/ada/similar",
    "sighting": "/sightings/1/similar",
    "why": "/sightings/1/why",
    "review": "/people/review",
    "counts": "/counts?period=month",
    "chosen": "/counts?period=chosen",
    "cameras": "/cameras",
    "camera": "/camera?camera=node-1/cam",
    "away": "/camera?camera=node-1/yard",
    "settings": "/settings",
    "integrations": "/settings/integrations?open=mqtt",
    "sites": "/settings/sites",
    "sign": "/settings/sign",
    "audit": "/audit",
    "missing": "/nothing/here",
}
ENTRIES = {"/login": "/login?trouble=wrong", "/setup": "/setup?trouble=code"}
"""The pages before anybody is known, each as it is after a mistake."""
NO_PAGES = {"/camera/still"}
"""Read by pages, none themselves."""
BYTES_A_PAGE = 150_000


class WholeHub(PagesOnly):
    """The pages with every service behind them, filled with names that want to be markup."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._folder = folder
        super().__init__(store)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        parts = parts_of(self._store, self._folder, mode=AccessMode.OPEN)
        self._notifier, self.site = parts.notifier, parts.site
        await fill(parts)
        settings = WebSettings(web_dir=WEB_DIR, site_name=HOSTILE, time_zone=UTC)
        config = uvicorn.Config(
            create_web_app(parts, settings), log_config=None, lifespan="on", timeout_graceful_shutdown=2
        )
        self._server = Announcing(config, self._started)
        await self._server.serve(sockets=[self._listener])


async def fill(parts: HubParts) -> None:
    """People, gaps, zones, users, an audit trail: each with a hostile name where it may have one."""
    store, site = parts.store, parts.site
    site.node_connected(hello(cameras={"cam": HOSTILE, "yard": HOSTILE}), NOON_S)
    site.live("node-1", live(1, 2), NOON_S)
    site.health("node-1", health(drops={HOSTILE: 3}), NOON_S)
    site.health("node-1", health("yard", capturing=False, trouble=HOSTILE), NOON_S)
    site.assigned(track(1), matched("ada"), at_s=NOON_S, thumbnail_id=1)
    store.record_gap("node-1", CoverageGap("node-1/cam", NOON_S - 900, NOON_S - 600, HOSTILE))
    with store.writing() as connection:
        connection.execute(update(identities).values(label=HOSTILE))
    assert parts.nodes is not None
    zone = Zone("door", HOSTILE[:80], ((0.1, 0.1), (0.4, 0.1), (0.4, 0.5)))
    line = Line("line", HOSTILE[:80], (0.5, 0.1), (0.5, 0.9))
    await parts.nodes.configure("node-1/cam", CameraConfig("cam", zones=(zone,), lines=(line,)), actor=HOSTILE)
    assert parts.counting is not None
    parts.counting.save_site("north", HOSTILE[:80])
    parts.access.accounts.add_user(HOSTILE[:64], role=Role.VIEWER, password="four random words")  # noqa: S106 - nobody's
    parts.audit.record(None, "person.look", HOSTILE, {HOSTILE: HOSTILE})


class ClosedHub(PagesOnly):
    """The pages of a hub that wants people to sign in."""

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._notifier = ChangeNotifier()
        app = web_app(
            site=self.site, store=self._store, notifier=self._notifier, mode=AccessMode.REQUIRED, site_name=HOSTILE
        )
        config = uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=2)
        self._server = Announcing(config, self._started)
        await self._server.serve(sockets=[self._listener])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Generator[WholeHub]:
    folder = tmp_path_factory.mktemp("whole")
    store = open_store(folder / "hub.db")
    store.record_arrivals([Arrival("node-1", cameras={"node-1/cam": "cam", "node-1/yard": "yard"})])
    store.commit([row(seq, "ada", track_id=seq, at_s=NOON_S - 60 * seq) for seq in (1, 2, 3)] + [row(4, "bob")])
    with store.writing() as connection:
        write_admission(
            connection,
            Admission(
                node_id="node-1",
                name=HOSTILE,
                key_fingerprint="ab:cd",
                revoked=False,
                approved_at_s=NOON_S,
                approved_by=HOSTILE,
                changed_at_s=NOON_S,
                changed_by=HOSTILE,
            ),
        )
    hub = WholeHub(store, folder)
    yield hub
    hub.stop()
    store.close()


@pytest.fixture(scope="module")
def windows(browser: Browser) -> Generator[dict[str, Page]]:
    """A phone in the dark and a desktop in daylight; the pages' own policy would keep axe out."""
    axe = require_file(WEB_DIR / "node_modules" / "axe-core" / "axe.min.js", hint="run `npm ci` in web/")
    contexts = {
        "phone": browser.new_context(
            viewport={"width": 360, "height": 740}, color_scheme="dark", has_touch=True, bypass_csp=True
        ),
        "desktop": browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True),
    }
    for context in contexts.values():
        context.add_init_script(path=axe)
    yield {name: context.new_page() for name, context in contexts.items()}
    for context in contexts.values():
        context.close()


def test_every_page_is_looked_at():
    """By what its address begins with: an address with a variable stands for all of its kind."""
    asked = {path.partition("?")[0] for path in (*PAGES.values(), *ENTRIES.values())}
    pages = {path for route in page_routes.PAGES if "GET" in route.http_methods for path in route.paths} - NO_PAGES
    for page in pages:
        pattern = re.compile(re.sub(r"\{[^}]*\}", "[^/]+", page))
        assert any(pattern.fullmatch(path) for path in asked), page


@pytest.mark.parametrize("window", ["phone", "desktop"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole(whole: WholeHub, windows: dict[str, Page], name: str, window: str):
    page = windows[window]
    with light(page):
        answer = page.goto(whole.url.rstrip("/") + PAGES[name])
    assert answer is not None
    assert answer.status == (404 if name == "missing" else 200)
    expect(page.locator("main")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # pyright: ignore[reportOptionalSubscript]
    assert page.evaluate("window.hacked") is None
    assert page.locator("main script, [onerror], main img[src=x]").count() == 0
    assert "49" not in page.title()
    assert grave_violations(page) == []
    open_everything(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # pyright: ignore[reportOptionalSubscript]
    assert grave_violations(page) == []


@contextmanager
def light(page: Page) -> Generator[None]:
    """What is loaded meanwhile weighs no more than a page may."""
    answers: list[Any] = []

    def note(answer: Any) -> None:
        answers.append(answer)

    page.on("response", note)
    yield
    page.remove_listener("response", note)
    kept = [answer for answer in answers if "/stream" not in answer.url and "/still" not in answer.url]
    sizes = (answer.request.sizes()["responseBodySize"] for answer in kept)
    assert 500 < sum(max(0, size) for size in sizes) < BYTES_A_PAGE  # below 0 is what the browser had from before


def grave_violations(page: Page) -> list[str]:
    """What axe finds serious or critical now."""
    violations = page.evaluate("axe.run().then(found => found.violations)")
    return [json.dumps(found)[:2000] for found in violations if found["impact"] in {"serious", "critical"}]


def open_everything(page: Page) -> None:
    """Whatever is folded is unfolded, and every box is ticked."""
    page.evaluate("""() => {
        for (const fold of document.querySelectorAll("details")) fold.open = true;
        for (const box of document.querySelectorAll("main [type=checkbox]")) box.checked = true;
    }""")
    expect(page.get_by_text("Loading …")).to_have_count(0)


@pytest.mark.parametrize("window", ["phone", "desktop"])
@pytest.mark.parametrize("path", ENTRIES)
def test_the_way_in_is_whole_too(tmp_path: Path, windows: dict[str, Page], path: str, window: str):
    store, page = open_store(tmp_path / "hub.db"), windows[window]
    if path == "/login":
        Access(store=store, clock=lambda: NOON_S).accounts.add_user("mara", role=Role.ADMIN, password=None)
    hub = ClosedHub(store)
    with light(page):
        page.goto(hub.url.rstrip("/") + ENTRIES[path])
    expect(page.get_by_test_id("trouble")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # pyright: ignore[reportOptionalSubscript]
    assert grave_violations(page) == []
    hub.stop()
    store.close()


@pytest.mark.parametrize("window", ["phone", "desktop"])
def test_what_a_stranger_is_refused_with_is_whole_too(tmp_path: Path, windows: dict[str, Page], window: str):
    store, page = open_store(tmp_path / "hub.db"), windows[window]
    hub = ClosedHub(store)
    with light(page):
        answer = page.goto(f"{hub.url}nothing/here")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_test_id("error-title")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # pyright: ignore[reportOptionalSubscript]
    assert grave_violations(page) == []
    hub.stop()
    store.close()


@pytest.mark.parametrize("window", ["phone", "desktop"])
def test_what_was_refused_is_whole_too(whole: WholeHub, windows: dict[str, Page], window: str):
    page = windows[window]
    page.goto(f"{whole.url}settings/integrations?open=mqtt")
    page.get_by_test_id("save-mqtt").click()
    expect(page.get_by_test_id("trouble-mqtt-url")).to_be_visible()
    assert grave_violations(page) == []


@pytest.mark.parametrize("window", ["phone", "desktop"])
def test_what_is_chosen_far_up_can_be_acted_on_there(whole: WholeHub, windows: dict[str, Page], window: str):
    page = windows[window]
    page.goto(f"{whole.url}people/ada")
    page.get_by_test_id("sighting").first.get_by_role("checkbox").check()
    page.evaluate("document.querySelector('.sightings').scrollIntoView()")
    expect(page.get_by_test_id("split")).to_be_in_viewport()
    assert grave_violations(page) == []


def test_the_pages_can_be_put_on_a_phones_home_screen(whole: WholeHub, page: Page):
    page.goto(whole.url)
    browser: Any = page.context.new_cdp_session(page)
    manifest = browser.send("Page.getAppManifest")
    assert (manifest["url"].partition("?")[0], manifest["errors"]) == (f"{whole.url}static/manifest.json", [])
    said = browser.send("Page.getInstallabilityErrors")
    assert {error["errorId"] for error in said["installabilityErrors"]} <= {"in-incognito"}, said


def test_filters_change_the_list_in_place(whole: WholeHub, windows: dict[str, Page]):
    page = windows["desktop"]
    page.goto(f"{whole.url}people")
    page.evaluate("window.same = true")
    page.get_by_label("Name", exact=True).fill("nobody is called this")
    expect(page.get_by_test_id("no-match")).to_be_visible()
    expect(page).to_have_url(re.compile("text=nobody"))
    assert page.evaluate("window.same")


def test_a_form_that_is_refused_says_why_and_changes_nothing(whole: WholeHub, windows: dict[str, Page]):
    page = windows["desktop"]
    page.goto(f"{whole.url}people/ada")
    before = page.get_by_test_id("sighting").count()
    page.get_by_test_id("split").click()
    expect(page.get_by_test_id("notice")).to_contain_text("Choose the sightings first")
    expect(page.get_by_test_id("sighting")).to_have_count(before)


def test_the_way_to_every_page_is_one_key_away(whole: WholeHub, windows: dict[str, Page]):
    page = windows["desktop"]
    page.goto(f"{whole.url}settings")
    names: list[str] = []
    for _ in range(8):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert {"Live", "People", "Counts", "Cameras", "Audit", "Settings"} <= set(names)


def test_a_page_says_when_the_hub_does_not_answer_and_keeps_what_it_shows(whole: WholeHub, windows: dict[str, Page]):
    page = windows["phone"]
    page.goto(f"{whole.url}people")
    page.route(re.compile("text=a&"), lambda route: route.abort())
    page.route(re.compile("text=ab&"), lambda route: route.fulfill(status=500, body="<main>trouble</main>"))
    page.get_by_label("Name", exact=True).fill("a")
    expect(page.get_by_test_id("away")).to_contain_text("No connection to the hub")
    page.get_by_label("Name", exact=True).fill("ab")
    expect(page.get_by_test_id("away")).to_contain_text("could not answer")
    expect(page.get_by_test_id("person").first).to_be_visible()
    page.get_by_label("Name", exact=True).fill("nobody is called this")
    expect(page.get_by_test_id("no-match")).to_be_visible()
    expect(page.get_by_test_id("away")).to_be_hidden()
    page.unroute_all()


def test_a_live_page_that_was_signed_out_elsewhere_leads_to_the_way_in(tmp_path: Path, browser: Browser):
    store = open_store(tmp_path / "hub.db")
    Access(store=store, clock=lambda: NOON_S).accounts.add_user("mara", role=Role.ADMIN, password="four random words")  # noqa: S106 - nobody's
    hub, context = ClosedHub(store), browser.new_context()
    followed, other = context.new_page(), context.new_page()
    followed.goto(hub.url)
    followed.get_by_label("Name").fill("mara")
    followed.get_by_label("Password").fill("four random words")
    followed.get_by_role("button", name="Sign in").click()
    expect(followed.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    other.goto(hub.url)
    other.get_by_test_id("account").click()
    other.get_by_role("button", name="Sign out").click()
    expect(followed.get_by_test_id("login-page")).to_be_visible(timeout=20_000)
    context.close()
    hub.stop()
    store.close()


@pytest.mark.parametrize("window", ["phone", "desktop"])
def test_what_became_of_a_form_far_down_is_seen_there(whole: WholeHub, windows: dict[str, Page], window: str):
    page = windows[window]
    page.goto(f"{whole.url}settings")
    page.get_by_text("Make a token").click()
    page.get_by_label("What for").fill("Research")
    page.get_by_role("button", name="Make it").click()
    expect(page).to_have_url(re.compile("#tokens"))
    expect(page.get_by_test_id("notice")).to_be_in_viewport()
    assert grave_violations(page) == []
