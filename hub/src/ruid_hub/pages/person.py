"""One person: where they were, why the hub believes it, and every way to correct it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from ruid_hub.api.given import Given
from ruid_hub.errors import HubError
from ruid_hub.hand import Erased, Explanation, HandError, Operation, OperationKind, OperatorHand, Spoke
from ruid_hub.observations import TrackKey
from ruid_hub.pages.frame import Frame, Notice
from ruid_hub.pages.look import AnyRequest, Form, Look, sees_all, several
from ruid_hub.pages.notices import in_all, refusal, said
from ruid_hub.pages.people import CORRECTING, LOOKALIKES, LOOKING, answered, named
from ruid_hub.pages.texts import plural
from ruid_hub.site import Site
from ruid_hub.store import Store
from ruid_hub.store import pages as reading
from ruid_hub.store.pages import PersonRow, SightingRow

SIGHTINGS_SHOWN = 60
OPERATIONS_READ = 200
OPERATIONS_SHOWN = 12
NAMED_OFFERED = 200
SPEAKS = 0.5
"""Log-odds: less than this changes an even chance by less than an eighth."""
NARROWEST_PERCENT = 0.8
MOST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Stretch:
    """One sighting on the time line, in percent of its width."""

    from_percent: float
    width_percent: float
    text: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One camera's row of the time line."""

    camera_name: str
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where somebody was, from when to when; one lane a camera, in the order of first sight."""

    from_s: float
    to_s: float
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class PersonPage:
    """What pages/person.html needs."""

    template: ClassVar[str] = "pages/person.html"

    frame: Frame
    person: PersonRow
    """`cameras` are names."""
    present: bool
    timeline: Timeline | None
    """Over the sightings on this page; None where there are none."""
    sightings: tuple[tuple[SightingRow, str], ...]
    """Each with the name of its camera, the newest first."""
    more: str
    """Where the sightings go on; empty at their end."""
    operations: tuple[Operation, ...]
    """What operators did about this person, the newest first."""
    others: tuple[tuple[str, str], ...]
    """(identity_id, name) of named people to move sightings to."""


@dataclass(frozen=True, slots=True)
class WhyPage:
    """What pages/why.html needs; the block `why` is what the person's page opens in place."""

    template: ClassVar[str] = "pages/why.html"

    frame: Frame
    explanation: Explanation | None
    """None where nothing is known any more."""
    reasons: tuple[str, ...]
    camera_name: str
    nearest_pictures: dict[TrackKey, int]
    back: str
    """The person's page."""


@get("/people/{identity_id:str}", guards=LOOKING, include_in_schema=False)
async def person_page(
    identity_id: FromPath[str],
    request: AnyRequest,
    look: Given[Look],
    site: Given[Site],
    store: Given[Store],
    hand: Given[OperatorHand],
    clock: Given[Callable[[], float]],
) -> Response[str]:
    """Everything about one person; that somebody looked is written down."""
    before_s = _number(request.query_params.get("before", ""))
    person, sightings, others = await asyncio.to_thread(_read, store, identity_id, before_s)
    if person is None:
        raise NotFoundException
    look.must_cover(*person.cameras)
    await look.note("person.look", identity_id)
    shown = [seen for seen in sightings[:SIGHTINGS_SHOWN] if look.caller.reach.covers(seen.track.camera)]
    card = next((card for card in site.view(clock(), sees=look.sees).people if card.identity_id == identity_id), None)
    page = PersonPage(
        frame=look.frame("people"),
        person=named(person, site, look),
        present=card is not None and card.present,
        timeline=timeline(shown, site, look),
        sightings=tuple((seen, site.name_of(seen.track.camera)) for seen in shown),
        more=f"/people/{identity_id}?before={shown[-1].last_s!r}" if len(sightings) > SIGHTINGS_SHOWN else "",
        operations=await _operations(hand, identity_id) if look.caller.reach.everywhere else (),
        others=tuple(
            (other.identity_id, other.label or "") for other in others if look.caller.reach.covers_any(other.cameras)
        ),
    )
    return look.page(page)


@get("/sightings/{observation_id:int}/why", guards=LOOKING, include_in_schema=False)
async def why_page(
    observation_id: FromPath[int],
    look: Given[Look],
    site: Given[Site],
    store: Given[Store],
    hand: Given[OperatorHand],
) -> Response[str]:
    """Why a sighting belongs to whom it does."""
    track, identity_id = await asyncio.to_thread(_track, store, observation_id)
    look.must_cover(track.camera)
    try:
        explanation = await _within_reach(await hand.explain(track), look)
    except HandError:
        explanation = None
    await look.note("person.look", identity_id)
    nearest = () if explanation is None else explanation.nearest
    pictures = await asyncio.to_thread(_pictures, store, [near.track for near in nearest])
    page = WhyPage(
        frame=look.frame("people"),
        explanation=explanation,
        reasons=() if explanation is None else reasons(explanation, site, look),
        camera_name=site.name_of(track.camera),
        nearest_pictures=pictures,
        back=f"/people/{identity_id}",
    )
    return look.block(page, "why") if look.partial else look.page(page)


