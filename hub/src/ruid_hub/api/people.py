"""People, their sightings, and what operators decide about them."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated

from litestar import Controller, delete, get, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery, JSONBody, PathParameter, QueryParameter
from litestar.response import Stream

from ruid_hub.access import Audit, Caller, Permit, Role
from ruid_hub.api.exports import Format, FormatAsked, columns_of, exported
from ruid_hub.api.given import Given
from ruid_hub.api.guards import everywhere, requires, within
from ruid_hub.api.paging import Cursor, Limit, cursor_of, place_in
from ruid_hub.api.reach import allowed_cameras
from ruid_hub.hand import Erased, Explanation, Likeness, Operation, OperatorHand, Suggestion
from ruid_hub.observations import TrackKey
from ruid_hub.site import Site
from ruid_hub.store import Store, pages
from ruid_hub.store.access import SightingExport, sighting_rows
from ruid_hub.store.by_person import cameras_of
from ruid_hub.store.pages import PeopleFilter, PersonRow, SightingRow

READING = [requires(Role.VIEWER, Permit.PEOPLE_READ)]
CORRECTING = [requires(Role.OPERATOR, Permit.PEOPLE_WRITE)]

PersonId = Annotated[str, PathParameter(max_length=64, description="identity_id of a person")]
SightingId = Annotated[
    int, PathParameter(ge=1, le=2**63 - 1, description="observation_id of any observation of the sighting")
]
Moment = Annotated[float | None, QueryParameter(ge=0, le=1e11, description="Seconds since the Unix epoch")]


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """The last seen first; `next` is the cursor of the page after it."""

    items: list[PersonRow]
    next: str | None


@dataclass(frozen=True, slots=True)
class SightingsPage:
    """The newest first."""

    items: list[SightingRow]
    next: str | None


@dataclass(frozen=True, slots=True)
class OperationsPage:
    """The newest first."""

    items: list[Operation]
    next: str | None


@dataclass(frozen=True, slots=True)
class NewName:
    """None or empty takes the name away."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class OtherPerson:
    """Who is meant; None for somebody new, where that makes sense."""

    identity_id: str | None = None


