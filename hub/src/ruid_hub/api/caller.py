"""Finds out who makes a request, before any route sees it."""

import asyncio

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from ruid_hub.access import Access, AccessMode, Caller, Way
from ruid_hub.access.secrets import TOKEN_PREFIX, new_secret
from ruid_hub.api.network import LOOPBACK_NAMES, AnyConnection, Proxies, host_name, is_secure

SESSION = "ruid_session"
VOUCHING = "ruid_oidc"
"""What a browser carries while its user is at the identity provider."""
VISIT = "ruid_visit"
"""A browser that has not signed in yet: what its forms' CSRF token is made of."""
TRIED = "ruid_tried"
"""The name that did not come in, for the form to keep."""
KNOWN_BROWSER = "ruid_known"
CSRF_SHOWN = "ruid_csrf_shown"
"""In the request's state once a form was made: only then does a browser that nobody knows need a cookie."""
YEAR_S = 365 * 86_400


class FindCaller(ASGIMiddleware):
    """Puts the caller (or None) into `scope["user"]` and what the CSRF token is made of into `scope["auth"]`.

    A bearer token counts before everything else; a token that is not one is nobody, whatever cookies say.
    """

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    def __init__(self, *, access: Access, proxies: Proxies, open_hosts: frozenset[str] = LOOPBACK_NAMES) -> None:
        self._access = access
        self._proxies = proxies
        self._open_hosts = open_hosts

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """See the class."""
        connection: AnyConnection = ASGIConnection(scope)
        caller, secret = await self._caller(connection)
        scope["user"], scope["auth"] = caller, secret
        if secret == "" and (caller is None or caller.way is Way.DEMONSTRATION):
            send = self._with_visit(connection, send)
        await next_app(scope, receive, send)

    async def _caller(self, connection: AnyConnection) -> tuple[Caller | None, str]:
        if self._access.mode is AccessMode.OPEN:
            return self._anybody(connection), ""
        bearer = connection.headers.get("authorization", "")
        if bearer:
            return await self._by_token(bearer), ""
        proxy_user = self._proxies.user(connection)
        if proxy_user is not None:
            caller = await asyncio.to_thread(self._access.caller_by_proxy, proxy_user)
            return caller, f"proxy {self._access.csrf_of('')} {proxy_user}"
        caller, secret = await self._by_session(connection)
        return caller or await self._visitor(connection), secret

    def _anybody(self, connection: AnyConnection) -> Caller | None:
        return self._access.anybody() if self._is_own_name(connection) else None

    async def _visitor(self, connection: AnyConnection) -> Caller | None:
        if self._access.mode is not AccessMode.DEMONSTRATION or not self._is_own_name(connection):
            return None
        return await asyncio.to_thread(self._access.visitor)

    def _is_own_name(self, connection: AnyConnection) -> bool:
        """Whether this machine is asked under its own names; another site's name that was pointed here is none."""
        return host_name(connection.headers.get("host", "")) in self._open_hosts

    async def _by_token(self, header: str) -> Caller | None:
        kind, _, secret = header.partition(" ")
        if kind.lower() != "bearer" or not secret.startswith(TOKEN_PREFIX):
            return None
        return self._access.remembered(secret) or await asyncio.to_thread(self._access.caller_by_token, secret)

    async def _by_session(self, connection: AnyConnection) -> tuple[Caller | None, str]:
        secure = is_secure(connection, self._proxies)
        secret = connection.cookies.get(cookie_name(SESSION, secure=secure), "")
        if secret:
            remembered = self._access.remembered(secret)
            caller = remembered or await asyncio.to_thread(self._access.caller_by_session, secret)
            if caller is not None:
                return caller, secret
        return None, connection.cookies.get(cookie_name(VISIT, secure=secure), "")

    def _with_visit(self, connection: AnyConnection, send: Send) -> Send:
        """Give a browser that nobody knows something to make a CSRF token of."""
        visit, secure = new_secret(), is_secure(connection, self._proxies)
        connection.scope["auth"] = visit

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and CSRF_SHOWN in connection.scope["state"]:
                headers = MutableScopeHeaders.from_message(message)
                headers.add("set-cookie", cookie(VISIT, visit, secure=secure).to_header(header=""))
            await send(message)

        return sending


def cookie_name(name: str, *, secure: bool) -> str:
    """Over https the prefix makes browsers refuse the cookie from anybody but this very host."""
    return f"__Host-{name}" if secure else name


def cookie(name: str, value: str, *, secure: bool, max_age_s: int | None = None) -> Cookie:
    """Scripts cannot read it and other sites' requests do not carry it; an age of 0 removes it."""
    full = cookie_name(name, secure=secure)
    return Cookie(full, value=value, path="/", httponly=True, samesite="lax", secure=secure, max_age=max_age_s)
