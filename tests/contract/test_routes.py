"""Every route of the hub, asked by everybody who must not use it.

The list of routes is the application's own, so a route that is added tomorrow is tested tomorrow.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from litestar import Litestar, get
from litestar.exceptions import ImproperlyConfiguredException
from litestar.testing import AsyncTestClient

from access_fakes import Browser, browser_of, owner_of, token_of
from hub_fakes import NOON_S, FakeClock, hello, live, matched, row, track, web_app
from ruid_hub.access import Access, AccessMode, Permit, Reach, Role
from ruid_hub.api.guards import check_every_route, gate_of, handlers_of
from ruid_hub.counting import Counting
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.site import Site
from ruid_hub.store import Arrival, Store, open_store

pytestmark = pytest.mark.asyncio

CAMERA = "node-1/cam"
SAMPLES = {
    "observation_id": "1",
    "identity_id": "ada",
    "other_id": "bob",
    "file_path": "ruid.css",
    "node_id": "node-1",
    "camera_id": "cam",
    "camera": CAMERA,
    "track": "node-1/cam:1:1",
    "boot_epoch": "1",
    "track_id": "1",
}
"""What stands for each part of a path; any other part is 1."""
OPEN_TO_ALL = {
    "/healthz",
    "/healthz/live",
    "/healthz/ready",
    "/static/{file_path:path}",
    "/login",
    "/login/oidc",
    "/login/oidc/callback",
    "/setup",
    "/authority.pem",
    "/authority.crt",
    "/manifest.webmanifest",
}
STREAMS = {"/live/stream", "/api/v1/events"}
"""They end when their caller does; what they tell is tested where they are."""
CHANGES = {"POST", "PUT", "PATCH", "DELETE"}
OWN_ACCOUNT = {
    "/settings",
    "/settings/sign",
    "/settings/sessions/{session_key:int}/end",
    "/account/password",
    "/logout",
}
"""For whoever has an account: a demonstration's visitors do not."""
VISIT = "v" * 43


