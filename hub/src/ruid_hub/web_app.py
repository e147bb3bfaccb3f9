"""Puts pages, live stream and API together into one ASGI application.

Everything it needs comes in as `HubParts`. Every route says who may use it (`ruid_hub.api.guards`); the application
is not made while one does not.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, fields
from datetime import tzinfo
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import structlog
from litestar import Litestar, Request, Response, Router, static_files
from litestar.config.compression import CompressionConfig
from litestar.connection import ASGIConnection
from litestar.datastructures import CacheControlHeader, MutableScopeHeaders, State
from litestar.di import Provide
from litestar.exceptions import HTTPException, InternalServerException, NotAuthorizedException
from litestar.middleware import DefineMiddleware
from litestar.middleware.compression import CompressionMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import Message, Scope

from ruid_hub.access import Access, Caller, Permit, Role, TooManyAttempts
from ruid_hub.api.accounts import AccountsController
from ruid_hub.api.by_picture import ByPictureController
from ruid_hub.api.caller import CSRF_SHOWN, FindCaller
from ruid_hub.api.cameras import CamerasController, NodesController
from ruid_hub.api.counts import CountsController, RowsController, SitesController, asked
from ruid_hub.api.events import EventStreams, event_socket, event_stream
from ruid_hub.api.guards import anybody, caller_of, check_every_route, csrf_of, deny_by_default, requires
from ruid_hub.api.integrations import IntegrationsController
from ruid_hub.api.network import LOOPBACK_NAMES, NO_PROXIES, Proxies
from ruid_hub.api.people import CorrectionsController, PeopleController, SightingsController
from ruid_hub.api.refusals import REFUSED, status_of
from ruid_hub.api.routes import ApiController, HealthController, authority_certificate, metrics_text, thumbnail
from ruid_hub.api.sign_in import (
    begin_at_provider,
    change_password,
    come_from_provider,
    see_other,
    set_up,
    sign_in,
    sign_out,
)
from ruid_hub.api.upkeep import UpkeepController
from ruid_hub.by_picture import PictureSearch
from ruid_hub.integrations.metrics import SiteCollector
from ruid_hub.live.feed import LiveFeed
from ruid_hub.live.routes import live_stream
from ruid_hub.live.shapes import name_shapes
from ruid_hub.pages.look import look_at
from ruid_hub.pages.notices import Notices, sentence
from ruid_hub.pages.rendering import Templates
from ruid_hub.pages.routes import PAGES
from ruid_hub.parts import HubParts

ACCESS_ROUTES = (sign_in, begin_at_provider, come_from_provider, sign_out, set_up, change_password)
API_ROUTES = (
    HealthController,
    ApiController,
    PeopleController,
    ByPictureController,
    SightingsController,
    CorrectionsController,
    CountsController,
    SitesController,
    RowsController,
    CamerasController,
    NodesController,
    AccountsController,
    IntegrationsController,
    UpkeepController,
    event_stream,
    event_socket,
    metrics_text,
    thumbnail,
    authority_certificate,
)
PAGE_ROUTES = (*PAGES, live_stream)
ROUTES = (*ACCESS_ROUTES, *API_ROUTES, *PAGE_ROUTES)
"""Every route but the static files; each with a gate of its own."""
MAX_BODY_BYTES = 12 * 1024 * 1024

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers would send "Origin: null" with the hub's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
log: structlog.stdlib.BoundLogger = structlog.get_logger("ruid_hub.web")

VENDOR_FILES = ("htmx.js", "hx-sse.js", "pico.css")
YEAR_S = 365 * 86_400
REFUSALS = {
    400: ("That could not be read", "Go back, reload the page and try again."),
    401: ("Please sign in", "This page is for people who are known to this hub."),
    403: ("Not for you", "Your account may not see this page. Ask whoever looks after this hub."),
    404: ("There is nothing here", "The address may be mistyped, or what it showed has expired."),
    413: (
        "That is too much",
        "A picture may have up to 1 MB: make it smaller, 1280 pixels along its longer side suffice.",
    ),
    429: ("Too often", "Wait a minute, then try again."),
    500: ("Something went wrong", "The hub noted what happened in its log. Try again in a moment."),
    503: ("Not now", "Wait a moment, then try again."),
}
"""Titles and advice for browsers; of a status that is not here, 400 or 500 speaks."""
IN_ITS_OWN_WORDS = {400, 403, 409, 429, 503, 507}
"""Where the hub itself refused a change, and said why."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """`web_dir` holds templates/ and static/; `time_zone` is the site's, for times that people read.

    `proxies` are believed about where a request comes from; `open_hosts` are the names under which an open hub answers.
    Under `free_hosts`, the hub's own machine, a new hub is set up without its code.
    """

    web_dir: Path
    site_name: str
    time_zone: tzinfo
    proxies: Proxies = NO_PROXIES
    open_hosts: frozenset[str] = LOOPBACK_NAMES
    free_hosts: frozenset[str] = frozenset()


def create_web_app(parts: HubParts, settings: WebSettings) -> Litestar:
    """The hub's web application; call it inside the running event loop.

    Close the notifier before stopping the web server: open streams end then.
    """
    _look_for_vendor_files(settings.web_dir)
    if parts.nodes is not None:
        name_shapes(parts.site, parts.nodes)
    templates = Templates(
        settings.web_dir,
        site_name=settings.site_name,
        time_zone=settings.time_zone,
        pictures_kept_s=parts.store.retention.thumbnails_s,
        clock=parts.clock,
        waiting=lambda: len(parts.nodes.pending()) if parts.nodes is not None else 0,
    )
    feed = LiveFeed(site=parts.site, renderer=templates, notifier=parts.notifier, clock=parts.clock)
    parts.metrics.registry.register(
        SiteCollector(site=parts.site, store=parts.store, feed_counts=feed.counts, clock=parts.clock)
    )
    known = {field.name: getattr(parts, field.name) for field in fields(parts)}
    known |= {"templates": templates, "feed": feed, "proxies": settings.proxies, "free_hosts": settings.free_hosts}
    known["streams"] = EventStreams(site=parts.site, access=parts.access, notifier=parts.notifier, clock=parts.clock)
    known["pictures"] = PictureSearch(nodes=parts.nodes, hand=parts.hand, metrics=parts.metrics)
    known["notices"] = Notices(new_key=lambda: uuid4().hex)
    app = Litestar(
        route_handlers=[*ROUTES, _static_files(settings)],
        dependencies={name: _given(part) for name, part in known.items()} | _OF_THE_REQUEST,
        guards=[deny_by_default],
        middleware=[FindCaller(access=parts.access, proxies=settings.proxies, open_hosts=settings.open_hosts)],
        before_send=[_secure],
        exception_handlers={
            HTTPException: _refusal,
            Exception: _failure,
            **dict.fromkeys(REFUSED, _refused),
        },
        state=State(
            {"templates": templates, "access": parts.access, "proxies": settings.proxies, "store": parts.store}
        ),
        openapi_config=_self_description(),
        lifespan=[_following(feed)],
        request_max_body_size=MAX_BODY_BYTES,
        cors_config=None,
        logging_config=None,
        debug=False,
    )
    check_every_route(app)
    return app


def _look_for_vendor_files(web_dir: Path) -> None:
    """Without them the pages are plain and do not follow along, but the hub works."""
    missing = [name for name in VENDOR_FILES if not (web_dir / "static" / "vendor" / name).is_file()]
    if missing:
        log.warning("web.files_missing", files=missing, advice="run `npm ci` and `npm run vendor` in web/")


def _given(part: object) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)


def _visitor(scope: Scope) -> Caller | None:
    return caller_of(ASGIConnection(scope))


def _caller(scope: Scope) -> Caller:
    caller = caller_of(ASGIConnection(scope))
    if caller is None:
        raise NotAuthorizedException("Please sign in.")
    return caller


def _csrf(scope: Scope) -> str:
    scope["state"][CSRF_SHOWN] = True
    return csrf_of(ASGIConnection(scope))


_OF_THE_REQUEST = {
    "visitor": Provide(_visitor, sync_to_thread=False),
    "caller": Provide(_caller, sync_to_thread=False),
    "csrf": Provide(_csrf, sync_to_thread=False),
    "asked": Provide(asked),
    "look": Provide(look_at, sync_to_thread=False),
}


def _static_files(settings: WebSettings) -> Router:
    """Scripts, styles and fonts: the same for everybody, and the sign-in page needs them too."""
    return static_files.create_static_files_router(
        "/static",
        [settings.web_dir / "static"],
        cache_control=CacheControlHeader(max_age=YEAR_S, public=True, immutable=True),
        guards=[anybody],
        # Files alone are compressed: the length of a compressed page would tell of the token in its forms.
        middleware=[DefineMiddleware(CompressionMiddleware, config=CompressionConfig(backend="gzip"))],
        include_in_schema=False,
        send_as_attachment=False,
    )


def _self_description() -> OpenAPIConfig:
    """The API's own document, for whoever may use the API."""
    return OpenAPIConfig(
        title="RuID hub",
        version="1",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        openapi_router=Router(
            "/api/v1",
            route_handlers=[],
            guards=[requires(Role.VIEWER, Permit.SITE_READ)],
            after_request=_as_programs_read_it,
        ),
    )


