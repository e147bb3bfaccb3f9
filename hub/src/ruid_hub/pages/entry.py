"""The way in: signing in, and the first set-up of a new hub."""

from dataclasses import dataclass
from typing import ClassVar

from litestar import Response, get

from ruid_hub.access import Access, Caller, OpenId
from ruid_hub.api.given import Given
from ruid_hub.api.guards import anybody, before_setup
from ruid_hub.api.network import Proxies
from ruid_hub.api.sign_in import asks_for_code, name_tried, own_path, see_other
from ruid_hub.pages.frame import Frame
from ruid_hub.pages.look import AnyRequest, html
from ruid_hub.pages.rendering import Templates

LOGIN_TROUBLES = {
    "wrong": "Name and password do not belong together.",
    "slow": "Too many attempts. Wait a minute and try again.",
    "provider": "The identity provider did not sign you in. Try again, or sign in with a password of this hub.",
    "role": "The identity provider knows you, but none of your groups may use this hub. Ask whoever looks after it.",
    "taken": "This hub is set up already. Sign in with the account that was made.",
}
SETUP_TROUBLES = {
    "name": "A name has 1 to 64 visible characters.",
    "password": "Choose a password of at least 10 characters.",
    "code": "This is not the set-up code of this hub. It changes with every start of the hub: look for the newest one.",
    "slow": "Too many attempts. Wait a minute and try again.",
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
    name: str
    """Who that was."""
    provider: str
    """What stands on the button of the identity provider; empty where there is none."""


@dataclass(frozen=True, slots=True)
class SetupPage:
    """What pages/setup.html needs."""

    template: ClassVar[str] = "pages/setup.html"

    frame: Frame
    code_asked: bool
    """The code from the hub's log is needed: this is not the hub's own machine."""
    trouble: str


@get("/login", guards=[anybody], sync_to_thread=True, include_in_schema=False)
def login_page(
    request: AnyRequest,
    templates: Given[Templates],
    csrf: Given[str],
    visitor: Given[Caller | None],
    access: Given[Access],
    openid: Given[OpenId | None],
    proxies: Given[Proxies],
) -> Response[str] | Response[None]:
    """The form; for those who are in already, and on a new hub, the page that they want instead."""
    onward = own_path(request.query_params.get("next", "/"))
    if access.needs_set_up:
        return see_other("/setup")
    if visitor is not None:
        return see_other(onward)
    trouble = LOGIN_TROUBLES.get(request.query_params.get("trouble", ""), "")
    page = LoginPage(
        frame=templates.frame(csrf=csrf),
        onward=onward,
        trouble=trouble,
        name=name_tried(request, proxies) if trouble else "",
        provider=openid.settings.name if openid else "",
    )
    return html(templates.page(page))


@get("/setup", guards=[before_setup], sync_to_thread=False, include_in_schema=False)
def setup_page(
    request: AnyRequest, templates: Given[Templates], csrf: Given[str], free_hosts: Given[frozenset[str]]
) -> Response[str]:
    """Make the first account."""
    trouble = SETUP_TROUBLES.get(request.query_params.get("trouble", ""), "")
    return html(templates.page(SetupPage(templates.frame(csrf=csrf), asks_for_code(request, free_hosts), trouble)))
