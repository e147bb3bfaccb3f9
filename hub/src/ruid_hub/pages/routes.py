"""The pages' addresses."""

from collections.abc import Callable

from litestar import MediaType, Response, get

from ruid_hub.api.given import Given
from ruid_hub.pages.rendering import Templates
from ruid_hub.site import Site


@get("/", media_type=MediaType.HTML, sync_to_thread=False, include_in_schema=False)
def live_page(site: Given[Site], templates: Given[Templates], clock: Given[Callable[[], float]]) -> Response[str]:
    """The live page."""
    page = templates.live_page(site.view(clock()))
    return Response(page, media_type=MediaType.HTML, headers={"Cache-Control": "no-store"})
