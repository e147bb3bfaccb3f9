"""Who may use a route. Every route says it, or the hub does not start.

`requires(role, permit)`, `anybody` and `before_setup` are guards; each also asks for the CSRF token where a request
changes something and its caller is known by something that a browser sends by itself (a cookie, a proxy, nothing at
all in the demo). Sockets and changes are for the hub's own pages: a request that another site's page caused is refused.

What a path names as `identity_id`, `observation_id`, `node_id` or `camera_id` must be within the caller's reach; for
whatever else a path names (an operation, a user) a caller must see every camera. Names in a form or a query are the
route's own to check.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.datastructures import FormMultiDict
from litestar.exceptions import (
    ClientException,
    ImproperlyConfiguredException,
    NotAuthorizedException,
    NotFoundException,
    PermissionDeniedException,
)
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from ruid_hub.access import Access, Caller, Permit, Role, Way
from ruid_hub.access.secrets import same
from ruid_hub.api.network import AnyConnection, Proxies, own_pages_only
from ruid_hub.store import Store
from ruid_hub.store.access import place_of
from ruid_hub.store.by_person import cameras_of

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "_csrf"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CHECKED = frozenset({"identity_id", "observation_id", "node_id", "camera_id"})
"""What paths may name and `_within_reach` knows."""
OWN = frozenset({"session_key"})
"""What paths may name because, without a user's key beside it, it is looked for among the caller's own."""
FORM = "application/x-www-form-urlencoded"
FORM_WITH_FILES = "multipart/form-data"


class Gate(Protocol):
    """A guard that says who may come in; `role` is None where nobody needs to be signed in."""

    role: Role | None
    permit: Permit | None

    async def __call__(self, connection: AnyConnection, handler: BaseRouteHandler) -> None: ...


class _Requires:
    def __init__(self, role: Role, permit: Permit | None, *, own_account: bool) -> None:
        self.role: Role | None = role
        self.permit = permit
        self._own_account = own_account

    async def __call__(self, connection: AnyConnection, handler: BaseRouteHandler) -> None:
        caller = caller_of(connection)
        if caller is None:
            raise NotAuthorizedException("Please sign in.", headers={"WWW-Authenticate": "Bearer"})
        nobody_in_particular = caller.way is Way.DEMONSTRATION and self._own_account
        if nobody_in_particular or not caller.may(self.role or Role.ADMIN, self.permit):
            raise PermissionDeniedException("Your account, or this token, may not do this.")
        await _unforged(connection, caller)
        if not caller.reach.everywhere:
            await asyncio.to_thread(_within_reach, connection, caller)


class _Anybody:
    role: Role | None = None
    permit: Permit | None = None

    async def __call__(self, connection: AnyConnection, handler: BaseRouteHandler) -> None:
        await _unforged(connection, caller_of(connection))


class _BeforeSetup(_Anybody):
    async def __call__(self, connection: AnyConnection, handler: BaseRouteHandler) -> None:
        access: Access = connection.app.state.access
        if not access.needs_set_up:
            raise NotFoundException
        await super().__call__(connection, handler)


def requires(role: Role, permit: Permit | None = None, *, own_account: bool = False) -> Gate:
    """Signed-in people of that role or a higher one; with a permit, tokens that hold it too.

    What is about the caller's `own_account` is not for visitors of a demonstration, who have none. 401 without a
    caller, 403 with the wrong one, 403 where a change lacks the CSRF token.
    """
    return _Requires(role, permit, own_account=own_account)


anybody: Gate = _Anybody()
"""No session is asked for: sign-in, static files, health."""
before_setup: Gate = _BeforeSetup()
"""For anybody, but 404 once the hub has a user."""


def caller_of(connection: AnyConnection) -> Caller | None:
    """Who makes the request; None while nobody is signed in."""
    return connection.scope.get("user")


def within(caller: Caller, *cameras: str) -> None:
    """Raises NotFoundException where none of these cameras is within the caller's reach."""
    if not caller.reach.covers_any(cameras):
        raise NotFoundException


def within_nodes(caller: Caller, node_id: str) -> None:
    """Raises NotFoundException where the node is not within the caller's reach as a whole."""
    if not caller.reach.covers_node(node_id):
        raise NotFoundException


