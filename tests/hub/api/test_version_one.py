"""What programs read and change under /api/v1."""

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.di import Provide
from litestar.testing import AsyncTestClient
from sqlalchemy import update

from access_fakes import PASSWORD, browser_of, owner_of, token_of
from api_fakes import HOSTILE, whole_hub
from hub_fakes import JPEG, NOON_S, hello, live, matched, row, track
from ruid_hub.access import Access, Permit, Reach, Role
from ruid_hub.api.events import Differences
from ruid_hub.site import Site
from ruid_hub.store import CrossingRow, StayRow, Store, open_store
from ruid_hub.store.tables import cameras, identities
from ruid_hub.store.tables.counts import sites

pytestmark = pytest.mark.asyncio
Client = AsyncTestClient[Litestar]


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "hub.db")
    yield opened
    opened.close()


@pytest_asyncio.fixture
async def client(store: Store, tmp_path: Path) -> AsyncIterator[Client]:
    app = await whole_hub(store, tmp_path)
    async with AsyncTestClient(app) as client:
        owner_of(app.state.access)
        client.headers.update(token_of(app.state.access, *Permit))
        yield client


def access_of(client: Client) -> Access:
    return cast("Access", client.app.state.access)


EXPORTS = ("/api/v1/sightings", "/api/v1/visits", "/api/v1/crossings", "/api/v1/counts")


def named_places(client: Client, store: Store, name: str) -> dict[str, str | float]:
    """Give a person, the site, the camera, a zone and a line this name; the query that finds something of each."""
    crossing = CrossingRow("node-1", 1, 100, track(1), "middle", 1, NOON_S - 1)
    stay = StayRow("node-1", 1, 101, track(1), "till", 0, NOON_S - 2, NOON_S, final=True)
    store.commit([crossing, stay])
    site = cast("Site", cast("Provide", client.app.dependencies["site"]).dependency())
    site.shapes_named("node-1/cam", zones={"till": name}, lines={"middle": name})
    with store.writing() as connection:
        connection.execute(update(identities).where(identities.c.identity_id == "ada").values(label=name))
        connection.execute(update(cameras).values(name=name))
        connection.execute(update(sites).values(name=name))
    return {"from_s": NOON_S - 1000, "to_s": NOON_S + 1, "camera": "node-1/cam"}


class TestPeople:
    async def test_come_in_pages(self, client: Client):
        first = (await client.get("/api/v1/people?limit=1")).json()
        second = (await client.get("/api/v1/people", params={"limit": 1, "cursor": first["next"]})).json()
        assert [page["items"][0]["identity_id"] for page in (first, second)] == ["ada", "bob"]

    async def test_sightings_that_end_at_one_moment_come_on_one_page_each(self, client: Client, store: Store):
        store.commit([row(50 + number, "ada", node_id=f"node-{number}") for number in range(2, 4)])
        seen: list[int] = []
        page = (await client.get("/api/v1/people/ada/sightings?limit=1")).json()
        while page["items"]:
            seen.append(page["items"][0]["observation_id"])
            asked = {"limit": 1, "cursor": page["next"]}
            page = (await client.get("/api/v1/people/ada/sightings", params=asked)).json()
        assert seen == [4, 3, 1]

    @pytest.mark.parametrize("cursor", ["x", "e30", "WyJhIiwgImIiXQ", "bnVsbA"])
    async def test_a_cursor_that_is_none_of_ours_is_refused(self, client: Client, cursor: str):
        assert (await client.get("/api/v1/people", params={"cursor": cursor})).status_code == 400

    async def test_every_look_at_a_person_is_in_the_audit_once_a_minute(self, client: Client):
        for _ in range(3):
            assert (await client.get("/api/v1/people/ada")).json()["cameras"] == ["node-1/cam"]
        entries = (await client.get("/api/v1/audit", params={"action": "person."})).json()["items"]
        assert [(entry["actor"], entry["action"], entry["subject"]) for entry in entries] == [
            ("Olga Owner (a program)", "person.look", "ada")
        ]

    async def test_nobody_is_not_found(self, client: Client):
        assert (await client.get("/api/v1/people/nobody")).status_code == 404

    async def test_somebody_with_another_reach_finds_nobody(self, client: Client):
        access = access_of(client)
        browser_of(access, "far", Role.OPERATOR, Reach.of(["node-2"]))
        client.headers.update(token_of(access, *Permit, owner="far"))
        assert (await client.get("/api/v1/people")).json()["items"] == []
        assert (await client.get("/api/v1/people/ada")).status_code == 404
        assert (await client.get("/api/v1/cameras")).json() == []
        assert (await client.get("/api/v1/sightings")).json() == []
        assert (await client.get("/thumbnails/1")).status_code == 404
        assert (await client.get("/api/v1/site")).json()["people"] == []
        assert (await client.get("/metrics")).status_code == 403

    async def test_somebody_who_sees_the_camera_gets_the_picture(self, client: Client):
        access = access_of(client)
        browser_of(access, "near", Role.VIEWER, Reach.of(["node-1/cam"]))
        client.headers.update(token_of(access, *Permit, owner="near"))
        assert (await client.get("/thumbnails/1")).content == JPEG
        assert (await client.get("/api/v1/people/ada")).status_code == 200


