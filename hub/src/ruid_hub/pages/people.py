"""People: who was seen, who looks like whom, and pairs that may be one person."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from ruid_hub.access import Role
from ruid_hub.api.given import Given
from ruid_hub.api.guards import requires
from ruid_hub.hand import HandError, Likeness, OperatorHand, Suggestion
from ruid_hub.pages.frame import Frame, Notice
from ruid_hub.pages.look import AnyRequest, Form, Look, several
from ruid_hub.pages.notices import in_all, refusal, said
from ruid_hub.pages.texts import SiteTime
from ruid_hub.site import Site
from ruid_hub.store import Store
from ruid_hub.store import pages as reading
from ruid_hub.store.pages import Cursor, PeopleFilter, PersonRow

PEOPLE_SHOWN = 24
LOOKALIKES = 12
SUGGESTIONS = 20
LEAST_LIKELY = 0.1
"""Pairs below it are hardly ever one person: nobody is asked about them."""
PERIODS = {"": None, "hour": 3600.0, "day": 86_400.0, "week": 7 * 86_400.0}
BETWEEN = "between"
"""Chosen where two times are given instead of a period."""
TEXT = 80
EXPIRED = Notice("What this sighting looked like has expired, so nothing can be compared with it.", refused=True)
LOOKING = [requires(Role.VIEWER)]
OWN_ACCOUNT = [requires(Role.VIEWER, own_account=True)]
CORRECTING = [requires(Role.OPERATOR)]


@dataclass(frozen=True, slots=True)
class PeopleQuery:
    """What the filters above the list say."""

    text: str = ""
    seen: str = ""
    """A key of PERIODS, or BETWEEN."""
    since: str = ""
    until: str = ""
    """For BETWEEN: times as the browser's field for them writes them, on the site's clock; empty for any."""
    camera: str = ""
    named: bool = False
    several: bool = False

    def filter(self, time: SiteTime, cameras: frozenset[str] | None) -> PeopleFilter:
        """The same for the store, within some cameras."""
        period_s = PERIODS.get(self.seen)
        between = self.seen == BETWEEN
        return PeopleFilter(
            text=self.text,
            named=self.named,
            several_cameras=self.several,
            camera=self.camera or None,
            since_s=time.read(self.since) if between else None if period_s is None else time.now_s() - period_s,
            until_s=time.read(self.until) if between else None,
            cameras=cameras,
        )

    def address(self, after: Cursor | None = None) -> str:
        """Where this list is, or how it goes on."""
        asked = {name: getattr(self, name) for name in ("text", "seen", "since", "until", "camera")}
        asked |= {name: "on" for name in ("named", "several") if getattr(self, name)}
        if after is not None:
            asked["after"] = f"{after[0]!r}:{after[1]}"
        chosen = {name: value for name, value in asked.items() if value}
        return f"/people?{urlencode(chosen)}" if chosen else "/people"


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """What pages/people.html needs; the block `list` is rendered alone as filters change."""

    template: ClassVar[str] = "pages/people.html"

    frame: Frame
    query: PeopleQuery
    people: tuple[PersonRow, ...]
    """Their `cameras` are names."""
    present: frozenset[str]
    """Identities that are in view now."""
    cameras: tuple[tuple[str, str], ...]
    """(camera, name) to choose from."""
    more: str
    """Where the list goes on; empty at its end."""
    pairs: int
    """How many likely pairs the page of pairs shows."""
    more_pairs: bool
    """Others wait behind these, the likeliest."""


@dataclass(frozen=True, slots=True)
class Lookalike:
    """Somebody who looks like the example."""

    person: PersonRow
    probability: float
    similarity: float


@dataclass(frozen=True, slots=True)
class LookalikesPage:
    """What pages/lookalikes.html needs."""

    template: ClassVar[str] = "pages/lookalikes.html"

    frame: Frame
    example: PersonRow | None
    """Who is looked for; None where the sighting belongs to nobody."""
    example_picture: int | None
    given_picture: str
    """Who is looked for, cut out of a picture that somebody brought along, as an address; else empty."""
    found: tuple[Lookalike, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people who may be one."""

    first: PersonRow
    second: PersonRow
    probability: float


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """What pages/review.html needs."""

    template: ClassVar[str] = "pages/review.html"

    frame: Frame
    pairs: tuple[Pair, ...]
    """The likeliest first."""
    more: bool
    """Others come up once these are answered."""