def everywhere(caller: Caller) -> None:
    """Raises PermissionDeniedException where the caller may see only some of the cameras."""
    if not caller.reach.everywhere:
        raise PermissionDeniedException("This is for accounts that may see every camera.")


def _within_reach(connection: AnyConnection, caller: Caller) -> None:
    """What a path names must be within reach, whatever the route remembers to ask."""
    store: Store = connection.app.state.store
    named: Mapping[str, Any] = connection.path_params
    with store.reading() as reading:
        if (identity_id := named.get("identity_id")) is not None:
            within(caller, *cameras_of(reading, identity_id))
        if (observation_id := named.get("observation_id")) is not None:
            place = place_of(reading, observation_id)
            within(caller, *([place[0]] if place else []))
    if "camera_id" in named:
        within(caller, f"{named.get('node_id')}/{named['camera_id']}")
    elif "node_id" in named:
        within_nodes(caller, named["node_id"])
    if named.keys() - CHECKED - OWN:
        everywhere(caller)


def deny_by_default(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The application's own guard: a route without a gate is closed, should one ever get past the start."""
    if gate_of(handler) is None and connection.scope.get("method") != "OPTIONS":
        raise PermissionDeniedException("This route says nothing about who may use it.")


def gate_of(handler: BaseRouteHandler) -> Gate | None:
    """What a route says about who may use it: the innermost gate around it."""
    guards = cast("list[object]", handler.resolve_guards())
    gates = [guard for guard in guards if isinstance(guard, _Requires | _Anybody)]
    return gates[-1] if gates else None


def handlers_of(app: Litestar) -> Iterable[tuple[str, str, BaseRouteHandler]]:
    """Every route as (path, method, handler); sockets have the method `WS`, mounted files `GET`."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                yield route.path, str(method), handler
        else:
            handler: BaseRouteHandler = route.route_handler
            yield route.path, "WS" if type(route).__name__ == "WebSocketRoute" else "GET", handler


def check_every_route(app: Litestar) -> None:
    """Raises ImproperlyConfiguredException where a route does not say who may use it."""
    for path, method, handler in handlers_of(app):
        if method != "OPTIONS" and gate_of(handler) is None:
            raise ImproperlyConfiguredException(f"{method} {path} has no gate: see ruid_hub.api.guards")


async def _unforged(connection: AnyConnection, caller: Caller | None) -> None:
    """Raises PermissionDeniedException where a change was not made in one of the hub's own pages."""
    if caller is not None and caller.way is Way.TOKEN:
        return
    proxies: Proxies = connection.app.state.proxies
    if connection.scope["type"] == "websocket":
        own_pages_only(connection, proxies)
    elif connection.scope.get("method") not in SAFE:
        own_pages_only(connection, proxies)
        forms = (FORM,) if caller is None else (FORM, FORM_WITH_FILES)  # a stranger brings no files
        if not await _carries(connection, csrf_of(connection), forms=forms):
            raise PermissionDeniedException("This form is out of date: reload the page and try again.")


def csrf_of(connection: AnyConnection) -> str:
    """The token that this browser's forms carry."""
    access: Access = connection.app.state.access
    secret: str = connection.scope.get("auth") or ""
    return access.csrf_of(secret)


async def _carries(connection: AnyConnection, token: str, *, forms: Sequence[str]) -> bool:
    """Whether a request's header, or where it has none its form, carries the token."""
    carried = connection.headers.get(CSRF_HEADER)
    if carried is not None or not isinstance(connection, Request) or connection.content_type[0] not in forms:
        return same(carried or "", token)
    form = await form_of(connection)
    field = form.get(CSRF_FIELD)
    if isinstance(field, str) and same(field, token):
        return True
    await form.close()  # files that nobody looks at any more
    return False


async def form_of(request: Request[Any, Any, Any]) -> FormMultiDict:
    """The fields and files of a form; raises ClientException for a body that is none."""
    try:
        return await request.form()
    except (UnicodeError, LookupError) as error:  # a part in letters that it does not hold
        raise ClientException("This form cannot be read.") from error
