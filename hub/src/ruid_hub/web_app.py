"""Puts pages, live stream and API together into one ASGI application.

Everything it needs comes in as arguments. `WebSettings.guards` is where authentication goes: a guard runs before
every route but those under /healthz.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any

import structlog
from litestar import Litestar, Request, Response, Router, static_files
from litestar.connection import ASGIConnection
from litestar.datastructures import CacheControlHeader, MutableScopeHeaders, State
from litestar.di import Provide
from litestar.exceptions import HTTPException, InternalServerException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import Message, Scope

from ruid_hub.api.routes import ApiController, HealthController, metrics_text, thumbnail
from ruid_hub.integrations.metrics import HubMetrics, SiteCollector
from ruid_hub.live.feed import LiveFeed
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.live.picture import LivePicture
from ruid_hub.live.routes import live_stream
from ruid_hub.pages.rendering import Templates
from ruid_hub.pages.routes import live_page
from ruid_hub.site import Site
from ruid_hub.store import Store

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
log: structlog.stdlib.BoundLogger = structlog.get_logger("ruid_hub.web")

VENDOR_FILES = ("htmx.js", "hx-sse.js", "pico.css")
YEAR_S = 365 * 86_400
REFUSALS = {
    401: ("Please sign in", "This page is for people who are known to this hub."),
    403: ("Not for you", "Your account may not see this page. Ask whoever looks after this hub."),
    404: ("There is nothing here", "The address may be mistyped, or what it showed has expired."),
    500: ("Something went wrong", "The hub noted what happened in its log. Try again in a moment."),
}


Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None] | None]
"""Raises NotAuthorizedException or PermissionDeniedException to keep somebody out."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """`web_dir` holds templates/ and static/; `time_zone` is the site's, for times that people read."""

    web_dir: Path
    site_name: str
    time_zone: tzinfo
    guards: Sequence[Guard] = ()


def create_web_app(
    *,
    site: Site,
    store: Store,
    settings: WebSettings,
    notifier: ChangeNotifier,
    metrics: HubMetrics,
    clock: Callable[[], float],
    not_ready: Callable[[], tuple[str, ...]] = tuple,
) -> Litestar:
    """The hub's web application; call it inside the running event loop.

    Close the notifier before stopping the web server: open streams end then. `not_ready` gives the reasons why
    the hub cannot do its work, none when it can.
    """
    _look_for_vendor_files(settings.web_dir)
    templates = Templates(
        settings.web_dir,
        site_name=settings.site_name,
        time_zone=settings.time_zone,
        pictures_kept_s=store.retention.thumbnails_s,
        clock=clock,
    )
    feed = LiveFeed(site=site, picture=LivePicture(templates), notifier=notifier, clock=clock)
    metrics.registry.register(SiteCollector(site=site, store=store, feed_counts=feed.counts, clock=clock))
    parts = {
        "site": site,
        "store": store,
        "templates": templates,
        "feed": feed,
        "metrics": metrics,
        "clock": clock,
        "not_ready": not_ready,
    }
    return Litestar(
        route_handlers=[HealthController, _guarded(settings)],
        dependencies={name: _given(part) for name, part in parts.items()},
        before_send=[_secure],
        exception_handlers={HTTPException: _refusal, Exception: _failure},
        state=State({"templates": templates}),
        openapi_config=_self_description(settings),
        lifespan=[_following(feed)],
        cors_config=None,
        logging_config=None,
        debug=False,
    )


def _look_for_vendor_files(web_dir: Path) -> None:
    """Without them the pages are plain and do not follow along, but the hub works."""
    missing = [name for name in VENDOR_FILES if not (web_dir / "static" / "vendor" / name).is_file()]
    if missing:
        log.warning("web.files_missing", files=missing, advice="run `npm ci` and `npm run vendor` in web/")


def _given(part: object) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)


def _guarded(settings: WebSettings) -> Router:
    """Everything that authentication protects, the static files too."""
    static = static_files.create_static_files_router(
        "/static",
        [settings.web_dir / "static"],
        cache_control=CacheControlHeader(max_age=YEAR_S, public=True, immutable=True),
        include_in_schema=False,
        send_as_attachment=False,
    )
    return Router(
        "/",
        route_handlers=[live_page, live_stream, ApiController, metrics_text, thumbnail, static],
        guards=settings.guards,
    )


def _self_description(settings: WebSettings) -> OpenAPIConfig:
    """The API's own document, behind the same guards."""
    return OpenAPIConfig(
        title="RuID hub",
        version="1",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        openapi_router=Router("/api/v1", route_handlers=[], guards=settings.guards),
    )


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


def _failure(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    log.error("web.request_failed", path=request.url.path, exc_info=error)
    return _refusal(request, InternalServerException())


def _refusal(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """The one place where an error becomes a response: a page for people, JSON for programs."""
    if "text/html" not in request.headers.get("accept", ""):
        body = {"status_code": error.status_code, "detail": error.detail, "extra": error.extra}
        return Response(body, status_code=error.status_code, headers=error.headers)
    templates: Templates = request.app.state.templates
    title, advice = REFUSALS.get(error.status_code, REFUSALS[500])
    return Response(
        templates.error_page(title=title, advice=advice),
        media_type="text/html",
        status_code=error.status_code,
        headers=error.headers,
    )
