"""A real Chromium on the real pages of a hub that the test feeds by hand."""

from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from hub_fakes import WEB_DIR, PagesOnly
from ruid_hub.store import Store, open_store
from tooling import require_file, require_tool

CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Chromium, until the end of the module: while it runs, no other test can have an event loop."""
    chromium = require_tool("chromium", "chromium-browser", "google-chrome")
    require_file(WEB_DIR / "static" / "vendor" / "htmx.js", hint="run `npm ci` and `npm run vendor` in web/")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def store(tmp_path: Path) -> Generator[Store]:
    """An empty database."""
    store = open_store(tmp_path / "hub.db")
    yield store
    store.close()


@pytest.fixture
def hub(store: Store) -> Generator[PagesOnly]:
    """A web server without nodes."""
    hub = PagesOnly(store)
    yield hub
    hub.stop()


@pytest.fixture
def page(browser: Browser) -> Generator[Page]:
    """A desktop window whose console must stay quiet."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    context.close()
    assert complaints == []
