"""Search by a picture, on the pages and for programs: a node that looks, joined by the real protocol."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from httpx import Response
from litestar import Litestar
from litestar.testing import AsyncTestClient

from access_fakes import browser_of, owner_of, token_of
from api_fakes import OWN_HOSTS
from hub_fakes import NOON_S, WEB_DIR, row
from looking_node import PICTURE, LookingNode, found, looking_hello, parts_that_know
from ruid_core.wire import messages as wm
from ruid_core.wire.pictures import MAX_PICTURE_BYTES
from ruid_hub.access import Permit, Reach, Role
from ruid_hub.by_picture import brought_back, carried
from ruid_hub.nodes import PersonInPicture, PictureUnusable
from ruid_hub.parts import HubParts
from ruid_hub.store import Store, open_store
from ruid_hub.web_app import WebSettings, create_web_app

pytestmark = pytest.mark.asyncio
ADA, BOB, CAROL = 1, 4, 10
"""Observations that look like nobody else; Carol was seen by the second node only."""
ROUTES = ("/people/by-picture", "/api/v1/people/by-picture")


@dataclass
class Searched:
    """A hub, who asks it, and the node that looks."""

    client: AsyncTestClient[Litestar]
    parts: HubParts
    node: LookingNode

    def sign_in(self, name: str, *places: str) -> None:
        """From now on a viewer of these places asks in a browser."""
        browser = browser_of(self.parts.access, name, Role.VIEWER, Reach.of(places) if places else Reach())
        self.client.cookies.clear()
        self.client.cookies.update(browser.cookies)
        self.client.headers = {"X-CSRF-Token": browser.csrf, "Origin": "http://testserver.local", "Accept": "text/html"}

    def use_token(self, *permits: Permit, owner: str = "Olga Owner") -> None:
        """From now on a program asks."""
        self.client.cookies.clear()
        self.client.headers = token_of(self.parts.access, *permits, owner=owner)

    async def upload(self, picture: bytes = PICTURE) -> Response:
        files = {"picture": ("ada.jpg", picture, "image/jpeg")}
        return await self.client.post(ROUTES[0], files=files, follow_redirects=True)

    async def ask(self, picture: bytes = PICTURE) -> Response:
        return await self.client.post(ROUTES[1], content=picture, headers={"Content-Type": "image/jpeg"})

    def trail(self) -> list[tuple[str, str]]:
        entries = reversed(self.parts.audit.entries(30, action="person."))
        return [(entry.action, entry.subject) for entry in entries]

    def outcomes(self) -> dict[str, float]:
        text = self.parts.metrics.exposition().decode()
        found = re.findall(r'ruid_hub_pictures_total\{outcome="(\w+)"\} ([\d.]+)', text)
        return {outcome: float(times) for outcome, times in found}


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "hub.db")
    rows = [row(ADA, "ada"), row(BOB, "bob", at_s=NOON_S - 60), row(CAROL, "carol", node_id="node-2", at_s=NOON_S - 30)]
    opened.commit(rows)
    yield opened
    opened.close()


@pytest_asyncio.fixture
async def hub(store: Store, tmp_path: Path) -> AsyncIterator[Searched]:
    parts = parts_that_know(store, tmp_path)
    assert parts.nodes is not None
    node = LookingNode(parts.nodes, looking_hello(), found(ADA))
    settings = WebSettings(web_dir=WEB_DIR, site_name="S", time_zone=UTC, open_hosts=OWN_HOSTS, free_hosts=OWN_HOSTS)
    async with AsyncTestClient(create_web_app(parts, settings)) as client:
        owner_of(parts.access)
        searched = Searched(client, parts, node)
        searched.sign_in("Vera")
        yield searched


def people_on(page: Response) -> list[str]:
    return re.findall(r'data-identity="(\w+)"', page.text)


class TestPages:
    async def test_whoever_is_in_the_picture_comes_first_and_the_look_is_in_the_audit(self, hub: Searched):
        page = await hub.upload()
        assert "Who looks like the person in your picture?" in page.text
        assert people_on(page)[0] == "ada"
        assert hub.node.pictures == [PICTURE]
        assert hub.trail()[0] == ("person.search", "")
        assert ("person.look", "ada") in hub.trail()
        assert hub.outcomes() == {"looked_at": 1}

    async def test_of_several_people_one_is_chosen(self, hub: Searched):
        hub.node.sees = (found(BOB, left=0.7), found(ADA, left=0.0))
        page = await hub.upload()
        assert "Person 1, on the right" in page.text
        assert "Person 2, on the left" in page.text
        assert hub.trail() == []
        tokens = re.findall(r'name="person" value="([^"]+)"', page.text)
        for token, expected in zip(tokens, ("bob", "ada"), strict=True):
            answer = await hub.client.post(f"{ROUTES[0]}/person", data={"person": token})
            assert people_on(answer)[0] == expected
            assert 'src="data:image/jpeg;base64,' in answer.text
        assert len(hub.node.pictures) == 1

    async def test_only_people_within_reach_are_shown(self, hub: Searched):
        hub.node.sees = (found(CAROL),)
        assert people_on(await hub.upload())[0] == "carol"
        hub.sign_in("near", "node-1")
        page = await hub.upload()
        assert people_on(page)
        assert "carol" not in page.text
        assert ("person.look", "carol") not in hub.trail()[-3:]

    async def test_a_refusal_says_what_to_do_and_is_counted(self, hub: Searched):
        assert "Choose a picture first." in (await hub.upload(b"")).text
        assert "The picture cannot be read: choose a JPEG, PNG or WebP file." in (await hub.upload(b"GIF89a")).text
        hub.node.sees = ()
        assert "Nobody was found in the picture" in (await hub.upload()).text
        assert hub.parts.nodes is not None
        hub.parts.nodes.attach(Nobody())
        assert "No camera is connected at the moment" in (await hub.upload()).text
        assert hub.outcomes() == {"picture_format": 1, "nobody": 1, "no_node": 1}

    async def test_a_picture_that_is_too_large_is_refused_unread(self, hub: Searched):
        page = await hub.upload(PICTURE + b"\0" * MAX_PICTURE_BYTES * 2)
        assert (page.status_code, "A picture may have up to 1 MB" in page.text) == (413, True)
        page = await hub.upload(PICTURE + b"\0" * MAX_PICTURE_BYTES)
        assert "The picture has more than 1 MB" in page.text
        assert hub.node.pictures == []

    async def test_the_token_of_the_form_is_enough_and_without_it_nothing_is_looked_at(self, hub: Searched):
        csrf = hub.client.headers.pop("X-CSRF-Token")
        assert (await hub.upload()).status_code == 403
        files = {"picture": ("ada.jpg", PICTURE, "image/jpeg")}
        for token, status in ((csrf, 200), ("0" * 64, 403)):
            answer = await hub.client.post(ROUTES[0], files=files, data={"_csrf": token})
            assert answer.status_code == status
        as_file = {"_csrf": ("token.txt", csrf.encode(), "text/plain"), **files}
        assert (await hub.client.post(ROUTES[0], files=as_file)).status_code == 403
        assert len(hub.node.pictures) == 1

    async def test_what_a_stranger_uploads_is_not_even_read(self, hub: Searched):
        hub.client.cookies.clear()
        csrf = hub.client.headers.pop("X-CSRF-Token")
        hub.client.headers["Accept"] = "application/json"
        files = {"picture": ("ada.jpg", PICTURE, "image/jpeg")}
        for path, status in ((ROUTES[0], 401), (ROUTES[1], 401), ("/login", 403)):
            answer = await hub.client.post(path, files=files, data={"_csrf": csrf}, follow_redirects=False)
            assert answer.status_code == status, path

    async def test_a_form_that_cannot_be_read_is_refused(self, hub: Searched):
        body = b'--x\r\nContent-Disposition: form-data; name="picture"\r\n\r\n\xff\xd8\r\n--x--\r\n'
        charset = body.replace(b'"picture"', b'"picture"\r\nContent-Type: text/plain; charset=none')
        for content in (body, charset, b"--x"):
            headers = {"Content-Type": "multipart/form-data; boundary=x"}
            answer = await hub.client.post(ROUTES[0], content=content, headers=headers)
            assert answer.status_code == 400, content

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "é",
            "not base64!",
            b64encode(b"\xc1").decode(),
            b64encode(msgspec.msgpack.encode(wm.PersonFound((0, 0, 1, 1), 1, b""))).decode(),
            b64encode(msgspec.msgpack.encode(wm.PersonFound((0, 0, 1, 1), 1, b"\0" * 8))).decode(),
            b64encode(msgspec.msgpack.encode(wm.PersonFound((0, 0, 1, 1), 1, b"\0" * 9000))).decode(),
            b64encode(msgspec.msgpack.encode(found(ADA, dim=8))).decode(),
            b64encode(msgspec.msgpack.encode(msgspec.structs.replace(found(ADA), thumbnail_jpeg=b"<svg>"))).decode(),
        ],
    )
    async def test_what_a_browser_made_up_is_refused(self, hub: Searched, text: str):
        answer = await hub.client.post(f"{ROUTES[0]}/person", data={"person": text}, follow_redirects=True)
        assert answer.status_code == 200
        assert 'data-testid="notice"' in answer.text
        assert people_on(answer) == [] or 'data-testid="people-page"' in answer.text


class TestPrograms:
    async def test_everybody_in_the_picture_with_who_looks_like_them(self, hub: Searched):
        hub.use_token(Permit.PEOPLE_READ)
        hub.node.sees = (found(BOB, left=0.5), found(ADA))
        answer = await hub.ask()
        assert answer.status_code == 200
        assert [found["similar"][0]["identity_id"] for found in answer.json()] == ["bob", "ada"]
        assert answer.json()[0]["box_rel"] == pytest.approx([0.5, 0.1, 0.7, 0.9])
        assert {("person.look", "ada"), ("person.look", "bob"), ("person.search", "")} <= set(hub.trail())

    async def test_it_needs_the_permit_that_looking_at_people_needs(self, hub: Searched):
        hub.use_token(*(permit for permit in Permit if permit is not Permit.PEOPLE_READ))
        assert (await hub.ask()).status_code == 403

    async def test_only_people_within_reach_are_told(self, hub: Searched):
        browser_of(hub.parts.access, "far", Role.VIEWER, Reach.of(["node-2"]))
        hub.use_token(Permit.PEOPLE_READ, owner="far")
        [found] = (await hub.ask()).json()
        assert [likeness["identity_id"] for likeness in found["similar"]] == ["carol"]

    async def test_refusals_have_a_status_and_a_reason(self, hub: Searched):
        hub.use_token(Permit.PEOPLE_READ)
        for picture, status in ((b"", 400), (b"GIF89a", 400), (PICTURE + b"\0" * MAX_PICTURE_BYTES, 413)):
            assert (await hub.ask(picture)).status_code == status
        hub.node.sees = ()
        assert (await hub.ask()).json()["detail"].startswith("nobody was found in the picture")
        assert hub.parts.nodes is not None
        hub.parts.nodes.attach(Nobody())
        answer = await hub.ask()
        assert (answer.status_code, answer.json()["detail"].split(" ", 5)[:5]) == (
            503,
            ["no", "camera", "is", "connected", "at"],
        )

    async def test_the_description_says_what_to_send(self, hub: Searched):
        hub.use_token(Permit.SITE_READ)
        document = (await hub.client.get("/api/v1/openapi.json")).json()
        asked = document["paths"]["/api/v1/people/by-picture"]["post"]["requestBody"]
        assert asked["required"]
        assert asked["content"]["application/octet-stream"]["schema"]["maxLength"] == MAX_PICTURE_BYTES


async def test_what_a_form_carries_comes_back_as_it_was():
    person = brought_back(b64encode(msgspec.msgpack.encode(found(ADA))).decode())
    assert isinstance(person, PersonInPicture)
    again = brought_back(carried(person))
    assert (again.box_rel, again.thumbnail_jpeg) == (person.box_rel, person.thumbnail_jpeg)
    assert again.embedding == pytest.approx(person.embedding, abs=1e-3)
    with pytest.raises(PictureUnusable):
        brought_back("x")


class Nobody:
    """The connections of a hub to which no node is connected."""

    def connected(self, node_id: str) -> bool:
        return False

    def ask(self, node_id: str, message: object) -> bool:
        return False

    def introduce_again(self, node_id: str) -> None: ...

    async def cut(self, node_id: str, *, code: str, text: str) -> None: ...