@get("/people", guards=LOOKING, include_in_schema=False)
async def people_page(
    request: AnyRequest,
    look: Given[Look],
    site: Given[Site],
    store: Given[Store],
    hand: Given[OperatorHand],
    clock: Given[Callable[[], float]],
) -> Response[str]:
    """The list, or only the part of it that filters change."""
    asked = request.query_params
    query = _query(asked)
    if query.camera:
        look.must_cover(query.camera)
    wanted = query.filter(look.templates.time, reachable_cameras(look, site))
    rows, more = await asyncio.to_thread(_people, store, wanted, _cursor(asked.get("after", "")))
    view = site.view(clock(), sees=look.sees)
    pairs = await _pairs(look, hand, store, site)
    page = PeoplePage(
        frame=look.frame("people"),
        query=query,
        people=tuple(named(row, site, look) for row in rows),
        present=frozenset(card.identity_id for card in view.people if card.present),
        cameras=tuple((seen.camera, seen.name) for seen in view.cameras),
        more="" if more is None else query.address(more),
        pairs=len(pairs[:SUGGESTIONS]),
        more_pairs=len(pairs) > SUGGESTIONS,
    )
    return look.block(page, "list") if look.partial else look.page(page)


@get("/people/{identity_id:str}/similar", guards=LOOKING, include_in_schema=False)
async def lookalikes_page(
    identity_id: FromPath[str],
    look: Given[Look],
    site: Given[Site],
    store: Given[Store],
    hand: Given[OperatorHand],
) -> Response[str]:
    """Who looks like a person, the likeliest first."""
    example = await asyncio.to_thread(_person, store, identity_id)
    if example is None:
        raise NotFoundException
    look.must_cover(*example.cameras)
    found, notice = await shown_lookalikes(hand.similar(identity_id, LOOKALIKES), look, site)
    page = LookalikesPage(
        frame=look.frame("people", notice),
        example=named(example, site, look),
        example_picture=named(example, site, look).thumbnail_id,
        given_picture="",
        found=found,
    )
    return look.page(page)


@get("/sightings/{observation_id:int}/similar", guards=LOOKING, include_in_schema=False)
async def sighting_lookalikes_page(
    observation_id: FromPath[int], look: Given[Look], site: Given[Site], store: Given[Store], hand: Given[OperatorHand]
) -> Response[str]:
    """Who looks like one sighting, the likeliest first."""
    sighting = await asyncio.to_thread(_sighting, store, observation_id)
    if sighting is None:
        raise NotFoundException
    track, identity_id, embedding = sighting
    look.must_cover(track.camera)
    found, notice = (), EXPIRED
    if embedding is not None:
        found, notice = await shown_lookalikes(hand.search_by_embedding(embedding, LOOKALIKES), look, site)
    example = await asyncio.to_thread(_person, store, identity_id or "")
    page = LookalikesPage(
        frame=look.frame("people", notice),
        example=None if example is None else named(example, site, look),
        example_picture=observation_id,
        given_picture="",
        found=found,
    )
    return look.page(page)


@get("/people/review", guards=CORRECTING, include_in_schema=False)
async def review_page(
    look: Given[Look], site: Given[Site], store: Given[Store], hand: Given[OperatorHand]
) -> Response[str]:
    """Pairs that may be one person."""
    pairs = await _pairs(look, hand, store, site)
    return look.page(ReviewPage(look.frame("people"), pairs[:SUGGESTIONS], more=len(pairs) > SUGGESTIONS))


@post("/people/review", guards=CORRECTING, include_in_schema=False)
async def answer_review(data: Form, look: Given[Look], hand: Given[OperatorHand]) -> Response[None]:
    """One pair answered by its own button, or every chosen pair by the button below."""
    answer, _, only = str(data.get("answer", "")).partition(" ")
    chosen = [only] if only else several(data.get("pair"))
    pairs = [(first_id, second_id) for first_id, _, second_id in (pair.partition(":") for pair in chosen[:SUGGESTIONS])]
    await look.must_reach(*(identity_id for pair in pairs for identity_id in pair))
    notices = [await answered(look, hand, pair, same=answer == "same") for pair in pairs]
    return look.go("/people/review", in_all(notices))


