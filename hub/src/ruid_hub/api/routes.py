"""Health, metrics, the live picture and thumbnails."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from litestar import Controller, MediaType, Response, get
from litestar.exceptions import NotFoundException
from litestar.openapi import ResponseSpec
from litestar.params import PathParameter

from ruid_hub.api.given import Given
from ruid_hub.integrations.metrics import CONTENT_TYPE, HubMetrics
from ruid_hub.site import Site, SiteView
from ruid_hub.store import Store

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Health:
    """`live` while the process answers; `ready` while it takes in what nodes send, else `reasons` says why not."""

    live: bool
    ready: bool
    reasons: tuple[str, ...]


class HealthController(Controller):
    """For watchdogs and load balancers; the only routes that will never ask for a login."""

    path = "/healthz"
    tags = ("health",)

    @get("/live", sync_to_thread=False)
    def live(self) -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @get(["/", "/ready"], sync_to_thread=False)
    def ready(self, not_ready: Given[Callable[[], tuple[str, ...]]]) -> Response[Health]:
        """200 while the hub does its work, 503 with the reasons while it cannot."""
        reasons = not_ready()
        return Response(Health(live=True, ready=not reasons, reasons=reasons), status_code=503 if reasons else 200)


class ApiController(Controller):
    """Version 1 of the interface for programs."""

    path = "/api/v1"
    tags = ("site",)

    @get("/site", sync_to_thread=False)
    def site_now(self, site: Given[Site], clock: Given[Callable[[], float]]) -> SiteView:
        """The live picture: counts, cameras, people."""
        return site.view(clock())


@get("/metrics", media_type=MediaType.TEXT, sync_to_thread=False, include_in_schema=False)
def metrics_text(metrics: Given[HubMetrics]) -> Response[bytes]:
    """Prometheus' text format."""
    return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})


@get(
    "/thumbnails/{observation_id:int}",
    sync_to_thread=True,
    responses={200: ResponseSpec(bytes, media_type="image/jpeg", description="The picture")},
)
def thumbnail(
    observation_id: Annotated[int, PathParameter(ge=1, le=2**63 - 1, description="Database id of the observation")],
    store: Given[Store],
) -> Response[bytes]:
    """The small picture of an observation, for as long as it is kept."""
    jpeg = store.thumbnail(observation_id)
    if jpeg is None:
        raise NotFoundException("There is no such picture, or it has expired.")
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": f"private, max-age={DAY_S}, immutable"})
