"""Search by a picture that a program brings along."""

import asyncio
from dataclasses import dataclass

from litestar import Controller, post
from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.params import RawBody

from ruid_core.wire.pictures import MAX_PICTURE_BYTES
from ruid_hub.access import Audit, Caller
from ruid_hub.api.given import Given
from ruid_hub.api.people import READING, reachable
from ruid_hub.by_picture import PictureSearch, note_search
from ruid_hub.hand import Likeness
from ruid_hub.nodes import PersonInPicture
from ruid_hub.store import Store

SIMILAR = 10


@dataclass(frozen=True, slots=True)
class InPicture:
    """Somebody in the picture: where (x1, y1, x2, y2 as shares of it), and who looks most like them."""

    box_rel: tuple[float, float, float, float]
    confidence: float
    similar: list[Likeness]


@dataclass
class _TakesPicture(Operation):
    """Says what the body is."""

    def __post_init__(self) -> None:
        picture = OpenAPIMediaType(
            schema=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY, max_length=MAX_PICTURE_BYTES)
        )
        self.request_body = RequestBody(
            description="A picture (JPEG, PNG or WebP) of up to 1 MB and 2560 pixels on a side",
            content={"application/octet-stream": picture},
            required=True,
        )


class ByPictureController(Controller):
    """Nothing of the picture is kept; the search and whom it showed are in the audit."""

    path = "/api/v1/people/by-picture"
    tags = ("people",)

    @post("/", guards=READING, status_code=200, request_max_body_size=MAX_PICTURE_BYTES, operation_class=_TakesPicture)
    async def by_picture(
        self,
        body: RawBody,
        pictures: Given[PictureSearch],
        store: Given[Store],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> list[InPicture]:
        """Who looks like the people in a picture, the largest of them first; 503 while no node can look at it."""
        found = [await _compared(person, pictures, store, caller) for person in await pictures.people_in(body)]
        shown = {likeness.identity_id: None for person in found for likeness in person.similar}
        await asyncio.to_thread(note_search, audit, caller, shown)
        return found


async def _compared(person: PersonInPicture, pictures: PictureSearch, store: Store, caller: Caller) -> InPicture:
    similar = await pictures.likenesses(person.embedding, SIMILAR)
    return InPicture(person.box_rel, person.confidence, await reachable(similar, store, caller))
