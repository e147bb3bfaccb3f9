"""The stream that open pages follow."""

from litestar import get
from litestar.response import Stream

from ruid_hub.api.given import Given
from ruid_hub.live.feed import LiveFeed


@get("/live/stream", sync_to_thread=False, include_in_schema=False)
def live_stream(feed: Given[LiveFeed]) -> Stream:
    """Server-sent events; unnamed ones hold fragments of the live page, `pulse` says that the hub lives."""
    return Stream(
        feed.stream(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
