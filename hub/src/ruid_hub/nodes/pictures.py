"""Asks a node who is in a picture that somebody searches with; the hub has no networks of its own.

Nothing of a picture is kept, here or there.
"""

import asyncio
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ruid_core.wire.errors import InvalidContent
from ruid_core.wire.messages import Box, Examine, Examined, Hello, PersonFound
from ruid_core.wire.pictures import check_picture
from ruid_core.wire.vectors import unpack_embeddings
from ruid_hub.nodes.configurations import Links
from ruid_hub.nodes.errors import NobodyLooked, PictureUnusable

EXAMINED_WITHIN_S = 20.0
"""A Pi that is busy with its cameras takes some seconds, most of them to load the networks."""
AT_ONCE = 8
"""So many pictures of up to a megabyte each may be waited for."""
NODES_ASKED = 3
_UNUSABLE = frozenset({"picture_bytes", "picture_format", "picture_size", "nobody"})
_HOPEFUL_FIRST = ("busy", "unavailable", "no_node", "other_model", "too_old")


@dataclass(frozen=True, slots=True, eq=False)
class PersonInPicture:
    """Somebody in a picture: where, their embedding (D,), and a small picture (JPEG) of them alone."""

    box_rel: Box
    confidence: float
    embedding: NDArray[np.float32]
    thumbnail_jpeg: bytes


class Pictures:
    """Lives in the event loop; the nodes are asked in turns, and another one where the first cannot."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], asyncio.Future[Examined]] = {}
        self._request_ids = itertools.count(1)
        self._turns: dict[str, int] = {}

    async def people_in(
        self, picture: bytes, *, nodes: Iterable[Hello], model_id: str, connections: Links
    ) -> tuple[PersonInPicture, ...]:
        """Return who is in a picture (JPEG, PNG or WebP), at least one, the largest first.

        `nodes` are those that are connected, `model_id` whose embeddings can be compared ("" for any). Raises
        `PictureRefused`.
        """
        try:
            check_picture(picture)
        except InvalidContent as error:
            raise PictureUnusable(error.code) from error
        if len(self._asked) >= AT_ONCE:
            raise NobodyLooked("busy")
        try:
            async with asyncio.timeout(EXAMINED_WITHIN_S):
                return await self._ask_in_turns(picture, nodes, model_id, connections)
        except TimeoutError:
            raise NobodyLooked("late") from None

    def answered(self, node_id: str, examined: Examined) -> bool:
        """Hand an answer to whoever asked; False where nobody did, or they have stopped waiting."""
        asked = self._asked.get((node_id, examined.request_id))
        if asked is None or asked.done():
            return False
        asked.set_result(examined)
        return True

    def gone(self, node_id: str) -> None:
        """A node's connection is over: what it was asked, another one is."""
        for (owner, request_id), asked in self._asked.items():
            if owner == node_id and not asked.done():
                asked.set_result(Examined(request_id, "", refusal="no_node"))

    async def _ask_in_turns(
        self, picture: bytes, nodes: Iterable[Hello], model_id: str, connections: Links
    ) -> tuple[PersonInPicture, ...]:
        refusals = {"no_node"}
        asked = 0
        for hello in sorted(nodes, key=lambda hello: self._turns.get(hello.node_id, 0)):
            if model_id and hello.embedding_model_id != model_id:
                refusals.add("other_model")
                continue
            examined = await self._ask(hello.node_id, picture, connections)
            if examined is None:
                refusals.add("too_old")
            elif examined.people:
                return tuple(_person(found, dim=hello.embedding_dim) for found in examined.people)
            elif examined.refusal in _UNUSABLE:
                raise PictureUnusable(examined.refusal)
            else:
                refusals.add(examined.refusal if examined.refusal in _HOPEFUL_FIRST else "unavailable")
            asked += examined is not None
            if asked == NODES_ASKED:
                break
        raise NobodyLooked(_told(refusals))

    async def _ask(self, node_id: str, picture: bytes, connections: Links) -> Examined | None:
        """Return the node's answer; None where its software does not know the question."""
        request_id = next(self._request_ids)
        if not connections.ask(node_id, Examine(request_id, picture)):
            return None
        self._turns[node_id] = request_id
        answer = self._asked[node_id, request_id] = asyncio.get_running_loop().create_future()
        try:
            return await answer
        finally:
            del self._asked[node_id, request_id]


def _told(refusals: set[str]) -> str:
    """The refusal that says most of what to do: that there is no node only where there is none at all."""
    if len(refusals) > 1:
        refusals = refusals - {"no_node"}
    return min(refusals, key=_HOPEFUL_FIRST.index)


def _person(found: PersonFound, *, dim: int) -> PersonInPicture:
    embedding = unpack_embeddings(found.embedding, dim=dim)[0]
    return PersonInPicture(found.box_rel, found.confidence, embedding, found.thumbnail_jpeg)
