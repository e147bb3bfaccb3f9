"""The way in: signing in, and the first set-up of a new hub."""

from dataclasses import dataclass
from typing import ClassVar

from litestar import Response, get

from ruid_hub.access import Access, Caller
from ruid_hub.api.given import Given
from ruid_hub.api.guards import anybody, before_setup
from ruid_hub.api.sign_in import own_path, see_other
from ruid_hub.pages.frame import Frame
from ruid_hub.pages.look import AnyRequest, html
from ruid_hub.pages.rendering import Templates

LOGIN_TROUBLES = {
    "wrong": "Name and password do not belong together.",
    "slow": "Too many attempts. Wait a minute and try again.",
    "taken": "This hub is set up already. Sign in with the account that was made.",
}
SETUP_TROUBLES = {
    "name": "A name has 1 to 64 visible characters.",
    "password": "Choose a password of at least 10 characters.",
}


@dataclass(frozen=True, slots=True)
class LoginPage:
    """What pages/login.html needs."""

    template: ClassVar[str] = "pages/login.html"

    frame: Frame
    onward: str
    """Where to go after signing in, a path of this hub."""
    trouble: str
    """Why the last attempt failed; empty before the first."""


@dataclass(frozen=True, slots=True)
class SetupPage:
    """What pages/setup.html needs."""

    template: ClassVar[str] = "pages/setup.html"

    frame: Frame
    trouble: str


@get("/login", guards=[anybody], sync_to_thread=True, include_in_schema=False)
def login_page(
    request: AnyRequest,
    templates: Given[Templates],
    csrf: Given[str],
    visitor: Given[Caller | None],
    access: Given[Access],
) -> Response[str] | Response[None]:
    """The form; for those who are in already, and on a new hub, the page that they want instead."""
    onward = own_path(request.query_params.get("next", "/"))
    if access.needs_set_up:
        return see_other("/setup")
    if visitor is not None:
        return see_other(onward)
    trouble = LOGIN_TROUBLES.get(request.query_params.get("trouble", ""), "")
    return html(templates.page(LoginPage(templates.frame(csrf=csrf), onward, trouble)))


@get("/setup", guards=[before_setup], sync_to_thread=False, include_in_schema=False)
def setup_page(request: AnyRequest, templates: Given[Templates], csrf: Given[str]) -> Response[str]:
    """Make the first account."""
    trouble = SETUP_TROUBLES.get(request.query_params.get("trouble", ""), "")
    return html(templates.page(SetupPage(templates.frame(csrf=csrf), trouble)))