@dataclass(frozen=True, slots=True)
class Route:
    """One address and method, as asked for."""

    template: str
    method: str
    path: str
    role: Role | None
    permit: Permit | None


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub that was set up, and everybody who asks."""

    app: Litestar
    client: AsyncTestClient[Litestar]
    access: Access
    owner: Browser

    def routes(self) -> list[Route]:
        """Every route over HTTP."""
        found: list[Route] = []
        for template, method, handler in handlers_of(self.app):
            gate = gate_of(handler)
            if method in {"OPTIONS", "HEAD", "WS"} or gate is None:
                continue
            path = re.sub(r"\{(\w+):\w+\}", lambda part: SAMPLES.get(part[1], "1"), template)
            found.append(Route(template, method, path, gate.role, gate.permit))
        assert len(found) > 15
        return found

    def closed_routes(self) -> list[Route]:
        """Those that ask for a role."""
        return [route for route in self.routes() if route.role is not None]


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "hub.db")
    opened.commit([row(1, "ada")])
    yield opened
    opened.close()


@pytest_asyncio.fixture
async def hub(store: Store) -> AsyncIterator[Hub]:
    site, clock = Site(), FakeClock()
    site.node_connected(hello(), NOON_S)
    site.live("node-1", live(1), NOON_S)
    site.assigned(track(1), matched("ada"), at_s=NOON_S)
    access = Access(store=store, clock=clock)
    app = web_app(
        site=site,
        store=store,
        notifier=ChangeNotifier(),
        clock=clock,
        mode=AccessMode.REQUIRED,
        access=access,
        counting=Counting(store=store, site=site, clock=clock),
    )
    async with AsyncTestClient(app, raise_server_exceptions=False) as client:
        yield Hub(app, client, access, owner_of(access))


async def ask(hub: Hub, route: Route, browser: Browser | None = None, *, csrf: str = "", **headers: str) -> int:
    hub.client.cookies.clear()
    if csrf:
        headers["X-CSRF-Token"] = csrf
    for name, value in (browser.cookies if browser else {}).items():
        hub.client.cookies.set(name, value)
    answer = await hub.client.request(route.method, route.path, headers=headers, follow_redirects=False)
    return answer.status_code


async def test_only_what_must_be_open_is_open(hub: Hub):
    assert {route.template for route in hub.routes() if route.role is None} <= OPEN_TO_ALL


async def test_without_a_session_every_other_route_is_closed(hub: Hub):
    for route in hub.closed_routes():
        assert await ask(hub, route, accept="application/json") == 401, route


async def test_a_browser_without_a_session_is_sent_to_the_sign_in_page(hub: Hub):
    for route in hub.closed_routes():
        answer = await hub.client.request(
            route.method, route.path, headers={"accept": "text/html"}, follow_redirects=False
        )
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login"), route


async def test_an_invented_session_or_token_is_nobodys(hub: Hub):
    invented = Browser({"ruid_session": "x" * 43}, "")
    for route in hub.closed_routes():
        assert await ask(hub, route, invented, accept="application/json") == 401, route
        assert await ask(hub, route, authorization="Bearer ruid_" + "x" * 43) == 401, route


async def test_a_token_that_is_none_is_not_helped_by_a_session(hub: Hub):
    for route in hub.closed_routes():
        assert await ask(hub, route, hub.owner, authorization="Bearer ruid_wrong", accept="*/*") == 401, route


async def test_a_lower_role_is_refused(hub: Hub):
    people = {role: browser_of(hub.access, f"one {role.word}", role) for role in Role}
    for route in hub.closed_routes():
        for role, browser in people.items():
            if route.role is not None and role < route.role:
                csrf = browser.csrf if route.method in CHANGES else ""
                assert await ask(hub, route, browser, csrf=csrf) == 403, (route, role)


async def test_a_change_without_the_csrf_token_is_refused(hub: Hub):
    for route in hub.closed_routes():
        if route.method in CHANGES:
            assert await ask(hub, route, hub.owner) == 403, route
            assert await ask(hub, route, hub.owner, csrf="0" * 64) == 403, route


async def test_a_change_that_another_sites_page_asks_for_is_refused(hub: Hub):
    for route in hub.closed_routes():
        if route.method in CHANGES:
            status = await ask(hub, route, hub.owner, csrf=hub.owner.csrf, origin="https://elsewhere.example")
            assert status == 403, route


async def test_signing_in_and_setting_up_ask_for_a_csrf_token_too(hub: Hub):
    for path in ("/login", "/setup"):
        hub.client.cookies.clear()
        assert (await hub.client.post(path, data={"name": "a", "password": "b" * 12})).status_code in {403, 404}


async def test_a_token_opens_only_what_it_permits(hub: Hub):
    headers = {permit: token_of(hub.access, permit)["Authorization"] for permit in Permit}
    for route in hub.closed_routes():
        for permit, header in headers.items():
            if route.permit is not permit:
                assert await ask(hub, route, authorization=header) == 403, (route, permit)


@pytest.mark.parametrize("place", ["node-2/cam", "node-2", "site:north"])
async def test_nothing_of_a_camera_out_of_reach_is_found(hub: Hub, store: Store, place: str):
    """Whoever sees another camera, node or site only is told that there is nothing, or that it is not for them."""
    elsewhere = kept_to(hub, store, place)
    for route in hub.closed_routes():
        # One's own sessions belong to no camera.
        if "{" in route.template and route.template != "/settings/sessions/{session_key:int}/end":
            csrf = elsewhere.csrf if route.method in CHANGES else ""
            assert await ask(hub, route, elsewhere, csrf=csrf) in {400, 403, 404}, route


@pytest.mark.parametrize("place", ["node-2/cam", "site:north"])
async def test_nothing_of_it_is_shown_whatever_a_query_names(hub: Hub, store: Store, place: str):
    elsewhere = kept_to(hub, store, place)
    named = "camera=node-1/cam&node=node-1&site_id=main&place=camera%09node-1/cam&subject=ada&identity=ada"
    for route in hub.closed_routes():
        if route.method == "GET" and route.template not in STREAMS:
            hub.client.cookies.update(elsewhere.cookies)
            answer = await hub.client.get(f"{route.path}?{named}", follow_redirects=False)
            assert "Entrance" not in answer.text, route
            # A refusal may repeat what was asked.
            assert CAMERA not in answer.text.replace(named, ""), route


def kept_to(hub: Hub, store: Store, place: str) -> Browser:
    """An admin of one place that is not the camera's; the site has a camera of its own."""
    store.record_arrivals([Arrival("node-2", cameras={"node-2/cam": "Yard"})])
    counting = Counting(store=store, site=Site(), clock=FakeClock())
    counting.save_site("north", "North")
    counting.assign_camera("node-2/cam", "north")
    return browser_of(hub.access, "elsewhere", Role.ADMIN, Reach.of([place]))


