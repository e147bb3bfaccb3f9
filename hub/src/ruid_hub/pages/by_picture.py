"""Find by picture: somebody brings a picture along, chooses who is meant, and sees who looks like them.

Both steps are forms, so no address ever holds anything of the picture.
"""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from litestar import Response, post
from litestar.datastructures import UploadFile

from ruid_core.wire.pictures import MAX_PICTURE_BYTES
from ruid_hub.access import Role
from ruid_hub.api.given import Given
from ruid_hub.api.guards import form_of, requires
from ruid_hub.by_picture import PictureSearch, as_address, brought_back, carried, note_search
from ruid_hub.hand import HandError
from ruid_hub.nodes import PersonInPicture, PictureRefused
from ruid_hub.pages.frame import Frame, Notice
from ruid_hub.pages.look import AnyRequest, Form, Look
from ruid_hub.pages.notices import refusal
from ruid_hub.pages.people import LOOKALIKES, LookalikesPage, shown_lookalikes
from ruid_hub.site import Site

LOOKING = [requires(Role.VIEWER)]
MOST_BYTES = MAX_PICTURE_BYTES + 32 * 1024
"""The picture and the form around it; less than what would be put on the disk while it comes in (1 MiB)."""
NO_PICTURE = Notice("Choose a picture first.", refused=True)
PEOPLE = "/people"


@dataclass(frozen=True, slots=True)
class Choice:
    """Somebody in the picture; `carried` is what the form brings back."""

    picture: str
    where: str
    carried: str


@dataclass(frozen=True, slots=True)
class WhoIsMeantPage:
    """What pages/who_is_meant.html needs."""

    template: ClassVar[str] = "pages/who_is_meant.html"

    frame: Frame
    choices: tuple[Choice, ...]
    """Who is in the picture, the largest first."""


@post(
    "/people/by-picture",
    guards=LOOKING,
    include_in_schema=False,
    status_code=200,
    request_max_body_size=MOST_BYTES,
)
async def find_by_picture(
    request: AnyRequest, look: Given[Look], site: Given[Site], pictures: Given[PictureSearch]
) -> Response[str] | Response[None]:
    """Who looks like the person in a picture; where there are several, who of them is meant."""
    given = (await form_of(request)).get("picture")
    picture = await given.read() if isinstance(given, UploadFile) else b""
    if not picture:
        return look.go(PEOPLE, NO_PICTURE)
    try:
        people = await pictures.people_in(picture)
    except (PictureRefused, HandError) as error:
        return look.go(PEOPLE, refusal(error))
    if len(people) == 1:
        return await _answer(people[0], look, site, pictures)
    choices = tuple(Choice(as_address(person.thumbnail_jpeg), _where(person), carried(person)) for person in people)
    return look.page(WhoIsMeantPage(look.frame("people"), choices))


@post("/people/by-picture/person", guards=LOOKING, include_in_schema=False, status_code=200)
async def find_by_person(
    data: Form, look: Given[Look], site: Given[Site], pictures: Given[PictureSearch]
) -> Response[str] | Response[None]:
    """Who looks like one of the people in a picture."""
    try:
        person = brought_back(str(data.get("person", "")))
    except PictureRefused as error:
        return look.go(PEOPLE, refusal(error))
    return await _answer(person, look, site, pictures)


def _where(person: PersonInPicture) -> str:
    """For whoever does not see the picture."""
    middle = (person.box_rel[0] + person.box_rel[2]) / 2
    return "on the left" if middle < 1 / 3 else "on the right" if middle > 2 / 3 else "in the middle"


async def _answer(person: PersonInPicture, look: Look, site: Site, pictures: PictureSearch) -> Response[str]:
    found, notice = await shown_lookalikes(pictures.likenesses(person.embedding, LOOKALIKES), look, site)
    shown = [likeness.person.identity_id for likeness in found]
    await asyncio.to_thread(note_search, look.audit, look.caller, shown)
    page = LookalikesPage(
        frame=look.frame("people", notice),
        example=None,
        example_picture=None,
        given_picture=as_address(person.thumbnail_jpeg),
        found=found,
    )
    return look.page(page)
