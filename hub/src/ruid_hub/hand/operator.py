"""What an operator can do about identities, as pages and API call it."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ruid_hub.hand.corrections import Corrected, Corrections
from ruid_hub.hand.values import Erased, Explanation, Likeness, Operation, Suggestion
from ruid_hub.observations import TrackKey

RECONSIDERED_EVERY_S = 10.0
"""Looking for pairs takes tens of milliseconds in which nothing is committed."""


class Worker(Protocol):
    """Runs work on the one thread that owns the identity engine."""

    def __call__(self, work: Callable[[], Any], /) -> Awaitable[Any]:
        """Run it, and give what it returns."""
        ...


class OperatorHand:
    """Corrections, each durable on return, shown on open pages, and (but for erasing) to be undone.

    Await from the event loop. `actor` is the name of the signed-in user, for the audit trail. Every method may
    raise a `HandError`, and then nothing has changed.
    """

    def __init__(self, *, corrections: Corrections, in_worker: Worker, show: Callable[[Corrected], None]) -> None:
        self._corrections = corrections
        self._in_worker = in_worker
        self._show = show
        self._suggested: tuple[int, list[Suggestion]] | None = None
        self._suggested_at_s = 0.0
        self._outdated = False
        self._thought = 0

    async def rename(self, identity_id: str, name: str | None, actor: str) -> Operation:
        """Give a person a name, or take it away (None or blank)."""
        return await self._correct(lambda: self._corrections.rename(identity_id, name, actor))

    async def merge(self, kept_id: str, merged_id: str, actor: str) -> Operation:
        """The two are one person, called `kept_id` from now on; they are never taken apart by themselves."""
        return await self._correct(lambda: self._corrections.merge(kept_id, merged_id, actor))

    async def split(self, identity_id: str, tracks: Sequence[TrackKey], actor: str) -> Operation:
        """These sightings are somebody else, together; `Operation.identity_id` is the new person."""
        return await self._correct(lambda: self._corrections.split(identity_id, tuple(tracks), actor))

    async def move(self, track: TrackKey, identity_id: str | None, actor: str) -> Operation:
        """One sighting belongs to another person, or to somebody new (None)."""
        return await self._correct(lambda: self._corrections.move(track, identity_id, actor))

    async def not_this_person(self, track: TrackKey, identity_id: str, actor: str) -> Operation:
        """The sighting is not this person, now or later; the hub decides anew who it is."""
        return await self._correct(lambda: self._corrections.not_this_person(track, identity_id, actor))

    async def undo(self, operation_id: int, actor: str) -> Operation:
        """Take an operation back; returns it as undone. Raises `LaterOperations` where others build on it."""
        return await self._correct(lambda: self._corrections.undo(operation_id, actor))

    async def operations(self, limit: int = 50, before: int | None = None) -> list[Operation]:
        """The audit trail, newest first; `before` is the last operation_id of the page before."""
        return await self._in_worker(lambda: self._corrections.operations(limit, before))

    async def suggestions(self, limit: int = 20) -> list[Suggestion]:
        """Pairs that may be one person, the likeliest first; what was decided is not asked again.

        They are looked for again after a correction, and ten seconds later at the most once the hub has thought
        again about who is who (`reconsider`).
        """
        due = self._outdated and time.monotonic() - self._suggested_at_s >= RECONSIDERED_EVERY_S
        if due or self._suggested is None or self._suggested[0] < limit:
            thought, self._outdated, self._suggested_at_s = self._thought, False, time.monotonic()
            found: list[Suggestion] = await self._in_worker(lambda: self._corrections.suggestions(limit))
            if thought != self._thought:
                return found
            self._suggested = (limit, found)
        return self._suggested[1][:limit]

    def reconsider(self) -> None:
        """The hub has thought again about who is who: what it suggested may be out of date."""
        self._outdated = True

    def _forget(self) -> None:
        """An operator has decided: nothing that it answers may be asked again."""
        self._suggested = None
        self._thought += 1

    async def decide_suggestion(self, first_id: str, second_id: str, actor: str, *, same: bool) -> Operation:
        """Answer a suggestion: merge the second into the first, or keep them two for ever."""
        decide = self._corrections.merge if same else self._corrections.different
        return await self._correct(lambda: decide(first_id, second_id, actor))

    async def erase(self, identity_id: str, actor: str) -> Erased:
        """Forget a person: embeddings, pictures and name go from memory and disk. Cannot be undone."""
        erased, corrected = await self._in_worker(lambda: self._corrections.erase(identity_id, actor))
        self._forget()
        self._show(corrected)
        return erased

    async def explain(self, track: TrackKey) -> Explanation:
        """Why a sighting belongs to whom it does."""
        return await self._in_worker(lambda: self._corrections.explain(track))

    async def similar(self, identity_id: str, limit: int = 10) -> list[Likeness]:
        """Who looks most like a person."""
        return await self._in_worker(lambda: self._corrections.similar(identity_id, limit))

    async def search_by_embedding(self, embedding: NDArray[np.float32], limit: int = 10) -> list[Likeness]:
        """Who looks most like a picture's embedding (D,)."""
        return await self._in_worker(lambda: self._corrections.search_by_embedding(embedding, limit))

    async def model_id(self) -> str:
        """Whose embeddings can be compared; "" before anybody was seen."""
        return await self._in_worker(self._corrections.model_id)

    async def _correct(self, work: Callable[[], Corrected]) -> Operation:
        corrected = await self._in_worker(work)
        self._forget()
        self._show(corrected)
        return corrected.operation