@post("/people/{identity_id:str}/rename", guards=CORRECTING, include_in_schema=False)
async def rename(
    identity_id: FromPath[str], data: Form, look: Given[Look], hand: Given[OperatorHand]
) -> Response[None]:
    """Give a name, or take it away where the field is empty."""
    name = str(data.get("name", "")).strip()[:80]
    return await look.correct(hand.rename(identity_id, name or None, look.actor), f"/people/{identity_id}")


@post("/people/{identity_id:str}/merge", guards=CORRECTING, include_in_schema=False)
async def merge(identity_id: FromPath[str], data: Form, look: Given[Look], hand: Given[OperatorHand]) -> Response[None]:
    """Somebody else (`other`), or everybody who is `chosen`, is this person too; the others stay to be answered."""
    others = (several(data.get("other")) or several(data.get("chosen")))[:LOOKALIKES]
    await look.must_reach(*others)
    notices = [await answered(look, hand, (identity_id, other), same=True) for other in others]
    return look.go(f"/people/{identity_id}/similar", in_all(notices))


@post("/people/{identity_id:str}/sightings", guards=CORRECTING, include_in_schema=False)
async def correct_sightings(
    identity_id: FromPath[str], data: Form, look: Given[Look], store: Given[Store], hand: Given[OperatorHand]
) -> Response[None]:
    """What to `do` with the chosen sightings: `split`, `move` to `other`, or `not` this person."""
    here = f"/people/{identity_id}"
    chosen = [int(text) for text in several(data.get("sighting")) if text.isdigit()][:SIGHTINGS_SHOWN]
    if not chosen:
        return look.go(here, Notice("Choose the sightings first.", refused=True))
    tracks = await asyncio.to_thread(_tracks, store, chosen)
    for track in tracks:
        look.must_cover(track.camera)
    other_id = str(data.get("other", ""))
    if other_id:
        await look.must_reach(other_id)
    try:
        operations = await _apply(hand, str(data.get("do", "")), tracks, identity_id, other_id, look)
    except HubError as error:
        return look.go(here, refusal(error))
    if not operations:
        return look.go(here, Notice("Choose whom the sightings belong to.", refused=True))
    there = here if await asyncio.to_thread(_exists, store, identity_id) else f"/people/{operations[-1].identity_id}"
    if len(operations) > 1:
        return look.go(there, f"{len(operations)} sightings corrected. Each can be undone below.")
    return look.go(there, said(operations[-1]))


@post("/people/{identity_id:str}/erase", guards=[*CORRECTING, sees_all], include_in_schema=False)
async def erase(identity_id: FromPath[str], data: Form, look: Given[Look], hand: Given[OperatorHand]) -> Response[None]:
    """Forget a person everywhere, once `sure` is ticked."""
    if data.get("sure") != "on":
        return look.go(f"/people/{identity_id}", Notice("Tick that you are sure first.", refused=True))
    try:
        erased = await hand.erase(identity_id, look.actor)
    except HandError as error:
        return look.go(f"/people/{identity_id}", refusal(error))
    await look.note("person.erase", identity_id)
    return look.go("/people", _erased(erased))


@post("/operations/{operation_id:int}/undo", guards=CORRECTING, include_in_schema=False)
async def undo(operation_id: FromPath[int], look: Given[Look], hand: Given[OperatorHand]) -> Response[None]:
    """Take an operation back, and see the person that it was about."""
    try:
        operation = await look.noted(hand.undo(operation_id, look.actor))
    except HandError as error:
        return look.go("/people", refusal(error))
    return look.go(f"/people/{operation.other_id or operation.identity_id}", said(operation))


def reasons(explanation: Explanation, site: Site, look: Look) -> tuple[str, ...]:
    """What spoke, in plain words; nothing that names a camera out of reach."""
    told: list[str] = []
    for spoke in explanation.spoke:
        text = _reason(spoke)
        named_cameras = [camera for camera in site.cameras() if camera in text]
        if all(look.caller.reach.covers(camera) for camera in named_cameras):
            for camera in named_cameras:
                text = text.replace(camera, site.name_of(camera))
            told.append(text)
    return tuple(told)


