"""The stream that open pages follow."""

from typing import Any

from litestar import get
from litestar.connection import ASGIConnection
from litestar.exceptions import ServiceUnavailableException
from litestar.handlers import BaseRouteHandler
from litestar.response import Stream

from ruid_hub.access import Access, Caller, Role
from ruid_hub.api.given import Given
from ruid_hub.api.guards import requires
from ruid_hub.api.network import own_pages_only
from ruid_hub.live.feed import LiveFeed


def own_pages(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Keep other sites' pages from opening streams through a visitor's browser."""
    own_pages_only(connection, connection.app.state.proxies)


@get("/live/stream", guards=[requires(Role.VIEWER), own_pages], sync_to_thread=False, include_in_schema=False)
def live_stream(feed: Given[LiveFeed], caller: Given[Caller], access: Given[Access]) -> Stream:
    """Server-sent events; unnamed ones hold fragments of the live page, `pulse` says that the hub lives.

    They end when rights are taken from anybody: a page that still may comes back by itself.
    """
    if feed.full:
        raise ServiceUnavailableException("Too many pages follow this hub already.")
    era = access.era
    return Stream(
        feed.stream(caller.reach, still_may=lambda: access.era == era),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
