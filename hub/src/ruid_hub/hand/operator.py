"""What an operator can do about identities, as pages and API call it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ruid_hub.hand.values import Erased, Explanation, Likeness, Operation, Suggestion
from ruid_hub.observations import TrackKey


class OperatorHand:
    """Corrections, each durable on return, shown on open pages, and (but for erasing) to be undone.

    Await from the event loop. `actor` is the name of the signed-in user, for the audit trail. Every method may
    raise a `HandError`, and then nothing has changed.
    """

    async def rename(self, identity_id: str, name: str | None, actor: str) -> Operation:
        """Give a person a name, or take it away (None or blank)."""
        raise NotImplementedError

    async def merge(self, kept_id: str, merged_id: str, actor: str) -> Operation:
        """The two are one person, called `kept_id` from now on; they are never taken apart by themselves."""
        raise NotImplementedError

    async def split(self, identity_id: str, tracks: Sequence[TrackKey], actor: str) -> Operation:
        """These sightings are somebody else, together; `Operation.identity_id` is the new person."""
        raise NotImplementedError

    async def move(self, track: TrackKey, identity_id: str | None, actor: str) -> Operation:
        """One sighting belongs to another person, or to somebody new (None)."""
        raise NotImplementedError

    async def not_this_person(self, track: TrackKey, identity_id: str, actor: str) -> Operation:
        """The sighting is not this person, now or later; the hub decides anew who it is."""
        raise NotImplementedError

    async def undo(self, operation_id: int, actor: str) -> Operation:
        """Take an operation back; returns it as undone. Raises `LaterOperations` where others build on it."""
        raise NotImplementedError

    async def operations(self, limit: int = 50, before: int | None = None) -> list[Operation]:
        """The audit trail, newest first; `before` is the last operation_id of the page before."""
        raise NotImplementedError

    async def suggestions(self, limit: int = 20) -> list[Suggestion]:
        """Pairs that may be one person, the likeliest first; what was decided is not asked again."""
        raise NotImplementedError

    async def decide_suggestion(self, first_id: str, second_id: str, actor: str, *, same: bool) -> Operation:
        """Answer a suggestion: merge the second into the first, or keep them two for ever."""
        raise NotImplementedError

    async def erase(self, identity_id: str, actor: str) -> Erased:
        """Forget a person: embeddings, pictures and name go from memory and disk. Cannot be undone."""
        raise NotImplementedError

    async def explain(self, track: TrackKey) -> Explanation:
        """Why a sighting belongs to whom it does."""
        raise NotImplementedError

    async def similar(self, identity_id: str, limit: int = 10) -> list[Likeness]:
        """Who looks most like a person."""
        raise NotImplementedError

    async def search_by_embedding(self, embedding: NDArray[np.float32], limit: int = 10) -> list[Likeness]:
        """Who looks most like a picture's embedding (D,)."""
        raise NotImplementedError
