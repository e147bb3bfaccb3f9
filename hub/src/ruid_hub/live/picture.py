"""Fragments of the live page and the revision at which each last changed; no clock, no sockets."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Generic, Protocol, TypeVar

from ruid_hub.site import CameraView, PersonCard, SiteView

ANNOUNCE_EVERY_S = 5.0
"""A screen reader that heard every change would never stop talking."""

CARDS_SHOWN = 60
"""Cards on a page; the live picture knows more, and the page says how many."""

UPDATES_KEPT = 32
"""Pages come from few different revisions, unless they hardly read at all."""
PIECES_KEPT = 1024
"""Tiles, and as many cards."""

Item = TypeVar("Item", bound=Hashable)


class Renderer(Protocol):
    """Blocks of the live page's template; ruid_hub.pages.rendering has the real one."""

    def title(self, view: SiteView) -> str:
        """The whole `<title>` element."""
        ...

    def summary(self, view: SiteView) -> str:
        """Inside of `#summary`."""
        ...

    def announcement(self, view: SiteView) -> str:
        """Inside of `#announcement`: one sentence for screen readers."""
        ...

    def cameras_end(self, view: SiteView) -> str:
        """What stands in `#cameras` after the tiles: that there are none."""
        ...

    def camera(self, camera: CameraView) -> str:
        """One tile, an element whose id is `element_id("camera", camera.camera)`."""
        ...

    def people_end(self, view: SiteView) -> str:
        """What stands in `#people` after the cards: how many more there are, or that there are none."""
        ...

    def person(self, person: PersonCard) -> str:
        """One card, an element whose id is `element_id("person", person.identity_id)`."""
        ...


def element_id(kind: str, key: str) -> str:
    """An id for an element that is safe whatever the key holds."""
    return f"{kind}-{blake2b(key.encode(), digest_size=6).hexdigest()}"


class Pieces:
    """Tiles and cards, each drawn once for the pictures of all reaches."""

    def __init__(self, renderer: Renderer) -> None:
        self._cameras = lru_cache(PIECES_KEPT)(renderer.camera)
        self._people = lru_cache(PIECES_KEPT)(renderer.person)

    def camera(self, camera: CameraView) -> str:
        """One tile."""
        return self._cameras(camera)

    def person(self, person: PersonCard) -> str:
        """One card."""
        return self._people(person)

    def clear(self) -> None:
        """Forget them: texts for people say another thing on another day."""
        self._cameras.cache_clear()
        self._people.cache_clear()


class LivePicture:
    """What every open page shows; `revision` goes up by one whenever anything of it differs."""

    def __init__(self, renderer: Renderer, pieces: Pieces | None = None) -> None:
        self.revision = 0
        self._renderer = renderer
        pieces = Pieces(renderer) if pieces is None else pieces
        self._summary = _Text("summary")
        self._announcement = _Text("announcement")
        self._announced_at_s = float("-inf")
        self._cameras = _List[CameraView]("cameras", "camera", lambda camera: camera.camera, pieces.camera)
        self._people = _List[PersonCard]("people", "person", lambda person: person.identity_id, pieces.person)
        self._updates: dict[int, bytes] = {}

    def update(self, view: SiteView, at_s: float) -> bool:
        """Take in a new view; True where the pages have something to learn."""
        revision = self.revision + 1
        renderer = self._renderer
        changed = [
            self._summary.update(renderer.title(view) + _inner("summary", renderer.summary(view)), revision),
            self._cameras.update(view.cameras, renderer.cameras_end(view), revision),
            self._people.update(view.people[:CARDS_SHOWN], renderer.people_end(view), revision),
            self._announce(view, at_s, revision),
        ]
        if not any(changed):
            return False
        self.revision = revision
        self._updates.clear()
        return True

    def since(self, revision: int) -> bytes:
        """One server-sent event that brings a page from a revision to the newest; 0 brings everything.

        Pages at the same revision share the same bytes.
        """
        if revision not in self._updates:
            while len(self._updates) >= UPDATES_KEPT:
                del self._updates[next(iter(self._updates))]
            parts = [
                *self._summary.since(revision),
                *self._cameras.since(revision),
                *self._people.since(revision),
                *self._announcement.since(revision),
            ]
            self._updates[revision] = event("".join(parts), event_id=str(self.revision))
        return self._updates[revision]

    def _announce(self, view: SiteView, at_s: float, revision: int) -> bool:
        if at_s - self._announced_at_s < ANNOUNCE_EVERY_S:
            return False
        html = _inner("announcement", self._renderer.announcement(view))
        changed = self._announcement.update(html, revision)
        if changed:
            self._announced_at_s = at_s
        return changed


class _Text:
    """One region that is rendered as a whole."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._html = ""
        self._revision = 0

    def update(self, html: str, revision: int) -> bool:
        if html == self._html:
            return False
        self._html, self._revision = html, revision
        return True

    def since(self, revision: int) -> list[str]:
        return [self._html] if self._revision > revision else []


@dataclass(slots=True)
class _Member(Generic[Item]):
    item: Item
    html: str
    revision: int


class _List(Generic[Item]):
    """A region of many: members travel alone while the list keeps its order, and together when it does not."""

    def __init__(self, name: str, kind: str, key_of: Callable[[Item], str], render: Callable[[Item], str]) -> None:
        self._name = name
        self._kind = kind
        self._key_of = key_of
        self._render = render
        self._members: dict[str, _Member[Item]] = {}
        self._skeleton: Hashable = None
        self._skeleton_revision = 0
        self._end = ""

    def update(self, items: tuple[Item, ...], end: str, revision: int) -> bool:
        former, self._members = self._members, {}
        changed = False
        for item in items:
            key = self._key_of(item)
            member = self._refreshed(former.get(key), item, revision)
            self._members[key] = member
            changed = changed or member.revision == revision
        self._end = end
        skeleton = (*self._members, end)
        if skeleton != self._skeleton:
            self._skeleton, self._skeleton_revision, changed = skeleton, revision, True
        return changed

    def since(self, revision: int) -> list[str]:
        if self._skeleton_revision > revision:
            return [_inner(self._name, "".join(member.html for member in self._members.values()) + self._end)]
        return [
            _outer(element_id(self._kind, key), member.html)
            for key, member in self._members.items()
            if member.revision > revision
        ]

    def _refreshed(self, held: _Member[Item] | None, item: Item, revision: int) -> _Member[Item]:
        if held is not None and held.item == item:
            return held
        html = self._render(item)
        if held is not None and held.html == html:
            return _Member(item, html, held.revision)
        return _Member(item, html, revision)


def event(html: str, *, event_id: str) -> bytes:
    """Server-sent event with unnamed data, which htmx swaps in."""
    lines = "".join(f"data: {line}\n" for line in html.splitlines() if line.strip())
    return f"id: {event_id}\n{lines}\n".encode()


def _inner(name: str, html: str) -> str:
    return f'<hx-partial id="{name}" hx-swap="innerMorph">{html}</hx-partial>'


def _outer(name: str, html: str) -> str:
    return f'<hx-partial id="{name}" hx-swap="outerMorph">{html}</hx-partial>'
