"""Renders templates and their blocks."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ruid_hub.live.picture import CARDS_SHOWN, element_id
from ruid_hub.site import CameraView, PersonCard, SiteView


@dataclass(frozen=True, slots=True)
class LivePage:
    """What pages/live.html needs. Blocks that are rendered alone get `site`, `camera` or `person` only."""

    site_name: str
    """Shown in the header and the window's title."""
    site: SiteView
    """The live picture at the moment of the request."""
    assets: str
    """Changes with the static files; appended to their addresses so that browsers may keep them."""
    pictures_kept_h: int
    """For how many hours thumbnails are kept; the footer says so."""


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What pages/error.html needs."""

    site_name: str
    assets: str
    pictures_kept_h: int
    title: str
    """What went wrong, in a few words."""
    advice: str
    """What to do next."""


class Templates:
    """The page templates of one hub; texts for people use `time_zone`."""

    def __init__(
        self,
        web_dir: Path,
        *,
        site_name: str,
        time_zone: tzinfo,
        pictures_kept_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.site_name = site_name
        self.assets = _fingerprint(web_dir / "static")
        self._pictures_kept_h = round(pictures_kept_s / 3600)
        self._time_zone = time_zone
        self._now_s = clock
        self._environment = Environment(
            loader=FileSystemLoader(web_dir / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        names: dict[str, Any] = self._environment.filters
        names |= {"clock": self._clock, "span": span, "element_id": _element_id}
        constants: dict[str, Any] = self._environment.globals
        constants |= {"cards_shown": CARDS_SHOWN}
        self._live = self._environment.get_template("pages/live.html")

    def live_page(self, view: SiteView) -> str:
        """The whole live page."""
        return self._page("pages/live.html", LivePage(self.site_name, view, self.assets, self._pictures_kept_h))

    def error_page(self, *, title: str, advice: str) -> str:
        """A page that says what went wrong."""
        page = ErrorPage(self.site_name, self.assets, self._pictures_kept_h, title, advice)
        return self._page("pages/error.html", page)

    # --- ruid_hub.live.picture.Renderer ----------------------------------------------------------------

    def title(self, view: SiteView) -> str:
        return f"<title>{self._block('title', site=view, site_name=self.site_name)}</title>"

    def summary(self, view: SiteView) -> str:
        return self._block("summary", site=view)

    def announcement(self, view: SiteView) -> str:
        return self._block("announcement", site=view)

    def camera_list(self, view: SiteView) -> str:
        return self._block("cameras", site=view)

    def camera(self, camera: CameraView) -> str:
        return self._block("camera", camera=camera)

    def people_list(self, view: SiteView) -> str:
        return self._block("people", site=view)

    def person(self, person: PersonCard) -> str:
        return self._block("person", person=person)

    # --- parts -----------------------------------------------------------------------------------------

    def _page(self, template: str, page: LivePage | ErrorPage) -> str:
        context = {field.name: getattr(page, field.name) for field in fields(page)}
        return self._environment.get_template(template).render(context)

    def _block(self, name: str, **context: Any) -> str:
        return "".join(self._live.blocks[name](self._live.new_context(context)))

    def _clock(self, at_s: float) -> str:
        """Time of day on the site's clock, with the date where that is not today."""
        moment = datetime.fromtimestamp(at_s, self._time_zone)
        today = datetime.fromtimestamp(self._now_s(), self._time_zone).date()
        if moment.date() == today:
            return f"{moment:%H:%M:%S}"
        return f"{moment.day} {moment:%b %H:%M}"


def span(duration_s: float) -> str:
    """A duration for people: `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`."""
    seconds = max(0, round(duration_s))
    for unit, step, lower, lower_step in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= step:
            rest = seconds % step // lower_step
            return f"{seconds // step} {unit}" + (f" {rest} {lower}" if rest else "")
    return f"{seconds} s"


def _element_id(key: str, kind: str) -> str:
    return element_id(kind, key)


def _fingerprint(folder: Path) -> str:
    """Short digest of every file's content: changes when any of them does."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
