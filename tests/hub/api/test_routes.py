"""Every route of the web application, asked directly."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.testing import AsyncTestClient

from hub_fakes import JPEG, NOON_S, FakeClock, health, hello, live, matched, row, track, web_app
from ruid_hub.integrations.metrics import HubMetrics
from ruid_hub.live import feed as feed_module
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.site import Site, UniqueCount
from ruid_hub.store import Store, open_store
from ruid_hub.web_app import SECURITY_HEADERS

pytestmark = pytest.mark.asyncio


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "hub.db")
    yield opened
    opened.close()


@pytest.fixture
def site() -> Site:
    site = Site()
    site.node_connected(hello(), NOON_S)
    site.live("node-1", live(1, 2), NOON_S)
    site.health("node-1", health(drops={"late": 3}), NOON_S)
    site.assigned(track(1), matched("ada"), at_s=NOON_S, latency_s=0.1)
    site.counted(UniqueCount(4, 3, 5))
    return site


@pytest_asyncio.fixture
async def client(site: Site, store: Store) -> AsyncIterator[AsyncTestClient[Litestar]]:
    app = web_app(site=site, store=store, notifier=ChangeNotifier(), clock=FakeClock())
    async with AsyncTestClient(app) as client:
        yield client


class TestSite:
    async def test_the_picture_as_json(self, client: AsyncTestClient[Litestar]):
        answer = await client.get("/api/v1/site")
        picture = answer.json()
        assert answer.status_code == 200
        assert picture["people_now"] == 2
        assert picture["unique"] == {"count": 4, "low": 3, "high": 5}
        [camera] = picture["cameras"]
        assert (camera["camera"], camera["state"], camera["people_now"]) == ("node-1/cam", "up", 2)
        assert camera["latency"] == {"p50_ms": 100, "p95_ms": 100}
        assert picture["people"][0]["identity_id"] == "ada"

    async def test_the_interface_describes_itself(self, client: AsyncTestClient[Litestar]):
        document = (await client.get("/api/v1/openapi.json")).json()
        assert document["openapi"].startswith("3.1")
        assert {"/api/v1/site", "/healthz", "/healthz/live", "/thumbnails/{observation_id}"} <= set(document["paths"])
        site_now = document["paths"]["/api/v1/site"]["get"]
        assert site_now.get("parameters", []) == []


class TestHealth:
    async def test_ready(self, client: AsyncTestClient[Litestar]):
        for path in ("/healthz", "/healthz/ready"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()) == (200, {"live": True, "ready": True, "reasons": []})

    async def test_not_ready_says_why_and_is_alive_all_the_same(self, site: Site, store: Store):
        app = web_app(site=site, store=store, notifier=ChangeNotifier(), not_ready=lambda: ("the disk is full",))
        async with AsyncTestClient(app) as client:
            answer = await client.get("/healthz")
            assert (answer.status_code, answer.json()["reasons"]) == (503, ["the disk is full"])
            assert (await client.get("/healthz/live")).status_code == 200


class TestThumbnails:
    async def test_by_database_id(self, client: AsyncTestClient[Litestar], store: Store):
        [observation_id] = store.commit([row(1)]).observation_ids
        answer = await client.get(f"/thumbnails/{observation_id}")
        assert (answer.status_code, answer.content) == (200, JPEG)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"].startswith("private")

    @pytest.mark.parametrize(
        "key",
        ["1", "0", "-1", "99999999999999999999999999", "abc", "..%2f..%2fhub.db", "%2fetc%2fpasswd", "1.jpg", "1e3"],
    )
    async def test_nothing_else_is_served(self, client: AsyncTestClient[Litestar], key: str):
        answer = await client.get(f"/thumbnails/{key}")
        assert answer.status_code in {400, 404}


class TestMetrics:
    async def test_numbers_of_the_site_and_the_store(self, client: AsyncTestClient[Litestar], store: Store):
        store.commit([row(1), row(1)])
        answer = await client.get("/metrics")
        lines = answer.text.splitlines()
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "ruid_site_people 2.0" in lines
        assert "ruid_site_unique_people 4.0" in lines
        assert 'ruid_camera_up{camera="node-1/cam"} 1.0' in lines
        assert 'ruid_camera_frames_dropped_total{camera="node-1/cam",reason="late"} 3.0' in lines
        assert "ruid_store_observations 1.0" in lines
        assert "ruid_pages_open 0.0" in lines

    async def test_two_hubs_in_one_process_do_not_share_numbers(self):
        one, two = HubMetrics(), HubMetrics()
        one.stored.inc(5)
        assert b"ruid_hub_items_stored_total 5.0" in one.exposition()
        assert b"ruid_hub_items_stored_total 0.0" in two.exposition()


class TestPages:
    async def test_the_live_page(self, client: AsyncTestClient[Litestar]):
        answer = await client.get("/")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["cache-control"] == "no-store"
        assert 'data-testid="people-now">2<' in answer.text

    async def test_its_own_files_are_all_there_and_may_be_kept(self, client: AsyncTestClient[Litestar]):
        page = (await client.get("/")).text
        own = [path for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page) if "/vendor/" not in path]
        assert len(own) >= 3
        for path in own:
            answer = await client.get(path)
            assert answer.status_code == 200, path
            assert "immutable" in answer.headers["cache-control"]

    @pytest.mark.parametrize("path", ["/static/../package.json", "/static/..%2fpackage.json", "/static/%2fetc/passwd"])
    async def test_files_outside_the_folder_are_not_served(self, client: AsyncTestClient[Litestar], path: str):
        assert (await client.get(path)).status_code == 404

    async def test_people_get_a_page_and_programs_get_json_when_nothing_is_there(
        self, client: AsyncTestClient[Litestar]
    ):
        page = await client.get("/nowhere", headers={"accept": "text/html,*/*"})
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "There is nothing here" in page.text
        answer = await client.get("/nowhere", headers={"accept": "application/json"})
        assert (answer.status_code, answer.json()["status_code"]) == (404, 404)


class TestStream:
    async def test_too_many_pages_are_turned_away(
        self, client: AsyncTestClient[Litestar], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(feed_module, "MAX_PAGES", 0)
        answer = await client.get("/live/stream")
        assert (answer.status_code, answer.json()["detail"]) == (503, "Too many pages follow this hub already.")


class TestSecurity:
    @pytest.mark.parametrize(
        "path", ["/", "/nowhere", "/static/ruid.css", "/api/v1/site", "/thumbnails/1", "/metrics", "/healthz"]
    )
    async def test_every_answer_carries_the_headers(self, client: AsyncTestClient[Litestar], path: str):
        answer = await client.get(path)
        for name, value in SECURITY_HEADERS.items():
            assert answer.headers[name] == value
        assert "access-control-allow-origin" not in answer.headers

    async def test_no_policy_allows_inline_code(self):
        assert "unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]
        assert SECURITY_HEADERS["Content-Security-Policy"].startswith("default-src 'none'")

    @pytest.mark.parametrize(
        "headers",
        [{"origin": "http://elsewhere.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}],
    )
    async def test_another_sites_page_cannot_open_the_stream(
        self, client: AsyncTestClient[Litestar], headers: dict[str, str]
    ):
        assert (await client.get("/live/stream", headers=headers)).status_code == 403

    async def test_an_unexpected_error_tells_nothing_of_the_inside(self, site: Site, store: Store):
        def broken() -> tuple[str, ...]:
            raise RuntimeError("the secret path /etc/hub")

        app = web_app(site=site, store=store, notifier=ChangeNotifier(), not_ready=broken)
        async with AsyncTestClient(app, raise_server_exceptions=False) as client:
            answer = await client.get("/healthz")
        assert answer.status_code == 500
        assert "secret" not in answer.text