def _reason(spoke: Spoke) -> str:
    match spoke.kind:
        case "price":
            return f"to be somebody known, a likeness of {spoke.weight:.2f} is needed here"
        case "crops":
            return f"it rests on {plural(round(spoke.weight), 'look', 'looks')} at this sighting"
        case "in view":
            return f"{plural(round(spoke.weight), 'other was', 'others were')} in view of this camera at the same time"
        case "time":
            way = "for" if spoke.weight > 0 else "against"
            how = "hardly speaks" if abs(spoke.weight) < SPEAKS else "speaks"
            return f"{spoke.text.partition(', which')[0]}, which {how} {way} the same person"
        case _:
            return spoke.text


def timeline(sightings: Sequence[SightingRow], site: Site, look: Look) -> Timeline | None:
    """The sightings as lanes; their whole time is the whole width."""
    if not sightings:
        return None
    from_s, to_s = min(seen.first_s for seen in sightings), max(seen.last_s for seen in sightings)
    width_s = max(to_s - from_s, 1.0)
    clock = look.templates.time.clock
    lanes: dict[str, list[Stretch]] = {}
    for seen in sorted(sightings, key=lambda seen: seen.first_s):
        width = max(100 * (seen.last_s - seen.first_s) / width_s, NARROWEST_PERCENT)
        stretch = Stretch(
            from_percent=round(min(100 * (seen.first_s - from_s) / width_s, 100 - width), 2),
            width_percent=round(width, 2),
            text=f"{clock(seen.first_s)} to {clock(seen.last_s)}",
        )
        lanes.setdefault(seen.track.camera, []).append(stretch)
    named_lanes = tuple(Lane(site.name_of(camera), tuple(stretches)) for camera, stretches in lanes.items())
    return Timeline(from_s, to_s, named_lanes)


async def _apply(
    hand: OperatorHand, do: str, tracks: Sequence[TrackKey], identity_id: str, other_id: str, look: Look
) -> list[Operation]:
    if do == "split":
        return [await look.noted(hand.split(identity_id, tracks, look.actor))]
    if do == "not":
        return [await look.noted(hand.not_this_person(track, identity_id, look.actor)) for track in tracks]
    if do == "move" and other_id:
        return [await look.noted(hand.move(track, other_id, look.actor)) for track in tracks]
    return []


async def _within_reach(explanation: Explanation, look: Look) -> Explanation:
    """Without the people and cameras that the caller may not see."""
    alternatives = [other for other in explanation.alternatives if await look.reaches(other.identity_id)]
    return replace(
        explanation,
        nearest=tuple(near for near in explanation.nearest if look.caller.reach.covers(near.track.camera)),
        alternatives=tuple(alternatives),
        previous=tuple([former for former in explanation.previous if await look.reaches(former.identity_id)]),
    )


async def _operations(hand: OperatorHand, identity_id: str) -> tuple[Operation, ...]:
    try:
        operations = await hand.operations(OPERATIONS_READ)
    except HandError:
        return ()
    about = [operation for operation in operations if identity_id in {operation.identity_id, operation.other_id}]
    return tuple(operation for operation in about if operation.kind is not OperationKind.ERASE)[:OPERATIONS_SHOWN]


def _erased(erased: Erased) -> Notice:
    removed = (
        f"{plural(erased.thumbnails, 'picture', 'pictures')} and {plural(erased.embeddings, 'embedding', 'embeddings')}"
    )
    return Notice(f"The person is erased: {removed} are gone, and the name. The counts stay, without a person.")


def _read(
    store: Store, identity_id: str, before_s: float | None
) -> tuple[PersonRow | None, list[SightingRow], list[PersonRow]]:
    with store.reading() as connection:
        named_ids = [known_id for known_id, _ in reading.named_people(connection, NAMED_OFFERED)]
        known = reading.persons(connection, named_ids)
        return (
            reading.person(connection, identity_id),
            reading.sightings(connection, identity_id, limit=SIGHTINGS_SHOWN + 1, before_s=before_s),
            [known[known_id] for known_id in named_ids if known_id in known and known_id != identity_id],
        )


def _exists(store: Store, identity_id: str) -> bool:
    with store.reading() as connection:
        return reading.person(connection, identity_id) is not None


def _track(store: Store, observation_id: int) -> tuple[TrackKey, str]:
    if observation_id > MOST_INTEGER:
        raise NotFoundException
    with store.reading() as connection:
        found = reading.track_of(connection, observation_id)
    if found is None or found[1] is None:
        raise NotFoundException
    return found[0], found[1]


def _tracks(store: Store, observation_ids: Sequence[int]) -> list[TrackKey]:
    return [_track(store, observation_id)[0] for observation_id in observation_ids]


def _pictures(store: Store, tracks: Sequence[TrackKey]) -> dict[TrackKey, int]:
    with store.reading() as connection:
        return reading.pictures_of(connection, tracks)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
