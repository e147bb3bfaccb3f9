"""The sign for the door: what people are told, made of what this hub really keeps."""

from dataclasses import dataclass
from typing import ClassVar

from litestar import Response, get

from ruid_hub.api.given import Given
from ruid_hub.pages.frame import Frame
from ruid_hub.pages.look import Look
from ruid_hub.pages.people import OWN_ACCOUNT
from ruid_hub.store import Retention


@dataclass(frozen=True, slots=True)
class SignPage:
    """What pages/sign.html needs."""

    template: ClassVar[str] = "pages/sign.html"

    frame: Frame
    retention: Retention


@get("/settings/sign", guards=OWN_ACCOUNT, sync_to_thread=True, include_in_schema=False)
def sign_page(look: Given[Look]) -> Response[str]:
    """The sign, to be printed, and what to do when somebody objects."""
    return look.page(SignPage(look.frame("settings"), look.store.retention))