@pytest_asyncio.fixture
async def demonstration(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub that was new when it was told to be one, and that has seen people since."""
    store, clock, site = open_store(tmp_path / "demonstration.db"), FakeClock(), Site()
    access = Access(store=store, clock=clock, mode=AccessMode.DEMONSTRATION)
    store.commit([row(1, "ada")])
    site.node_connected(hello(), NOON_S)
    counting = Counting(store=store, site=site, clock=clock)
    app = web_app(
        site=site,
        store=store,
        notifier=ChangeNotifier(),
        clock=clock,
        mode=access.mode,
        access=access,
        counting=counting,
    )
    async with AsyncTestClient(app, raise_server_exceptions=False) as client:
        yield Hub(app, client, access, Browser({"ruid_visit": VISIT}, access.csrf_of(VISIT)))
    store.close()


async def test_a_demonstrations_visitor_may_look_and_correct_and_nothing_else(demonstration: Hub):
    """Whatever is for admins, or about an account of one's own, is refused in a form that is otherwise right."""
    for route in demonstration.closed_routes():
        if route.template in STREAMS:
            continue
        csrf = demonstration.owner.csrf if route.method in CHANGES else ""
        status = await ask(demonstration, route, demonstration.owner, csrf=csrf)
        closed = route.role is Role.ADMIN or route.template in OWN_ACCOUNT
        assert (status == 403) is closed, (route, status)
        assert status != 401, route


async def test_a_demonstration_takes_no_change_from_elsewhere(demonstration: Hub):
    for route in demonstration.closed_routes():
        if route.method in CHANGES:
            assert await ask(demonstration, route, demonstration.owner) == 403, route
            theirs = {"csrf": demonstration.owner.csrf, "origin": "https://elsewhere.example"}
            assert await ask(demonstration, route, demonstration.owner, **theirs) == 403, route


async def test_a_demonstration_is_closed_under_any_other_name_and_with_a_wrong_token(demonstration: Hub):
    for route in demonstration.closed_routes():
        assert await ask(demonstration, route, host="elsewhere.example:8080", accept="application/json") == 401, route
        assert await ask(demonstration, route, authorization="Bearer ruid_wrong", accept="*/*") == 401, route


async def test_an_owner_closes_the_demonstration(demonstration: Hub):
    owner_of(demonstration.access)
    for route in demonstration.closed_routes():
        assert await ask(demonstration, route, demonstration.owner, accept="application/json") == 401, route


async def test_a_route_that_says_nothing_keeps_the_hub_from_starting():
    @get("/forgotten", sync_to_thread=False)
    def forgotten() -> None: ...

    with pytest.raises(ImproperlyConfiguredException, match="/forgotten"):
        check_every_route(Litestar([forgotten], openapi_config=None))


async def test_the_first_visitor_is_led_to_the_set_up(store: Store):
    app = web_app(site=Site(), store=store, notifier=ChangeNotifier(), mode=AccessMode.REQUIRED)
    async with AsyncTestClient(app) as client:
        answer = await client.get("/", headers={"accept": "text/html"}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/setup")
