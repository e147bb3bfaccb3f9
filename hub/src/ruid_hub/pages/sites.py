"""Settings: the sites, and what belongs to each."""

import asyncio
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from litestar import Response, get, post
from litestar.params import FromPath

from ruid_hub.access import Access
from ruid_hub.api.given import Given
from ruid_hub.counting import Counting, CountingError, UnknownPlace
from ruid_hub.counting import Site as CountingSite
from ruid_hub.pages.cameras import ADMINISTERING
from ruid_hub.pages.frame import Frame
from ruid_hub.pages.look import Form, Look
from ruid_hub.pages.notices import refusal
from ruid_hub.site import CameraView, Site

PATH = "/settings/sites"
NEW = "new"
LONGEST_ID = 40
CAMERA, NODE = "camera ", "node "
"""What a field of the form of belongings is called: this, then the key."""


@dataclass(frozen=True, slots=True)
class SiteCard:
    """A site and the names of its cameras; the `first` takes what belongs nowhere else."""

    site: CountingSite
    cameras: tuple[str, ...]
    first: bool


@dataclass(frozen=True, slots=True)
class NodeBelongings:
    """The cameras of one node, each with the site that it belongs to."""

    node_id: str
    name: str
    cameras: tuple[tuple[CameraView, str], ...]


@dataclass(frozen=True, slots=True)
class SitesPage:
    """What pages/sites.html needs."""

    template: ClassVar[str] = "pages/sites.html"

    frame: Frame
    sites: tuple[SiteCard, ...]
    nodes: tuple[NodeBelongings, ...]


@get(PATH, guards=ADMINISTERING, include_in_schema=False)
async def sites_page(
    look: Given[Look], counting: Given[Counting], site: Given[Site], clock: Given[Callable[[], float]]
) -> Response[str]:
    """Every site, and every camera with the site that it belongs to."""
    sites = await asyncio.to_thread(counting.sites)
    cards = tuple(
        SiteCard(each, tuple(site.name_of(camera) for camera in each.cameras), each is sites[0]) for each in sites
    )
    return look.page(SitesPage(look.frame("settings"), cards, belongings(site.view(clock()).cameras, sites)))


@post(f"{PATH}/{{site_id:str}}", guards=ADMINISTERING, include_in_schema=False)
async def save(site_id: FromPath[str], data: Form, look: Given[Look], counting: Given[Counting]) -> Response[None]:
    """Change a site's name and time zone; `new` makes one."""
    name, time_zone = (str(data.get(field, "")).strip() for field in ("name", "time_zone"))
    try:
        known = {each.site_id for each in await asyncio.to_thread(counting.sites)}
        key = id_for(name, taken=known) if site_id == NEW else site_id
        if site_id != NEW and key not in known:
            return look.go(PATH, refusal(UnknownPlace("there is no such site")))
        await asyncio.to_thread(counting.save_site, key, name, time_zone)
    except CountingError as error:
        return look.go(PATH, refusal(error))
    await look.note("site.save", key)
    return look.go(PATH, f"{name} is there now." if site_id == NEW else "Saved.")


@post(f"{PATH}/{{site_id:str}}/remove", guards=ADMINISTERING, include_in_schema=False)
async def remove(
    site_id: FromPath[str], look: Given[Look], counting: Given[Counting], access: Given[Access]
) -> Response[None]:
    """Remove a site; its cameras go back to the first one."""
    try:
        await asyncio.to_thread(counting.remove_site, site_id)
    except CountingError as error:
        return look.go(PATH, refusal(error))
    access.sites_changed()
    await look.note("site.remove", site_id)
    return look.go(PATH, "The site is removed. Its cameras belong to the first site again, with all that they saw.")


@post("/settings/belongings", guards=ADMINISTERING, include_in_schema=False)
async def assign(data: Form, look: Given[Look], counting: Given[Counting], access: Given[Access]) -> Response[None]:
    """Say which camera belongs to which site; what is said of a whole node comes before what is said of its cameras."""
    moved = moves(data, await asyncio.to_thread(counting.sites))
    try:
        for camera, site_id in moved.items():
            await asyncio.to_thread(counting.assign_camera, camera, site_id)
            await look.note("site.assign", site_id, {"camera": camera})
    except CountingError as error:
        return look.go(PATH, refusal(error))
    finally:
        access.sites_changed()
    return look.go(PATH, "Saved. All that a camera ever saw went with it." if moved else "Nothing has changed.")


def belongings(cameras: tuple[CameraView, ...], sites: tuple[CountingSite, ...]) -> tuple[NodeBelongings, ...]:
    """The cameras of the store by node, each with its site."""
    site_of = {camera: each.site_id for each in sites for camera in each.cameras}
    by_node: dict[str, list[CameraView]] = {}
    for view in cameras:
        if view.camera in site_of:
            by_node.setdefault(view.camera.rpartition("/")[0], []).append(view)
    return tuple(
        NodeBelongings(node_id, views[0].node_name, tuple((view, site_of[view.camera]) for view in views))
        for node_id, views in by_node.items()
    )


def moves(data: Mapping[str, Any], sites: tuple[CountingSite, ...]) -> dict[str, str]:
    """The cameras that get another site: camera to site_id."""
    moved: dict[str, str] = {}
    for each in sites:
        for camera in each.cameras:
            whole = str(data.get(NODE + camera.rpartition("/")[0], ""))
            wanted = whole or str(data.get(CAMERA + camera, ""))
            if wanted and wanted != each.site_id:
                moved[camera] = wanted
    return moved


def id_for(name: str, *, taken: set[str]) -> str:
    """An id that tells of the name: `Café Nord` becomes `cafe-nord`; a number follows where that is taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = "".join(letter if letter.isalnum() else " " for letter in plain).split()
    base = "-".join(words)[:LONGEST_ID].strip("-") or "site"
    again = (f"{base}-{number}" for number in range(2, len(taken) + 3))
    return base if base not in taken | {NEW} else next(key for key in again if key not in taken)
