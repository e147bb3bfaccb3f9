"""Health, metrics, the live picture and thumbnails."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from litestar import Controller, MediaType, Response, get
from litestar.exceptions import NotFoundException
from litestar.openapi import ResponseSpec
from litestar.params import PathParameter

from ruid_hub.access import Caller, Permit, Role
from ruid_hub.api.given import Given
from ruid_hub.api.guards import anybody, everywhere, requires
from ruid_hub.integrations.metrics import CONTENT_TYPE, HubMetrics
from ruid_hub.site import Site, SiteView
from ruid_hub.store import Store
from ruid_hub.store.access import place_of

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Health:
    """`live` while the process answers; `ready` while it takes in what nodes send, else `reasons` says why not."""

    live: bool
    ready: bool
    reasons: tuple[str, ...]


class HealthController(Controller):
    """For watchdogs and load balancers: these never ask for a login."""

    path = "/healthz"
    tags = ("health",)
    guards = (anybody,)

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

    @get("/site", guards=[requires(Role.VIEWER, Permit.PEOPLE_READ)], sync_to_thread=False)
    def site_now(self, site: Given[Site], clock: Given[Callable[[], float]], caller: Given[Caller]) -> SiteView:
        """The live picture: counts, cameras, people; of the cameras within the caller's reach."""
        return site.view(clock(), sees=None if caller.reach.everywhere else caller.reach.covers)


@get(
    "/metrics",
    guards=[requires(Role.VIEWER, Permit.METRICS)],
    media_type=MediaType.TEXT,
    sync_to_thread=False,
    include_in_schema=False,
)
def metrics_text(metrics: Given[HubMetrics], caller: Given[Caller]) -> Response[bytes]:
    """Prometheus' text format; for accounts that may see every camera."""
    everywhere(caller)
    return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})


@get(
    "/thumbnails/{observation_id:int}",
    guards=[requires(Role.VIEWER, Permit.PEOPLE_READ)],
    sync_to_thread=True,
    responses={200: ResponseSpec(bytes, media_type="image/jpeg", description="The picture")},
)
def thumbnail(
    observation_id: Annotated[int, PathParameter(ge=1, le=2**63 - 1, description="Database id of the observation")],
    store: Given[Store],
    caller: Given[Caller],
) -> Response[bytes]:
    """The small picture of an observation, for as long as it is kept and within the caller's reach."""
    with store.reading() as connection:
        place = place_of(connection, observation_id)
    jpeg = store.thumbnail(observation_id) if place and caller.reach.covers(place[0]) else None
    if jpeg is None:
        raise NotFoundException("There is no such picture, or it has expired.")
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": f"private, max-age={DAY_S}, immutable"})


@get(
    ["/authority.pem", "/authority.crt"],
    guards=[anybody],
    media_type="application/x-x509-ca-cert",
    sync_to_thread=False,
    include_in_schema=False,
)
def authority_certificate(authority_pem: Given[bytes]) -> Response[bytes]:
    """The certificate of the hub's own authority; a browser that imports it trusts this hub."""
    if not authority_pem:
        raise NotFoundException
    return Response(authority_pem, headers={"Content-Disposition": 'attachment; filename="ruid-authority.crt"'})
