"""What a browser is told when something cannot be shown or done: what is true of it, and the way on."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.testing import AsyncTestClient

from access_fakes import browser_of, owner_of
from api_fakes import whole_hub
from ruid_hub.access import Access, Role
from ruid_hub.pages import audit as audit_page
from ruid_hub.store import open_store

pytestmark = pytest.mark.asyncio
Client = AsyncTestClient[Litestar]
BROWSER = {"accept": "text/html,*/*"}


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    store = open_store(tmp_path / "hub.db")
    async with AsyncTestClient(await whole_hub(store, tmp_path), raise_server_exceptions=False) as client:
        yield client
    store.close()


def access_of(client: Client) -> Access:
    return cast("Access", client.app.state.access)


async def test_whoever_is_signed_in_keeps_the_way_to_the_other_pages(client: Client):
    client.cookies.update(owner_of(access_of(client)).cookies)
    page = await client.get("/people/nobody", headers=BROWSER)
    assert (page.status_code, page.headers["cache-control"]) == (404, "no-store")
    assert "There is nothing here" in page.text
    assert 'href="/counts"' in page.text


async def test_strangers_see_no_way_in_but_the_first(client: Client):
    page = await client.get("/nowhere", headers=BROWSER)
    assert page.status_code == 404
    assert 'href="/counts"' not in page.text


async def test_a_form_that_is_out_of_date_says_so(client: Client):
    client.cookies.update(owner_of(access_of(client)).cookies)
    page = await client.post("/people/ada/rename", data={"name": "Ada", "_csrf": "another"}, headers=BROWSER)
    assert page.status_code == 403
    assert "This form is out of date: reload the page and try again." in page.text
    assert "Your account may not see this page" not in page.text


async def test_a_page_for_others_says_whom_to_ask(client: Client):
    owner_of(access_of(client))
    client.cookies.update(browser_of(access_of(client), "vera", Role.VIEWER).cookies)
    page = await client.get("/audit", headers=BROWSER)
    assert page.status_code == 403
    assert "Ask whoever looks after this hub" in page.text


async def test_a_request_that_makes_no_sense_is_not_called_the_hubs_fault(client: Client):
    client.cookies.update(owner_of(access_of(client)).cookies)
    for path in ("/camera", "/sightings/99999999999999999999999/why"):
        page = await client.get(path, headers=BROWSER)
        assert page.status_code in {400, 404}
        assert "Something went wrong" not in page.text


async def test_the_hubs_own_fault_is_called_that(client: Client, monkeypatch: pytest.MonkeyPatch):
    client.cookies.update(owner_of(access_of(client)).cookies)
    monkeypatch.setattr(audit_page, "names", None)
    page = await client.get("/audit", headers=BROWSER)
    assert page.status_code == 500
    assert "The hub noted what happened in its log" in page.text
    assert 'href="/counts"' in page.text


async def test_programs_are_told_in_json_that_an_address_is_wrong(client: Client):
    client.cookies.update(owner_of(access_of(client)).cookies)
    for path in ("/api/v1/nothing", "/api/v1/people/nobody", "/api/v1/no/thing"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert answer.json()["status_code"] == 404
