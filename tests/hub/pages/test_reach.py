"""Pages keep to what their caller may see, whatever a form names, and write down what was done."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from httpx import Response
from litestar import Litestar
from litestar.testing import AsyncTestClient

from access_fakes import Browser, browser_of, owner_of
from api_fakes import whole_hub
from hub_fakes import NOON_S, row
from ruid_hub.access import Access, Audit, Reach, Role
from ruid_hub.store import Store, open_store

pytestmark = pytest.mark.asyncio
Client = AsyncTestClient[Litestar]
ADA, BOB, CAROL = 1, 2, 3
"""Observations: the first two by node-1, Carol by node-2 only."""

OUT_OF_REACH: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/people/ada/merge", {"other": "carol"}),
    ("/people/ada/merge", {"other": "nobody"}),
    ("/people/carol/rename", {"name": "Carol"}),
    ("/people/ada/sightings", {"sighting": str(CAROL), "do": "split"}),
    ("/people/ada/sightings", {"sighting": [str(ADA), str(CAROL)], "do": "not"}),
    ("/people/ada/sightings", {"sighting": str(ADA), "do": "move", "other": "carol"}),
    ("/people/ada/sightings", {"sighting": str(2**70), "do": "split"}),
    ("/people/review", {"answer": "same ada:carol"}),
    ("/people/review", {"answer": "different", "pair": ["ada:bob", "carol:bob"]}),
    ("/camera/rules", {"camera": "node-2/cam", "shapes": "{}"}),
    ("/camera/settings", {"camera": "node-2/cam"}),
    ("/counts/adjust", {"place": "camera\tnode-2/cam", "people": "0"}),
    ("/counts/adjust", {"place": "zone\tnode-2/cam\tdoor", "people": "0"}),
)
"""What operators of the first node might send about the second."""
FOR_ALL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/people/ada/erase", {"sure": "on"}),
    ("/settings/users", {"name": "friend", "role": "admin", "password": "four random words"}),
    ("/settings/tokens", {"name": "all", "permit": "admin"}),
    ("/settings/retention", {}),
    ("/settings/counting", {}),
    ("/settings/sites/new", {"name": "mine"}),
    ("/settings/belongings", {"camera node-2/cam": "default"}),
    ("/settings/integrations/ntfy", {"url": "https://ntfy.sh/mine"}),
    ("/settings/integrations/ntfy/test", {}),
    ("/nodes/revoke", {"node": "node-2"}),
    ("/nodes/rename", {"node": "node-2", "name": "mine"}),
    ("/nodes/approve", {"code": "node-2"}),
)
"""What nobody may do who sees some cameras only."""


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "hub.db")
    yield opened
    opened.close()


@pytest_asyncio.fixture
async def client(store: Store, tmp_path: Path) -> AsyncIterator[Client]:
    app = await whole_hub(store, tmp_path)
    store.commit([row(CAROL, "carol", node_id="node-2", at_s=NOON_S - 30)])
    async with AsyncTestClient(app) as client:
        signed_in(client, owner_of(access_of(client)))
        yield client


def access_of(client: Client) -> Access:
    return cast("Access", client.app.state.access)


def signed_in(client: Client, browser: Browser) -> None:
    client.cookies.clear()
    client.cookies.update(browser.cookies)
    client.headers.update({"X-CSRF-Token": browser.csrf, "Origin": "http://testserver.local"})


def near(client: Client, role: Role = Role.OPERATOR) -> None:
    """From now on somebody asks who sees the first node only."""
    signed_in(client, browser_of(access_of(client), "near", role, Reach.of(["node-1"])))


async def post(client: Client, path: str, **form: Any) -> Response:
    return await client.post(path, data=form, follow_redirects=False)


def trail(store: Store) -> list[tuple[str, str, str]]:
    entries = Audit(store=store, clock=lambda: NOON_S).entries(20)
    return [(entry.actor, entry.action, entry.subject) for entry in entries if entry.action != "person.look"]


class TestOutOfReach:
    async def test_what_a_form_names_does_not_exist(self, client: Client):
        near(client)
        for path, form in OUT_OF_REACH:
            assert (await post(client, path, **form)).status_code == 404, (path, form)

    async def test_what_an_address_names_does_not_exist(self, client: Client):
        near(client, Role.VIEWER)
        for path in ("/people/carol", "/people?camera=node-2/cam", "/camera?camera=node-2/cam"):
            assert (await client.get(path)).status_code == 404, path

    async def test_nobody_out_of_reach_is_offered_or_told_of(self, client: Client):
        await post(client, "/people/carol/rename", name="Carol")
        assert "Carol" in (await client.get("/people/ada")).text
        near(client)
        for path in ("/people/ada", "/people", "/people/review", "/counts", "/cameras", "/"):
            assert "carol" not in (await client.get(path)).text.lower(), path

    async def test_what_concerns_every_camera_is_for_those_who_see_them(self, client: Client):
        near(client, Role.ADMIN)
        for path, form in FOR_ALL:
            assert (await post(client, path, **form)).status_code == 403, (path, form)

    async def test_an_admin_of_some_cameras_is_not_led_to_the_trail_of_all(self, client: Client):
        near(client, Role.ADMIN)
        page = (await client.get("/settings")).text
        assert 'href="/audit"' not in page
        assert 'data-testid="users"' not in page
        assert (await client.get("/audit")).status_code == 403


class TestTheTrail:
    async def test_a_correction_made_on_a_page_is_in_the_audit(self, client: Client, store: Store):
        await post(client, "/people/ada/rename", name="Ada")
        await post(client, "/operations/1/undo")
        await post(client, "/people/bob/erase", sure="on")
        assert trail(store)[:3] == [
            ("Olga Owner", "person.erase", "bob"),
            ("Olga Owner", "person.undo", "ada"),
            ("Olga Owner", "person.rename", "ada"),
        ]

    async def test_what_was_refused_is_not(self, client: Client, store: Store):
        before = trail(store)
        await post(client, "/people/ada/merge", other="nobody")
        assert trail(store) == before
