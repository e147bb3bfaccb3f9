"""Sites in the browser: made, changed, filled, removed; and users who are kept to one."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.testing import AsyncTestClient

from access_fakes import Browser, browser_of, owner_of
from api_fakes import whole_hub
from hub_fakes import NOON_S, row
from ruid_hub.access import Access, Reach, Role
from ruid_hub.counting import Site
from ruid_hub.pages.sites import id_for, moves
from ruid_hub.store import open_store

Client = AsyncTestClient[Litestar]
SITES = "/settings/sites"


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    store = open_store(tmp_path / "hub.db")
    app = await whole_hub(store, tmp_path)
    store.commit([row(9, "carol", node_id="node-2", at_s=NOON_S - 30)])
    async with AsyncTestClient(app) as client:
        signed_in(client, owner_of(access_of(client)))
        yield client
    store.close()


def access_of(client: Client) -> Access:
    return cast("Access", client.app.state.access)


def signed_in(client: Client, browser: Browser) -> None:
    client.cookies.clear()
    client.cookies.update(browser.cookies)
    client.headers.update({"X-CSRF-Token": browser.csrf, "Origin": "http://testserver.local", "accept": "text/html"})


async def said(client: Client, path: str, **form: Any) -> str:
    """What the page says after the form was sent."""
    return (await client.post(path, data=form)).text


@pytest.mark.asyncio
class TestThePage:
    async def test_a_site_is_made_named_and_given_a_clock(self, client: Client):
        assert "Café Nord is there now." in await said(
            client, f"{SITES}/new", name="Café Nord", time_zone="Europe/Lisbon"
        )
        assert "Saved." in await said(client, f"{SITES}/cafe-nord", name="Nord", time_zone="")
        page = (await client.get(SITES)).text
        assert 'value="Nord"' in page
        assert "Café" not in page

    @pytest.mark.parametrize(
        ("path", "form", "why"),
        [
            ("new", {"name": "", "time_zone": ""}, "needs a name"),
            ("new", {"name": "North", "time_zone": "Europe/Nowhere"}, "Nowhere"),
            ("elsewhere", {"name": "North", "time_zone": ""}, "no such site"),
            ("elsewhere/remove", {}, "no such site"),
        ],
    )
    async def test_what_makes_no_sense_is_refused_in_words(
        self, client: Client, path: str, form: dict[str, str], why: str
    ):
        page = await said(client, f"{SITES}/{path}", **form)
        assert why in page
        assert page.count('data-testid="site"') == 1

    async def test_a_camera_goes_to_a_site_and_back_when_that_is_removed(self, client: Client):
        await said(client, f"{SITES}/new", name="North")
        page = await said(client, "/settings/belongings", **{"camera node-1/cam": "north"})
        assert "All that a camera ever saw went with it" in page
        assert "Nothing has changed" in await said(client, "/settings/belongings", **{"camera node-1/cam": "north"})
        assert "no such site" in await said(client, "/settings/belongings", **{"camera node-1/cam": "nowhere"})
        assert "belong to the first site again" in await said(client, f"{SITES}/north/remove")
        assert (await client.get(SITES)).text.count('data-testid="site"') == 1


@pytest.mark.asyncio
async def test_a_user_who_is_kept_to_a_site_sees_its_cameras_and_no_others_at_once(client: Client):
    access = access_of(client)
    await said(client, f"{SITES}/new", name="North")
    owner = Browser(dict(client.cookies), client.headers["X-CSRF-Token"])
    north = browser_of(access, "north", Role.OPERATOR, Reach.of(["site:north"]))

    async def seen() -> tuple[bool, bool]:
        signed_in(client, north)
        camera = (await client.get("/camera?camera=node-1/cam")).status_code
        person = (await client.get("/people/ada")).status_code
        assert (await client.get("/people/carol")).status_code == 404
        return camera == 200, person == 200

    assert await seen() == (False, False)
    signed_in(client, owner)
    await said(client, "/settings/belongings", **{"camera node-1/cam": "north"})
    assert await seen() == (True, True)
    for path in (SITES, "/settings/belongings", f"{SITES}/north/remove"):
        assert (await client.post(path if path != SITES else f"{SITES}/new")).status_code == 403
    signed_in(client, owner)
    await said(client, f"{SITES}/north/remove")
    assert await seen() == (False, False)


@pytest.mark.asyncio
async def test_the_settings_offer_sites_nodes_and_cameras_to_keep_a_user_to(client: Client):
    await said(client, f"{SITES}/new", name="North")
    page = await said(
        client,
        "/settings/users",
        name="vera",
        role="viewer",
        password="four random words",  # noqa: S106 - nobody's
        reach="some",
        place=["site:north", "node-1/cam"],
    )
    assert "vera can sign in now" in page
    users = {user.name: user.reach.places for user in access_of(client).accounts.users()}
    assert users["vera"] == frozenset({"site:north", "node-1/cam"})
    assert 'value="site:north" checked' in page
    assert 'value="node-1/cam" checked' in page


@pytest.mark.parametrize(
    ("name", "key"), [("Café Nord", "cafe-nord"), ("--", "site"), ("北", "site"), ("new", "new-2"), ("Main", "main-3")]
)
def test_an_id_tells_of_the_name_and_is_free(name: str, key: str):
    assert id_for(name, taken={"main", "main-2"}) == key


def test_what_is_said_of_a_whole_node_comes_first_and_unknown_cameras_count_for_nothing():
    sites = (Site("main", "Main", "", ("n1/a", "n1/b", "n2/a")), Site("north", "North", "", ("n3/a",)))
    asked = {"node n1": "north", "camera n1/a": "main", "camera n2/a": "main", "camera n9/a": "north"}
    assert moves(asked, sites) == {"n1/a": "north", "n1/b": "north"}
