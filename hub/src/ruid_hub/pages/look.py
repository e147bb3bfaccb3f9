"""One look at a page: who looks, and what every answer to them carries."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import MediaType, Request, Response
from litestar.connection import ASGIConnection
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import Body

from ruid_hub.access import Audit, Caller
from ruid_hub.api.given import Given
from ruid_hub.api.guards import everywhere
from ruid_hub.errors import HubError
from ruid_hub.hand import Operation
from ruid_hub.pages.frame import Frame, Notice
from ruid_hub.pages.notices import Notices, refusal, said
from ruid_hub.pages.rendering import PageContext, Templates
from ruid_hub.store import Store
from ruid_hub.store.by_person import cameras_of

AnyRequest = Request[Any, Any, Any]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
"""The fields of a form; one that is there several times comes as a list."""


@dataclass(frozen=True, slots=True)
class Look:
    """Pages ask for it as `look: Given[Look]`; it lives as long as the request."""

    templates: Templates
    caller: Caller
    csrf: str
    notices: Notices
    store: Store
    audit: Audit
    said_key: str = ""
    partial: bool = False
    """htmx asks for a part of an open page."""

    @property
    def actor(self) -> str:
        """The name that stands in the audit trail."""
        return self.caller.name

    @property
    def sees(self) -> Callable[[str], bool] | None:
        """Which cameras the caller may see; None for all."""
        return None if self.caller.reach.everywhere else self.caller.reach.covers

    def frame(self, here: str, notice: Notice | None = None) -> Frame:
        """What surrounds the page for this caller; a notice that was kept for it comes before the given one."""
        kept = self.notices.take(self.said_key) if self.said_key else None
        return self.templates.frame(here, caller=self.caller, csrf=self.csrf, notice=kept or notice)

    def page(self, context: PageContext, *, status_code: int = 200) -> Response[str]:
        """The whole page."""
        return html(self.templates.page(context), status_code=status_code)

    def block(self, context: PageContext, name: str) -> Response[str]:
        """A part of the page, for a page that is open already."""
        return html(self.templates.block(context, name))

    def must_cover(self, *cameras: str) -> None:
        """Somebody whose reach holds none of these cameras is told that there is nothing."""
        if not self.caller.reach.covers_any(cameras):
            raise NotFoundException

    async def must_reach(self, *identity_ids: str) -> None:
        """The same for people: each of them must have been seen by a camera within reach."""
        for identity_id in identity_ids:
            if not await self.reaches(identity_id):
                raise NotFoundException

    async def reaches(self, identity_id: str) -> bool:
        """Whether any camera within reach has seen this person."""
        reach = self.caller.reach
        return reach.everywhere or reach.covers_any(await asyncio.to_thread(self._seen_by, identity_id))

    def _seen_by(self, identity_id: str) -> list[str]:
        with self.store.reading() as connection:
            return cameras_of(connection, identity_id)

    def go(self, path: str, notice: Notice | str | None = None) -> Response[None]:
        """See another page, which says what was done."""
        if notice is not None:
            key = self.notices.keep(Notice(notice) if isinstance(notice, str) else notice)
            before_fragment, mark, fragment = path.partition("#")
            path = f"{before_fragment}{'&' if '?' in path else '?'}said={key}{mark}{fragment}"
        return Response(None, status_code=303, headers={"Location": path, "Cache-Control": "no-store"})

    async def correct(self, correction: Awaitable[Operation], path: str) -> Response[None]:
        """Make a correction, then see a page that says what it did, or why it was refused."""
        try:
            return self.go(path, said(await self.noted(correction)))
        except HubError as error:
            return self.go(path, refusal(error))

    async def noted(self, correction: Awaitable[Operation]) -> Operation:
        """Make a correction, and write into the audit who made it."""
        made = await correction
        if made.undone_at_s is not None:
            await self.note("person.undo", made.identity_id)
        else:
            detail = {"operation_id": made.operation_id, "other_id": made.other_id}
            await self.note(f"person.{made.kind.value}", made.identity_id, detail)
        return made

    async def note(self, action: str, subject: str = "", detail: dict[str, Any] | None = None) -> None:
        """Write into the audit what was looked at or done."""
        await asyncio.to_thread(self.audit.record, self.caller, action, subject, detail)


def sees_all(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard after `requires`: keeps out those who may see only some of the cameras."""
    everywhere(connection.scope["user"])


def look_at(
    request: AnyRequest,
    templates: Given[Templates],
    caller: Given[Caller],
    csrf: Given[str],
    notices: Given[Notices],
    store: Given[Store],
    audit: Given[Audit],
) -> Look:
    """The `look` of a request."""
    return Look(
        templates,
        caller,
        csrf,
        notices,
        store,
        audit,
        said_key=request.query_params.get("said", ""),
        partial=request.headers.get("HX-Request-Type") == "partial",
    )


def html(text: str, *, status_code: int = 200) -> Response[str]:
    """A page or a part of one; nobody may keep it, for it shows who was where."""
    return Response(text, media_type=MediaType.HTML, status_code=status_code, headers={"Cache-Control": "no-store"})


def several(field: Any) -> list[str]:
    """The values of a form's field that may be there once, several times or not at all."""
    if field is None:
        return []
    return [str(value) for value in field] if isinstance(field, list) else [str(field)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