async def answered(look: Look, hand: OperatorHand, pair: tuple[str, str], *, same: bool) -> Notice:
    """Decide whether a pair is one person; says what became of it."""
    try:
        return said(await look.noted(hand.decide_suggestion(*pair, look.actor, same=same)))
    except HandError as error:
        return refusal(error)


def named(row: PersonRow, site: Site, look: Look) -> PersonRow:
    """The same person with the names of the cameras that the caller may see; no picture, where others saw them too."""
    seen_by = tuple(key for key in row.cameras if look.caller.reach.covers(key))
    picture = row.thumbnail_id if seen_by == row.cameras else None
    return replace(row, cameras=tuple(site.name_of(key) for key in seen_by), thumbnail_id=picture)


def reachable_cameras(look: Look, site: Site) -> frozenset[str] | None:
    """The cameras that a caller may see; None for all of them."""
    if look.caller.reach.everywhere:
        return None
    return frozenset(key for key in site.cameras() if look.caller.reach.covers(key))


def _query(asked: Any) -> PeopleQuery:
    seen = asked.get("seen", "")
    return PeopleQuery(
        text=asked.get("text", "").strip()[:TEXT],
        seen=seen if seen in {*PERIODS, BETWEEN} else "",
        since=asked.get("since", "")[:TEXT] if seen == BETWEEN else "",
        until=asked.get("until", "")[:TEXT] if seen == BETWEEN else "",
        camera=asked.get("camera", ""),
        named="named" in asked,
        several="several" in asked,
    )


def _cursor(text: str) -> Cursor | None:
    last_s, _, key = text.partition(":")
    try:
        return float(last_s), int(key)
    except ValueError:
        return None


def _people(store: Store, wanted: PeopleFilter, after: Cursor | None) -> tuple[list[PersonRow], Cursor | None]:
    with store.reading() as connection:
        return reading.people(connection, wanted, limit=PEOPLE_SHOWN, after=after)


def _person(store: Store, identity_id: str) -> PersonRow | None:
    with store.reading() as connection:
        return reading.person(connection, identity_id)


def _sighting(store: Store, observation_id: int) -> tuple[Any, str | None, Any] | None:
    with store.reading() as connection:
        track = reading.track_of(connection, observation_id)
        return None if track is None else (*track, reading.embedding_of(connection, observation_id))


def _lookalikes(store: Store, likenesses: Sequence[Likeness]) -> list[Lookalike]:
    with store.reading() as connection:
        known = reading.persons(connection, [likeness.identity_id for likeness in likenesses])
    return [
        Lookalike(known[likeness.identity_id], likeness.probability, likeness.similarity)
        for likeness in likenesses
        if likeness.identity_id in known
    ]


async def shown_lookalikes(
    search: Awaitable[list[Likeness]], look: Look, site: Site
) -> tuple[tuple[Lookalike, ...], Notice | None]:
    """Of those whom a search finds, the ones within the caller's reach; or why it was refused."""
    try:
        likenesses = await search
    except HandError as error:
        return (), refusal(error)
    found = await asyncio.to_thread(_lookalikes, look.store, likenesses)
    within_reach = (likeness for likeness in found if look.caller.reach.covers_any(likeness.person.cameras))
    return tuple(replace(likeness, person=named(likeness.person, site, look)) for likeness in within_reach), None


async def _pairs(look: Look, hand: OperatorHand, store: Store, site: Site) -> tuple[Pair, ...]:
    """The likeliest, one more than are shown: its being there says that there are others."""
    try:
        suggestions = await hand.suggestions(SUGGESTIONS + 1)
    except HandError:
        return ()
    known = await asyncio.to_thread(_both, store, suggestions)
    return tuple(
        Pair(named(first, site, look), named(second, site, look), suggestion.probability)
        for suggestion in suggestions
        if suggestion.probability >= LEAST_LIKELY
        and (first := known.get(suggestion.first_id)) is not None
        and (second := known.get(suggestion.second_id)) is not None
        and look.caller.reach.covers_any(first.cameras)
        and look.caller.reach.covers_any(second.cameras)
    )


def _both(store: Store, suggestions: Sequence[Suggestion]) -> dict[str, PersonRow]:
    wanted = {identity for pair in suggestions for identity in (pair.first_id, pair.second_id)}
    with store.reading() as connection:
        return reading.persons(connection, sorted(wanted))
