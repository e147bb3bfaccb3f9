"""How a camera did over time, up to this moment: what the hub wrote down and how it does now."""

import asyncio

from ruid_hub.observations import HealthSample
from ruid_hub.site import Site
from ruid_hub.store import Store


async def health_over_time(
    store: Store, site: Site, camera: str, *, since_s: float, at_s: float
) -> tuple[HealthSample, ...]:
    """The oldest first, about one a minute; nothing for a camera that was never heard. Await in the event loop."""
    kept = await asyncio.to_thread(store.health_since, camera, since_s)
    now = site.health_now(at_s).get(camera)
    return kept if now is None else (*kept, now)