def _as_programs_read_it(answer: Response[Any]) -> Response[Any]:
    """Beside the document the framework answers with a web page that there is nothing."""
    if answer.status_code != 404:
        return answer
    body = {"status_code": 404, "detail": "Not Found", "extra": None}
    return Response(body, status_code=404, media_type="application/json")


def _following(feed: LiveFeed) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        following = asyncio.create_task(feed.run())
        try:
            yield
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    return lifespan


async def _secure(message: Message, _: Scope) -> None:
    """Every response leaves with the security headers, errors and files included."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in SECURITY_HEADERS.items():
            headers[name] = value


def _way_in(request: Request[Any, Any, Any]) -> Response[None] | None:
    """Send a browser that nobody knows to the sign-in page, or to the set-up of a hub that is new."""
    access: Access = request.app.state.access
    if "hx-request" in request.headers:
        onward = "/login?" + urlencode({"next": _path_of(request.headers.get("hx-current-url", ""))})
        return Response(None, status_code=401, headers={"HX-Redirect": onward, "Cache-Control": "no-store"})
    if "text/html" not in request.headers.get("accept", ""):
        return None
    if access.needs_set_up:
        return see_other("/setup")
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return see_other("/login?" + urlencode({"next": asked if request.method == "GET" else "/"}))


def _path_of(address: str) -> str:
    """Path and query of an address of this hub, as a page says where it is."""
    return "/" + address.partition("://")[2].partition("/")[2].partition("#")[0]


def _refused(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Something that a service will not do, in its own words."""
    headers: dict[str, str] = {}
    if isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(ceil(error.retry_after_s))
    return _refusal(request, HTTPException(str(error), status_code=status_of(error), headers=headers))