@dataclass(frozen=True, slots=True)
class Sightings:
    """observation_ids of sightings."""

    sightings: list[int]


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the two are one person."""

    first_id: str
    second_id: str
    same: bool


class PeopleController(Controller):
    """Who was seen; every look at one person is in the audit."""

    path = "/api/v1/people"
    tags = ("people",)

    @get("/", guards=READING)
    async def people(  # noqa: PLR0913, PLR0917 - a query has as many parts
        self,
        store: Given[Store],
        site: Given[Site],
        caller: Given[Caller],
        text: Annotated[str, QueryParameter(max_length=200, description="Part of the name")] = "",
        named: FromQuery[bool] = False,  # noqa: FBT002 - a query's parameter
        camera: Annotated[str | None, QueryParameter(max_length=200)] = None,
        since_s: Moment = None,
        until_s: Moment = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> PeoplePage:
        """Everybody, the last seen first."""
        allowed = allowed_cameras(caller, site)
        wanted = PeopleFilter(text=text, named=named, camera=camera, since_s=since_s, until_s=until_s, cameras=allowed)
        place = place_in(cursor, float, int)

        def read() -> PeoplePage:
            with store.reading() as connection:
                found, after = pages.people(connection, wanted, limit=limit, after=place)  # pyright: ignore
            shown = [_as_seen_by(person, caller) for person in found]
            return PeoplePage(shown, cursor_of(*after) if after else None)

        return await asyncio.to_thread(read)

    @get("/{identity_id:str}", guards=READING)
    async def person(
        self, identity_id: PersonId, store: Given[Store], caller: Given[Caller], audit: Given[Audit]
    ) -> PersonRow:
        """One person."""

        def read() -> PersonRow | None:
            with store.reading() as connection:
                found = pages.person(connection, identity_id)
            if found is not None:
                audit.record(caller, "person.look", identity_id)
            return found

        found = await asyncio.to_thread(read)
        if found is None:
            raise NotFoundException("There is nobody with this identity.")
        return _as_seen_by(found, caller)

    @get("/{identity_id:str}/sightings", guards=READING)
    async def sightings(
        self,
        identity_id: PersonId,
        store: Given[Store],
        caller: Given[Caller],
        audit: Given[Audit],
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> SightingsPage:
        """Where a person was when, the newest first."""
        place = place_in(cursor, float, int)

        def read() -> SightingsPage:
            with store.reading() as connection:
                found = pages.sightings(connection, identity_id, limit=limit, after=place)  # pyright: ignore
            audit.record(caller, "person.look", identity_id)
            shown = [sighting for sighting in found if caller.reach.covers(sighting.track.camera)]
            last = found[-1] if len(found) == limit else None
            return SightingsPage(shown, cursor_of(last.last_s, last.observation_id) if last else None)

        return await asyncio.to_thread(read)

    @get("/{identity_id:str}/similar", guards=READING)
    async def similar(
        self, identity_id: PersonId, store: Given[Store], hand: Given[OperatorHand], caller: Given[Caller]
    ) -> list[Likeness]:
        """Who looks most like this person."""
        return await reachable(await hand.similar(identity_id), store, caller)

    @put("/{identity_id:str}/name", guards=CORRECTING)
    async def rename(
        self,
        identity_id: PersonId,
        data: JSONBody[NewName],
        hand: Given[OperatorHand],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> Operation:
        """Give a person a name, or take it away."""
        name = (data.name or "").strip()[:80]
        operation = await hand.rename(identity_id, name or None, caller.name)
        return await _audited(audit, caller, operation)

    @post("/{identity_id:str}/merge", guards=CORRECTING, status_code=200)
    async def merge(
        self,
        identity_id: PersonId,
        data: JSONBody[OtherPerson],
        store: Given[Store],
        hand: Given[OperatorHand],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> Operation:
        """The other one is this person too."""
        await _must_reach(data.identity_id or "", store, caller)
        return await _audited(audit, caller, await hand.merge(identity_id, data.identity_id or "", caller.name))

    @post("/{identity_id:str}/split", guards=CORRECTING, status_code=200)
    async def split(
        self,
        identity_id: PersonId,
        data: JSONBody[Sightings],
        store: Given[Store],
        hand: Given[OperatorHand],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> Operation:
        """These sightings are somebody else, together: the new person."""
        tracks = [await _track(observation_id, store, caller) for observation_id in data.sightings[:500]]
        return await _audited(audit, caller, await hand.split(identity_id, tracks, caller.name))

    @delete("/{identity_id:str}", guards=CORRECTING, status_code=200)
    async def erase(
        self, identity_id: PersonId, hand: Given[OperatorHand], caller: Given[Caller], audit: Given[Audit]
    ) -> Erased:
        """Forget a person for good: embeddings, pictures and name. Cannot be undone."""
        everywhere(caller)
        erased = await hand.erase(identity_id, caller.name)
        await asyncio.to_thread(audit.record, caller, "person.erase", identity_id)
        return erased


class SightingsController(Controller):
    """Single sightings, named by the observation_id of any of their observations."""

    path = "/api/v1/sightings"
    tags = ("people",)

    @get("/", guards=READING, sync_to_thread=False)
    def export(
        self,
        store: Given[Store],
        site: Given[Site],
        caller: Given[Caller],
        audit: Given[Audit],
        clock: Given[Callable[[], float]],
        from_s: Annotated[float, QueryParameter(ge=0, le=1e11)] = 0.0,
        to_s: Annotated[float, QueryParameter(ge=0, le=1e11)] = 1e11,
        form: FormatAsked = Format.JSON,
    ) -> Stream:
        """Every sighting that ended in a period, by time: where, when, who, how sure."""
        allowed = allowed_cameras(caller, site)

        def rows() -> Iterator[object]:
            audit.record(caller, "sightings.export", f"{from_s:.0f}-{to_s:.0f}")
            with store.reading() as connection:
                yield from sighting_rows(connection, from_s=from_s, to_s=to_s, allowed=allowed)

        return exported(rows(), columns_of(SightingExport), form, name="sightings")

    @get("/{observation_id:int}/why", guards=READING)
    async def why(
        self, observation_id: SightingId, store: Given[Store], hand: Given[OperatorHand], caller: Given[Caller]
    ) -> Explanation:
        """Why a sighting belongs to whom it does."""
        explanation = await hand.explain(await _track(observation_id, store, caller))
        if caller.reach.everywhere:
            return explanation
        return replace(
            explanation,
            nearest=tuple(near for near in explanation.nearest if caller.reach.covers(near.track.camera)),
            alternatives=tuple(await reachable(list(explanation.alternatives), store, caller)),
        )

    @get("/{observation_id:int}/similar", guards=READING)
    async def similar(
        self, observation_id: SightingId, store: Given[Store], hand: Given[OperatorHand], caller: Given[Caller]
    ) -> list[Likeness]:
        """Who looks most like this sighting: search by example."""

        def read() -> object:
            with store.reading() as connection:
                return pages.embedding_of(connection, observation_id)

        embedding = await asyncio.to_thread(read)
        if embedding is None:
            raise NotFoundException("What this sighting looked like has expired.")
        return await reachable(await hand.search_by_embedding(embedding), store, caller)  # pyright: ignore

    @post("/{observation_id:int}/move", guards=CORRECTING, status_code=200)
    async def move(
        self,
        observation_id: SightingId,
        data: JSONBody[OtherPerson],
        store: Given[Store],
        hand: Given[OperatorHand],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> Operation:
        """The sighting belongs to another person, or to somebody new."""
        if data.identity_id is not None:
            await _must_reach(data.identity_id, store, caller)
        track = await _track(observation_id, store, caller)
        return await _audited(audit, caller, await hand.move(track, data.identity_id, caller.name))

    @post("/{observation_id:int}/not-this-person", guards=CORRECTING, status_code=200)
    async def not_this_person(
        self,
        observation_id: SightingId,
        data: JSONBody[OtherPerson],
        store: Given[Store],
        hand: Given[OperatorHand],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> Operation:
        """The sighting is not this person, now or later."""
        await _must_reach(data.identity_id or "", store, caller)
        track = await _track(observation_id, store, caller)
        return await _audited(audit, caller, await hand.not_this_person(track, data.identity_id or "", caller.name))


class CorrectionsController(Controller):
    """What operators did, what they may be asked, and the way back; for callers who see every camera."""

    path = "/api/v1"
    tags = ("people",)

    @get("/operations", guards=READING)
    async def operations(
        self, hand: Given[OperatorHand], caller: Given[Caller], limit: Limit = 50, cursor: Cursor = None
    ) -> OperationsPage:
        """The newest first."""
        everywhere(caller)
        place = place_in(cursor, int)
        found = await hand.operations(limit, before=place[0] if place else None)
        return OperationsPage(found, cursor_of(found[-1].operation_id) if len(found) == limit else None)

    @post("/operations/{operation_id:int}/undo", guards=CORRECTING, status_code=200)
    async def undo(
        self,
        operation_id: Annotated[int, PathParameter(ge=1, le=2**63 - 1)],
        hand: Given[OperatorHand],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> Operation:
        """Take an operation back."""
        operation = await hand.undo(operation_id, caller.name)
        await asyncio.to_thread(audit.record, caller, "person.undo", operation.identity_id)
        return operation

    @get("/suggestions", guards=READING)
    async def suggestions(
        self,
        hand: Given[OperatorHand],
        caller: Given[Caller],
        limit: Annotated[int, QueryParameter(ge=1, le=100)] = 20,
    ) -> list[Suggestion]:
        """Pairs that may be one person, the likeliest first."""
        everywhere(caller)
        return await hand.suggestions(limit)

    @post("/suggestions", guards=CORRECTING, status_code=200)
    async def decide(
        self, data: JSONBody[Answer], hand: Given[OperatorHand], caller: Given[Caller], audit: Given[Audit]
    ) -> Operation:
        """Say whether a pair is one person; it is not asked again."""
        everywhere(caller)
        operation = await hand.decide_suggestion(data.first_id, data.second_id, caller.name, same=data.same)
        return await _audited(audit, caller, operation)


async def _audited(audit: Audit, caller: Caller, operation: Operation) -> Operation:
    detail = {"operation_id": operation.operation_id, "other_id": operation.other_id}
    action = f"person.{operation.kind.value}"
    await asyncio.to_thread(audit.record, caller, action, operation.identity_id, detail)
    return operation


async def _must_reach(identity_id: str, store: Store, caller: Caller) -> None:
    if not caller.reach.everywhere:
        within(caller, *await asyncio.to_thread(_seen_by, store, identity_id))


async def reachable(found: list[Likeness], store: Store, caller: Caller) -> list[Likeness]:
    if caller.reach.everywhere:
        return found
    seen_by = [await asyncio.to_thread(_seen_by, store, likeness.identity_id) for likeness in found]
    return [likeness for likeness, cameras in zip(found, seen_by, strict=True) if caller.reach.covers_any(cameras)]


def _seen_by(store: Store, identity_id: str) -> list[str]:
    with store.reading() as connection:
        return cameras_of(connection, identity_id)


async def _track(observation_id: int, store: Store, caller: Caller) -> TrackKey:
    def read() -> tuple[TrackKey, str | None] | None:
        with store.reading() as connection:
            return pages.track_of(connection, observation_id)

    if not 0 < observation_id < 2**63:
        raise NotFoundException
    found = await asyncio.to_thread(read)
    if found is None:
        raise NotFoundException("There is no such sighting.")
    within(caller, found[0].camera)
    return found[0]


def _as_seen_by(person: PersonRow, caller: Caller) -> PersonRow:
    """Without the places, and the picture, of cameras that are out of reach."""
    if caller.reach.everywhere:
        return person
    cameras = tuple(camera for camera in person.cameras if caller.reach.covers(camera))
    return replace(person, cameras=cameras, thumbnail_id=person.thumbnail_id if cameras == person.cameras else None)
