"""A caller's reach in the words of the services."""

from ruid_hub.access import Caller
from ruid_hub.counting import Place
from ruid_hub.site import Site


def allowed_cameras(caller: Caller, site: Site) -> frozenset[str] | None:
    """The cameras that a caller may see; None for all."""
    if caller.reach.everywhere:
        return None
    return frozenset(camera for camera in site.cameras() if caller.reach.covers(camera))


def place_for(
    caller: Caller, site: Site, *, site_id: str | None = None, camera: str | None = None, zone_id: str | None = None
) -> Place:
    """Where to count for a caller."""
    return Place(site_id, camera, zone_id, allowed_cameras(caller, site))