class TestExports:
    async def test_csv_and_json_tell_the_same(self, client: Client):
        asked = {"from_s": NOON_S - 1000, "to_s": NOON_S + 1}
        as_json = (await client.get("/api/v1/sightings", params=asked)).json()
        answer = await client.get("/api/v1/sightings", params={**asked, "format": "csv"})
        assert answer.headers["content-disposition"] == 'attachment; filename="sightings.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["identity_id"] for row in rows] == [row["identity_id"] for row in as_json] == ["bob", "ada"]
        assert rows[1]["to_utc"] == "2026-09-21T14:13:20.000Z"

    async def test_places_have_their_names_beside_their_ids(self, client: Client, store: Store):
        asked = named_places(client, store, "Front door") | {"zone_id": "till"}
        by_path = {path: (await client.get(path, params=asked)).json()[-1] for path in EXPORTS}
        for path in ("/api/v1/sightings", "/api/v1/visits", "/api/v1/crossings"):
            names = {name: by_path[path][name] for name in ("site_name", "camera", "camera_name")}
            assert names == {"site_name": "Front door", "camera": "node-1/cam", "camera_name": "Front door"}, path
        assert by_path["/api/v1/crossings"]["line_name"] == "Front door"
        assert by_path["/api/v1/visits"]["zone_name"] == "Front door"
        assert by_path["/api/v1/counts"]["place"] == "Front door: Front door"

    @pytest.mark.parametrize("name", HOSTILE)
    async def test_a_hostile_name_is_text_in_every_export(self, client: Client, store: Store, name: str):
        asked = named_places(client, store, name)
        for path in EXPORTS:
            answer = await client.get(path, params={**asked, "format": "csv"})
            assert answer.status_code == 200, path
            rows = list(csv.reader(io.StringIO(answer.text, newline="")))
            assert len(rows) > 1, path
            assert len({len(row) for row in rows}) == 1, path
            assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for row in rows for cell in row), path
            json.loads((await client.get(path, params=asked)).text)
        listed = (await client.get("/api/v1/people")).json()["items"]
        assert listed[0]["label"] == name


