"""Renders pages and blocks of them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import tzinfo
from pathlib import Path
from typing import Any, ClassVar, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ruid_hub import __version__
from ruid_hub.access.values import Caller
from ruid_hub.live.picture import CARDS_SHOWN
from ruid_hub.pages.frame import PLACES, Frame, Notice, Viewer
from ruid_hub.pages.texts import SiteTime, label_of, plural
from ruid_hub.site import CameraView, PersonCard, SiteView

BEHIND_MS = 30_000.0
"""A camera that is recognised later than this sends what it saw while the hub was away."""


class PageContext(Protocol):
    """A frozen dataclass whose fields are what its template uses."""

    template: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class LivePage:
    """What pages/live.html needs. Blocks that are rendered alone get `site`, `camera` or `person` only."""

    template: ClassVar[str] = "pages/live.html"

    frame: Frame
    site: SiteView
    """The live picture at the moment of the request."""


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What pages/error.html needs."""

    template: ClassVar[str] = "pages/error.html"

    frame: Frame
    title: str
    """What went wrong, in a few words."""
    advice: str
    """What to do next."""


class Templates:
    """The page templates of one hub; texts for people use `time_zone`. `waiting` nodes ask to be let in.

    Whoever changes how long pictures are kept sets `pictures_kept_s`, which every page names.
    """

    def __init__(
        self,
        web_dir: Path,
        *,
        site_name: str,
        time_zone: tzinfo,
        pictures_kept_s: float,
        clock: Callable[[], float],
        waiting: Callable[[], int] = lambda: 0,
    ) -> None:
        self.site_name = site_name
        self.assets = _fingerprint(web_dir / "static")
        self.time = SiteTime(time_zone, clock)
        self.pictures_kept_s = pictures_kept_s
        self._waiting = waiting
        self._environment = Environment(
            loader=FileSystemLoader(web_dir / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            # Templates change with the hub alone, and a look at the file's time for every block adds up.
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        names: dict[str, Any] = self._environment.filters
        names |= self.time.filters()
        constants: dict[str, Any] = self._environment.globals
        constants |= {"cards_shown": CARDS_SHOWN, "behind_ms": BEHIND_MS, "label_of": label_of, "plural": plural}
        constants["hub_version"] = __version__
        constants["parts"] = self._environment.get_template("partials/parts.html").module

    def frame(
        self, here: str = "", *, caller: Caller | None = None, csrf: str = "", notice: Notice | None = None
    ) -> Frame:
        """What surrounds a page for somebody; only what leads to pages that they may see."""
        viewer = None if caller is None else Viewer.of(caller)
        return Frame(
            site_name=self.site_name,
            assets=self.assets,
            pictures_kept_s=self.pictures_kept_s,
            here=here,
            viewer=viewer,
            waiting=self._waiting() if viewer is not None and viewer.may_administer else 0,
            places=() if caller is None else tuple(place for place in PLACES if place.open_to(caller)),
            csrf=csrf,
            notice=notice,
        )

    def page(self, context: PageContext) -> str:
        """The whole page that a context belongs to."""
        return self._environment.get_template(context.template).render(_values(context))

    def block(self, context: PageContext, name: str) -> str:
        """One block of the page, for a part that changes alone."""
        return self._block(context.template, name, **_values(context))

    def live_page(self, view: SiteView, frame: Frame) -> str:
        """The whole live page."""
        return self.page(LivePage(frame, view))

    def error_page(self, frame: Frame, *, title: str, advice: str) -> str:
        """A page that says what went wrong."""
        return self.page(ErrorPage(frame, title, advice))

    # --- ruid_hub.live.picture.Renderer ----------------------------------------------------------------

    def title(self, view: SiteView) -> str:
        return f"<title>{self._live('title', site=view, frame=self.frame())}</title>"

    def summary(self, view: SiteView) -> str:
        return self._live("summary", site=view)

    def announcement(self, view: SiteView) -> str:
        return self._live("announcement", site=view)

    def cameras_end(self, view: SiteView) -> str:
        return self._live("cameras_end", site=view)

    def camera(self, camera: CameraView) -> str:
        return self._live("camera", camera=camera)

    def people_end(self, view: SiteView) -> str:
        return self._live("people_end", site=view)

    def person(self, person: PersonCard) -> str:
        return self._live("person", person=person)

    # --- parts -----------------------------------------------------------------------------------------

    def _live(self, name: str, **context: Any) -> str:
        return self._block(LivePage.template, name, **context)

    def _block(self, template: str, name: str, **context: Any) -> str:
        page = self._environment.get_template(template)
        return "".join(page.blocks[name](page.new_context(context)))


def _values(context: PageContext) -> dict[str, Any]:
    return {field.name: getattr(context, field.name) for field in fields(context)}


def _fingerprint(folder: Path) -> str:
    """Short digest of every file's content: changes when any of them does."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
