"""The stream that open pages follow."""

from typing import Any
from urllib.parse import urlsplit

from litestar import get
from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException, ServiceUnavailableException
from litestar.handlers import BaseRouteHandler
from litestar.response import Stream

from ruid_hub.api.given import Given
from ruid_hub.live.feed import LiveFeed


def own_pages_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Keep other sites' pages from opening streams through a visitor's browser."""
    elsewhere = connection.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}
    origin = connection.headers.get("origin")
    if elsewhere or (origin and urlsplit(origin).netloc != connection.headers.get("host")):
        raise PermissionDeniedException("The live stream is for this hub's own pages.")


@get("/live/stream", guards=[own_pages_only], sync_to_thread=False, include_in_schema=False)
def live_stream(feed: Given[LiveFeed]) -> Stream:
    """Server-sent events; unnamed ones hold fragments of the live page, `pulse` says that the hub lives."""
    if feed.full:
        raise ServiceUnavailableException("Too many pages follow this hub already.")
    return Stream(
        feed.stream(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