class TestAccounts:
    async def test_a_user_is_made_changed_and_removed(self, client: Client):
        made = await client.post("/api/v1/users", json={"name": " Vera  V ", "role": "viewer", "password": PASSWORD})
        assert (made.status_code, made.json()["name"]) == (201, "Vera V")
        key = made.json()["user_key"]
        changed = await client.patch(f"/api/v1/users/{key}", json={"role": "operator", "reach": ["node-1"]})
        assert (changed.json()["role"], changed.json()["reach"]) == ("operator", ["node-1"])
        assert (await client.delete(f"/api/v1/users/{key}")).status_code == 204
        assert [user["name"] for user in (await client.get("/api/v1/users")).json()] == ["Olga Owner"]

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"name": "", "role": "viewer"}, 400),
            ({"name": "a\u0000b", "role": "viewer"}, 400),
            ({"name": "Vera", "role": "king"}, 400),
            ({"name": "Vera", "role": "viewer", "password": "short"}, 400),
            ({"name": "Olga Owner", "role": "viewer"}, 409),
        ],
    )
    async def test_a_user_that_cannot_be_is_refused(self, client: Client, body: dict[str, str], status: int):
        assert (await client.post("/api/v1/users", json=body)).status_code == status

    async def test_the_last_admin_stays(self, client: Client):
        assert (await client.delete("/api/v1/users/1")).status_code == 409
        assert (await client.patch("/api/v1/users/1", json={"role": "viewer"})).status_code == 409

    async def test_a_token_makes_no_tokens(self, client: Client):
        body = {"name": "another", "permits": ["admin"]}
        assert (await client.post("/api/v1/tokens", json=body)).status_code == 403

    async def test_a_revoked_token_opens_nothing_at_once(self, client: Client):
        [token] = (await client.get("/api/v1/tokens")).json()
        assert token["secret"] is None
        assert (await client.delete(f"/api/v1/tokens/{token['token_key']}")).status_code == 204
        assert (await client.get("/api/v1/people")).status_code == 401

    async def test_a_token_is_no_more_than_its_owner(self, client: Client):
        access = access_of(client)
        browser_of(access, "Vera", Role.VIEWER)
        client.headers.update(token_of(access, *Permit, owner="Vera"))
        assert (await client.get("/api/v1/me")).json()["role"] == "viewer"
        assert (await client.get("/api/v1/users")).status_code == 403


class TestEvents:
    async def test_everything_first_then_what_changed(self):
        site, told = Site(), Differences()
        site.node_connected(hello(), NOON_S)
        assert [event["kind"] for event in told.events(site.view(NOON_S), NOON_S)] == ["counts", "camera"]
        site.live("node-1", live(1), NOON_S)
        site.assigned(track(1), matched("ada"), at_s=NOON_S)
        events = {event["kind"]: event for event in told.events(site.view(NOON_S), NOON_S)}
        assert (events["counts"]["people_now"], events["person"]["identity_id"]) == (1, "ada")
        assert list(told.events(site.view(NOON_S), NOON_S)) == []
        site.forget("ada")
        assert {"kind": "gone", "at_s": NOON_S, "identity_id": "ada"} in told.events(site.view(NOON_S), NOON_S)


class TestUpkeep:
    async def test_how_long_is_kept_can_be_set_and_nonsense_is_refused(self, client: Client, store: Store):
        kept = (await client.get("/api/v1/retention")).json()
        changed = await client.put("/api/v1/retention", json=kept | {"thumbnails_s": 3600})
        assert (changed.status_code, changed.json()["thumbnails_s"]) == (200, 3600)
        assert store.retention.thumbnails_s == 3600
        refused = await client.put("/api/v1/retention", json=kept | {"thumbnails_s": 1})
        assert (refused.status_code, "a minute" in refused.json()["detail"]) == (400, True)
        assert store.retention.thumbnails_s == 3600

    async def test_the_backup_is_downloaded_and_leaves_nothing_behind(self, client: Client, tmp_path: Path):
        answer = await client.get("/api/v1/backup", params={"biometrics": "false"})
        assert (answer.text, answer.headers["content-length"]) == ("everything False", "16")
        assert not (tmp_path / "download.tar").exists()

    async def test_the_support_bundle_names_nobody(self, client: Client):
        answer = await client.get("/api/v1/support")
        assert answer.json()["store"]["observations"] == 2
        assert "ada" not in answer.text
        assert "Olga" not in answer.text
