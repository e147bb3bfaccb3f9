"""Search by a picture that somebody brings along: a node says who is in it, the hub who looks like them.

The picture is on no disk and in no memory once the answer is given. Between a picture of several people and the choice
of one of them, the browser carries what is known of each.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from ruid_core.wire.errors import InvalidContent
from ruid_core.wire.messages import PersonFound
from ruid_core.wire.validation import MAX_EMBEDDING_DIM, MAX_THUMBNAIL_BYTES
from ruid_core.wire.vectors import pack_embeddings, unpack_embeddings
from ruid_hub.access import Audit, Caller
from ruid_hub.hand import CorrectionsUnavailable, Likeness, OperatorHand
from ruid_hub.integrations.metrics import HubMetrics
from ruid_hub.nodes import NobodyLooked, NodeRegister, PersonInPicture, PictureRefused, PictureUnusable

_JPEG = b"\xff\xd8"
_decoder = msgspec.msgpack.Decoder(PersonFound)


class PictureSearch:
    """One per hub; pages and API ask it. Counts what became of each picture."""

    def __init__(self, *, nodes: NodeRegister | None, hand: OperatorHand | None, metrics: HubMetrics) -> None:
        self._nodes = nodes
        self._hand = hand
        self._metrics = metrics

    async def people_in(self, picture: bytes) -> tuple[PersonInPicture, ...]:
        """Who is in a picture (JPEG, PNG or WebP), the largest first; raises `PictureRefused` or a `HandError`."""
        try:
            people = await self._look(picture)
        except PictureRefused as error:
            self._metrics.pictures.labels(error.code).inc()
            raise
        self._metrics.pictures.labels("looked_at").inc()
        return people

    async def likenesses(self, embedding: NDArray[np.float32], limit: int) -> list[Likeness]:
        """Who looks most like somebody in a picture; raises a `HandError`."""
        if self._hand is None:
            raise CorrectionsUnavailable
        return await self._hand.search_by_embedding(embedding, limit)

    async def _look(self, picture: bytes) -> tuple[PersonInPicture, ...]:
        if self._nodes is None or self._hand is None:
            raise NobodyLooked("no_node")
        return await self._nodes.people_in(picture, model_id=await self._hand.model_id())


def note_search(audit: Audit, caller: Caller, shown: Iterable[str]) -> None:
    """Write down that somebody searched, and whom they were shown; writes to the disk."""
    audit.record(caller, "person.search")
    for identity_id in shown:
        audit.record(caller, "person.look", identity_id)


def carried(person: PersonInPicture) -> str:
    """Somebody in a picture as text, for a form to bring back."""
    packed = pack_embeddings(person.embedding[None])
    found = PersonFound(person.box_rel, person.confidence, packed, person.thumbnail_jpeg)
    return b64encode(msgspec.msgpack.encode(found)).decode()


def brought_back(text: str) -> PersonInPicture:
    """The same from the text; raises `PictureUnusable` for anything else, for it comes from a browser."""
    try:
        found = _decoder.decode(b64decode(text, validate=True))
        if not 0 < len(found.embedding) <= 2 * MAX_EMBEDDING_DIM or not _is_thumbnail(found.thumbnail_jpeg):
            raise PictureUnusable("picture_format")
        [embedding] = unpack_embeddings(found.embedding, dim=len(found.embedding) // 2)
    except (ValueError, msgspec.DecodeError, OverflowError, RecursionError, InvalidContent) as error:
        raise PictureUnusable("picture_format") from error
    return PersonInPicture(found.box_rel, found.confidence, embedding, found.thumbnail_jpeg)


def as_address(jpeg: bytes) -> str:
    """A small picture as an address that a page can hold; "" for none."""
    return f"data:image/jpeg;base64,{b64encode(jpeg).decode()}" if jpeg else ""


def _is_thumbnail(jpeg: bytes) -> bool:
    return not jpeg or (jpeg.startswith(_JPEG) and len(jpeg) <= MAX_THUMBNAIL_BYTES)
