"""Setting other systems up in the browser."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.testing import AsyncTestClient

from access_fakes import owner_of, token_of
from api_fakes import whole_hub
from ruid_hub.access import Access, Permit
from ruid_hub.store import open_store

pytestmark = pytest.mark.asyncio
SECRET = "a secret of some length"  # noqa: S105 - a test's
HOOK = {"url": "https://hooks.example.org/T0/part", "secret": SECRET}
PAGE = "/settings/integrations"
Client = AsyncTestClient[Litestar]


def access_of(client: Client) -> Access:
    return cast("Access", client.app.state.access)


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    store = open_store(tmp_path / "hub.db")
    async with AsyncTestClient(await whole_hub(store, tmp_path)) as client:
        owner = owner_of(access_of(client))
        client.cookies.update(owner.cookies)
        client.headers.update({"accept": "text/html", "X-CSRF-Token": owner.csrf})
        yield client
    store.close()


async def test_what_is_wrong_is_said_at_its_field_and_secrets_do_not_come_back(client: Client):
    answer = await client.post(f"{PAGE}/webhook", data={"url": "gopher://x", "secret": SECRET})
    assert answer.status_code == 422
    assert 'data-testid="trouble-webhook-url"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert 'value="gopher://x"' in answer.text
    assert SECRET not in answer.text
    assert 'data-testid="trouble-webhook-secret"' not in answer.text


async def test_what_was_saved_is_on_and_its_secrets_are_never_shown_again(client: Client):
    answer = await client.post(f"{PAGE}/webhook", data=HOOK)
    assert answer.status_code == 200
    assert "Saved. The hub works by it now." in answer.text
    page = (await client.get(PAGE)).text
    assert SECRET not in page
    assert "T0/part" not in page
    assert "https://hooks.example.org/…" in page
    assert 'data-testid="test-webhook"' in page


async def test_the_trail_says_what_was_set_but_not_to_what(client: Client):
    await client.post(f"{PAGE}/webhook", data=HOOK)
    await client.post(f"{PAGE}/webhook/remove")
    token = token_of(access_of(client), Permit.ADMIN)
    trail = (await client.get("/api/v1/audit?action=integration.", headers={**token, "accept": "*/*"})).json()["items"]
    assert [(entry["action"], entry["subject"]) for entry in trail] == [
        ("integration.remove", "webhook"),
        ("integration.save", "webhook"),
    ]
    assert trail[1]["detail"] == {"fields": ["secret", "url"]}


async def test_a_program_sets_them_too(client: Client):
    headers = {**token_of(access_of(client), Permit.ADMIN), "accept": "application/json"}
    client.cookies.clear()
    path = "/api/v1/integrations"
    bad = await client.put(f"{path}/webhook", json={"url": "x"}, headers=headers)
    assert (bad.status_code, "secret: This is needed" in bad.json()["detail"]) == (400, True)
    good = await client.put(f"{path}/webhook", json=HOOK, headers=headers)
    assert good.json()["kept"] == {"url": "https://hooks.example.org/…", "secret": "kept"}
    assert SECRET not in (await client.get(path, headers=headers)).text
    assert (await client.post(f"{path}/mqtt/test", headers=headers)).status_code == 409
    assert (await client.put(f"{path}/pigeon", json={}, headers=headers)).status_code == 404
    assert (await client.delete(f"{path}/webhook", headers=headers)).status_code == 204
    assert not any(one["on"] for one in (await client.get(path, headers=headers)).json())
