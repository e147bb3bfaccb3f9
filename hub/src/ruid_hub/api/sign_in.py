"""Signing in and out, and the first user. The pages with the forms are in `ruid_hub.pages`."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlencode

import structlog
from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotFoundException
from litestar.params import Body

from ruid_hub.access import (
    Access,
    AccessError,
    AlreadySetUp,
    Audit,
    Caller,
    NoRole,
    OpenId,
    OpenIdError,
    Role,
    SignedIn,
    TooManyAttempts,
    UnusableName,
    UnusablePassword,
    WrongCode,
    WrongPassword,
)
from ruid_hub.access.openid import FLOW_S
from ruid_hub.api.caller import KNOWN_BROWSER, SESSION, TRIED, VISIT, VOUCHING, YEAR_S, cookie, cookie_name
from ruid_hub.api.given import Given
from ruid_hub.api.guards import anybody, before_setup, requires
from ruid_hub.api.network import Proxies, client_address, host_name, host_of, is_secure

SESSION_COOKIE_S = 30 * 86_400
TRIED_S = 60
LONGEST_NAME = 64
CALLBACK = "/login/oidc/callback"
_log: structlog.stdlib.BoundLogger = structlog.get_logger("ruid_hub.access")

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class SignInForm:
    """`next` is a path of this hub to go on to."""

    name: str = ""
    password: str = ""
    next: str = "/"


@dataclass(frozen=True, slots=True)
class SetupForm:
    """The owner to be, with the code from the hub's log."""

    name: str = ""
    password: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class PasswordForm:
    """The password of now, and the one from now on."""

    current: str = ""
    password: str = ""


Form = Body(media_type=RequestEncodingType.URL_ENCODED)


@post("/login", guards=[anybody], include_in_schema=False)
async def sign_in(
    request: AnyRequest,
    data: Annotated[SignInForm, Form],
    access: Given[Access],
    audit: Given[Audit],
    proxies: Given[Proxies],
) -> Response[None]:
    """303 to where the caller wanted to go, or back to the form with `trouble=wrong` or `trouble=slow`."""
    onward = own_path(data.next)
    secure = is_secure(request, proxies)
    try:
        signed_in = await asyncio.to_thread(
            access.sign_in,
            data.name,
            data.password,
            address=client_address(request, proxies),
            browser=request.headers.get("user-agent", ""),
            known_browser=request.cookies.get(cookie_name(KNOWN_BROWSER, secure=secure)),
        )
    except (WrongPassword, TooManyAttempts) as error:
        slow = isinstance(error, TooManyAttempts)
        if not slow:
            await asyncio.to_thread(audit.record, None, "session.refuse", client_address(request, proxies))
        trouble = {"trouble": "slow" if slow else "wrong", "next": onward}
        again = see_other(f"/login?{urlencode(trouble)}")
        # Not in the address: logs and histories keep those, and people type passwords into the wrong field.
        again.cookies = [cookie(TRIED, quote(data.name[:LONGEST_NAME], safe=""), secure=secure, max_age_s=TRIED_S)]
        return again
    await asyncio.to_thread(audit.record, signed_in.caller, "session.begin", client_address(request, proxies))
    return _into(onward, signed_in, secure=secure)


@get("/login/oidc", guards=[anybody], include_in_schema=False)
async def begin_at_provider(
    request: AnyRequest, access: Given[Access], openid: Given[OpenId | None], proxies: Given[Proxies]
) -> Response[None]:
    """303 to the identity provider; 404 where there is none."""
    if openid is None:
        raise NotFoundException
    if access.needs_set_up:
        return see_other("/setup")
    secure = is_secure(request, proxies)
    home = f"{'https' if secure else 'http'}://{host_of(request, proxies)}"
    onward = own_path(request.query_params.get("next", "/"))
    try:
        begun = await openid.begin(redirect_uri=f"{home}{CALLBACK}", onward=onward)
    except OpenIdError as error:
        return _not_vouched(error, onward)
    answer = see_other(begun.address)
    answer.cookies = [cookie(VOUCHING, begun.carried, secure=secure, max_age_s=FLOW_S)]
    return answer


@get(CALLBACK, guards=[anybody], include_in_schema=False)
async def come_from_provider(
    request: AnyRequest,
    access: Given[Access],
    audit: Given[Audit],
    openid: Given[OpenId | None],
    proxies: Given[Proxies],
) -> Response[None]:
    """Sign in whom the provider vouches for; back to the form with `trouble=provider` or `role` otherwise."""
    if openid is None or access.needs_set_up:
        raise NotFoundException
    secure, address = is_secure(request, proxies), client_address(request, proxies)
    carried = request.cookies.get(cookie_name(VOUCHING, secure=secure), "")
    answer = {name: str(value) for name, value in request.query_params.items()}
    try:
        vouched = await openid.finish(answer, carried=carried)
        signed_in = await asyncio.to_thread(
            access.sign_in_vouched, vouched, address=address, browser=request.headers.get("user-agent", "")
        )
    except AccessError as error:
        await asyncio.to_thread(audit.record, None, "session.refuse", address)
        refused = _not_vouched(error, "/")
        refused.cookies = [cookie(VOUCHING, "", secure=secure, max_age_s=0)]
        return refused
    await asyncio.to_thread(audit.record, signed_in.caller, "session.begin", address)
    into = _into(vouched.onward, signed_in, secure=secure)
    into.cookies.append(cookie(VOUCHING, "", secure=secure, max_age_s=0))
    return into


