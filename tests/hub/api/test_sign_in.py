"""Setting up, signing in and out, as a browser does it: with the page's own form."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.testing import AsyncTestClient

from access_fakes import OWNER, PASSWORD
from api_fakes import whole_hub
from hub_fakes import FakeClock
from openid_fakes import FakeProvider
from ruid_hub.access import Access, AccessMode
from ruid_hub.api.sign_in import own_path
from ruid_hub.store import Store, open_store

pytestmark = pytest.mark.asyncio
Client = AsyncTestClient[Litestar]


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "hub.db")
    yield opened
    opened.close()


@pytest_asyncio.fixture
async def client(store: Store, tmp_path: Path) -> AsyncIterator[Client]:
    async with AsyncTestClient(await whole_hub(store, tmp_path)) as client:
        client.headers["accept"] = "text/html"
        yield client


async def send_form(client: Client, path: str, *, to: str = "", **fields: str) -> httpx.Response:
    """Open the page, fill its form in and send it, to the page itself unless it goes elsewhere."""
    page = await client.get(path)
    assert page.status_code == 200, page.text
    found = re.search(r'name="_csrf"[^>]*value="([0-9a-f]{64})"', page.text)
    assert found is not None
    data = {"_csrf": found[1], **fields}
    return await client.post(to or path.partition("?")[0], data=data, follow_redirects=False)


async def test_a_new_hub_is_set_up_once_and_its_owner_is_signed_in(client: Client):
    answer = await send_form(client, "/setup", name=OWNER, password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookies = answer.headers.get_list("set-cookie")
    session = next(cookie for cookie in cookies if cookie.startswith("ruid_session="))
    assert "HttpOnly" in session
    assert "SameSite=lax" in session
    assert (await client.get("/", follow_redirects=False)).status_code == 200
    assert (await client.get("/setup")).status_code == 404
    assert (await client.post("/setup", data={"name": "x", "password": PASSWORD})).status_code == 404


async def test_away_from_the_hubs_own_machine_the_owner_needs_its_code(client: Client):
    client.base_url = "http://hub.lan"
    access = cast("Access", client.app.state.access)
    assert 'name="code"' in (await client.get("/setup")).text
    answer = await send_form(client, "/setup", name=OWNER, password=PASSWORD, code="AAAA-AAAA")
    assert answer.headers["location"] == "/setup?trouble=code"
    assert access.needs_set_up
    answer = await send_form(client, "/setup", name=OWNER, password=PASSWORD, code=access.setup_code)
    assert answer.headers["location"] == "/"


async def test_on_its_own_machine_nobody_asks_for_the_code(client: Client):
    assert 'name="code"' not in (await client.get("/setup")).text


async def test_over_https_the_cookie_is_for_this_host_alone(client: Client):
    client.base_url = "https://testserver.local"
    answer = await send_form(client, "/setup", name=OWNER, password=PASSWORD)
    session = next(cookie for cookie in answer.headers.get_list("set-cookie") if "ruid_session=" in cookie)
    assert session.startswith("__Host-ruid_session=")
    assert "Secure" in session


async def test_signing_out_and_in_leads_back_to_the_page_that_was_asked_for(client: Client):
    await send_form(client, "/setup", name=OWNER, password=PASSWORD)
    access = cast("Access", client.app.state.access)
    csrf = access.csrf_of(client.cookies["ruid_session"])
    await client.post("/logout", data={"_csrf": csrf}, follow_redirects=False)
    asked = await client.get("/people?text=a", follow_redirects=False)
    assert asked.headers["location"] == "/login?next=%2Fpeople%3Ftext%3Da"
    part = {"HX-Request": "true", "HX-Current-URL": "https://testserver.local/people?text=a#list"}
    refused = await client.get("/people?text=ab", headers=part, follow_redirects=False)
    assert (refused.status_code, refused.headers["hx-redirect"]) == (401, asked.headers["location"])
    wrong = await send_form(client, asked.headers["location"], name=OWNER, password=PASSWORD[1:], next="/people?text=a")
    assert wrong.headers["location"].startswith("/login?trouble=wrong")
    right = await send_form(client, "/login", name=OWNER, password=PASSWORD, next="/people?text=a")
    assert right.headers["location"] == "/people?text=a"


async def test_a_wrong_password_loses_the_password_alone(client: Client):
    await send_form(client, "/setup", name=OWNER, password=PASSWORD)
    client.cookies.clear()
    assert 'name="name" value=""' in (await client.get("/login?trouble=wrong")).text
    wrong = await send_form(client, "/login", name='Ada "É"; Lovelace', password=PASSWORD[1:])
    assert (wrong.status_code, wrong.headers["location"]) == (303, "/login?trouble=wrong&next=%2F")
    again = (await client.get(wrong.headers["location"])).text
    assert 'name="name" value="Ada &#34;É&#34;; Lovelace"' in again
    assert PASSWORD[1:] not in again
    assert 'value=""' in (await client.get("/login")).text
    await send_form(client, "/login", name=OWNER, password=PASSWORD)
    assert "ruid_tried" not in client.cookies


async def test_the_identity_providers_user_comes_in_and_the_owner_still_does(store: Store, tmp_path: Path):
    provider = FakeProvider()
    async with AsyncTestClient(await whole_hub(store, tmp_path, openid=provider.openid())) as client:
        client.headers["accept"] = "text/html"
        assert (await client.get("/login/oidc", follow_redirects=False)).headers["location"] == "/setup"
        await send_form(client, "/setup", name=OWNER, password=PASSWORD)
        client.cookies.clear()
        assert "Sign in with Example" in (await client.get("/login")).text
        sent = await client.get("/login/oidc?next=/people", follow_redirects=False)
        answer = provider.visit(sent.headers["location"])
        back = await client.get("/login/oidc/callback", params=answer, follow_redirects=False)
        assert (back.status_code, back.headers["location"]) == (303, "/people")
        page = (await client.get("/settings")).text
        assert "<b>vera</b>, operator" in page
        assert "Change your password" not in page
        replayed = await client.get("/login/oidc/callback", params=answer, follow_redirects=False)
        assert replayed.headers["location"].startswith("/login?trouble=provider")
        client.cookies.clear()
        assert (await send_form(client, "/login", name=OWNER, password=PASSWORD)).headers["location"] == "/"


async def test_without_an_identity_provider_there_is_no_way_by_one(client: Client):
    await send_form(client, "/setup", name=OWNER, password=PASSWORD)
    for path in ("/login/oidc", "/login/oidc/callback?code=x&state=y"):
        assert (await client.get(path, follow_redirects=False)).status_code == 404
    client.cookies.clear()
    assert "provider" not in (await client.get("/login")).text


async def test_a_form_without_its_token_signs_nobody_in(client: Client):
    await send_form(client, "/setup", name=OWNER, password=PASSWORD)
    client.cookies.clear()
    answer = await client.post("/login", data={"name": OWNER, "password": PASSWORD}, follow_redirects=False)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "path", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "people", "/a\r\nb", ""]
)
async def test_nobody_is_led_to_another_site(path: str):
    assert own_path(path) == "/"


async def test_a_demonstration_says_so_on_every_page_until_it_is_set_up(store: Store, tmp_path: Path):
    Access(store=store, clock=FakeClock(), mode=AccessMode.DEMONSTRATION)  # its first start, before anybody was seen
    app = await whole_hub(store, tmp_path, mode=AccessMode.DEMONSTRATION)
    async with AsyncTestClient(app) as visited:
        visited.headers["accept"] = "text/html"
        for path in ("/", "/people", "/people/ada", "/counts", "/cameras"):
            page = await visited.get(path, follow_redirects=False)
            assert page.status_code == 200, path
            assert 'data-testid="demonstration"' in page.text, path
            assert 'href="/setup"' in page.text, path
            assert 'href="/settings"' not in page.text, path
        assert (await send_form(visited, "/people/ada", to="/people/ada/rename", name="Ada Visited")).status_code == 303
        assert "Ada Visited" in (await visited.get("/people/ada")).text
        answer = await send_form(visited, "/setup", name=OWNER, password=PASSWORD, code=app.state.access.setup_code)
        assert answer.headers["location"] == "/"
        assert 'data-testid="demonstration"' not in (await visited.get("/")).text
        visited.cookies.clear()
        assert (await visited.get("/", follow_redirects=False)).headers["location"] == "/login?next=%2F"


async def test_an_open_hub_answers_to_this_machines_names_alone(store: Store, tmp_path: Path):
    async with AsyncTestClient(await whole_hub(store, tmp_path, mode=AccessMode.OPEN)) as opened:
        assert (await opened.get("/api/v1/site")).status_code == 200
        rebound = await opened.get("/api/v1/site", headers={"host": "elsewhere.example"})
        assert rebound.status_code == 401