def _failure(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    log.error("web.request_failed", path=request.url.path, exc_info=error)
    return _refusal(request, InternalServerException())


def _refusal(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """The one place where an error becomes a response: a page for people, JSON for programs."""
    if error.status_code == 401 and (way_in := _way_in(request)) is not None:
        return way_in
    if "text/html" not in request.headers.get("accept", ""):
        body = {"status_code": error.status_code, "detail": error.detail, "extra": error.extra}
        return Response(body, status_code=error.status_code, headers=error.headers)
    return _error_page(request, error)


def _error_page(request: Request[Any, Any, Any], error: HTTPException) -> Response[str]:
    """For whoever is signed in with the way to the other pages."""
    status = error.status_code
    title, advice = REFUSALS.get(status, REFUSALS[400 if status < 500 else 500])
    if status in IN_ITS_OWN_WORDS and request.method != "GET" and error.detail:
        title, advice = "That was not done", f"{sentence(error.detail).removesuffix('.')}."
    caller = caller_of(request)
    frame = request.app.state.templates.frame(caller=caller, csrf="" if caller is None else _csrf(request.scope))
    return Response(
        request.app.state.templates.error_page(frame, title=title, advice=advice),
        media_type="text/html",
        status_code=status,
        headers={**(error.headers or {}), "Cache-Control": "no-store"},
    )