@post("/setup", guards=[before_setup], include_in_schema=False)
async def set_up(
    request: AnyRequest,
    data: Annotated[SetupForm, Form],
    access: Given[Access],
    audit: Given[Audit],
    proxies: Given[Proxies],
    free_hosts: Given[frozenset[str]],
) -> Response[None]:
    """Make the owner and sign them in; back to the form with `trouble=name`, `password`, `code`, … otherwise."""
    address = client_address(request, proxies)
    try:
        signed_in = await asyncio.to_thread(
            access.set_up,
            data.name,
            data.password,
            code=data.code if asks_for_code(request, free_hosts) else None,
            address=address,
            browser=request.headers.get("user-agent", ""),
        )
    except WrongCode:
        await asyncio.to_thread(audit.record, None, "setup.refuse", address)
        return see_other("/setup?trouble=code")
    except TooManyAttempts:
        return see_other("/setup?trouble=slow")
    except UnusableName:
        return see_other("/setup?trouble=name")
    except UnusablePassword:
        return see_other("/setup?trouble=password")
    except AlreadySetUp:
        return see_other("/login?trouble=taken")
    await asyncio.to_thread(audit.record, signed_in.caller, "hub.setup", signed_in.caller.name)
    return _into("/", signed_in, secure=is_secure(request, proxies))


@post("/logout", guards=[requires(Role.VIEWER, own_account=True)], include_in_schema=False)
async def sign_out(
    request: AnyRequest, caller: Given[Caller], access: Given[Access], audit: Given[Audit], proxies: Given[Proxies]
) -> Response[None]:
    """End this browser's session."""
    await asyncio.to_thread(access.sign_out, caller)
    await asyncio.to_thread(audit.record, caller, "session.end")
    answer = see_other("/login")
    answer.headers["Clear-Site-Data"] = '"cache"'
    answer.cookies = [cookie(SESSION, "", secure=is_secure(request, proxies), max_age_s=0)]
    return answer


@post("/account/password", guards=[requires(Role.VIEWER, own_account=True)], include_in_schema=False)
async def change_password(
    request: AnyRequest,
    data: Annotated[PasswordForm, Form],
    caller: Given[Caller],
    access: Given[Access],
    audit: Given[Audit],
    proxies: Given[Proxies],
) -> Response[None]:
    """Change the caller's own password; every other browser of theirs is signed out."""
    address = client_address(request, proxies)
    try:
        await asyncio.to_thread(access.confirm, caller, data.current, address=address)
        await asyncio.to_thread(access.accounts.set_password, caller.user_key, data.password)
    except WrongPassword:
        return see_other("/settings?trouble=wrong")
    except TooManyAttempts:
        return see_other("/settings?trouble=slow")
    except UnusablePassword:
        return see_other("/settings?trouble=password")
    await asyncio.to_thread(audit.record, caller, "user.password", caller.name)
    browser = request.headers.get("user-agent", "")
    signed_in = await asyncio.to_thread(access.sign_in, caller.name, data.password, address=address, browser=browser)
    return _into("/settings?done=password", signed_in, secure=is_secure(request, proxies))


def asks_for_code(request: AnyRequest, free_hosts: frozenset[str]) -> bool:
    """Not on the hub's own machine: there, whoever sets it up could read its log as well."""
    return host_name(request.headers.get("host", "")) not in free_hosts


def own_path(wanted: str) -> str:
    """A path of this hub: never another site's address, however it is spelt."""
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if plain and "\\" not in wanted else "/"


def name_tried(request: AnyRequest, proxies: Proxies) -> str:
    """The name of the last attempt to sign in, if that was a moment ago."""
    carried = request.cookies.get(cookie_name(TRIED, secure=is_secure(request, proxies)), "")
    return unquote(carried)[:LONGEST_NAME]


def see_other(path: str) -> Response[None]:
    """303: the browser asks for the path with GET."""
    return Response(None, status_code=303, headers={"Location": path, "Cache-Control": "no-store"})


def _not_vouched(error: AccessError, onward: str) -> Response[None]:
    """The log has the reason; whoever knocks learns only what they can do about it."""
    _log.warning("nobody came in by the identity provider", reason=str(error))
    trouble = {"trouble": "role" if isinstance(error, NoRole) else "provider", "next": onward}
    return see_other(f"/login?{urlencode(trouble)}")


def _into(path: str, signed_in: SignedIn, *, secure: bool) -> Response[None]:
    answer = see_other(path)
    answer.cookies = [
        cookie(SESSION, signed_in.secret, secure=secure, max_age_s=SESSION_COOKIE_S),
        cookie(KNOWN_BROWSER, signed_in.known_browser, secure=secure, max_age_s=YEAR_S),
        cookie(VISIT, "", secure=secure, max_age_s=0),
        cookie(TRIED, "", secure=secure, max_age_s=0),
    ]
    return answer
