"""Serves the pages: one port for https and http.

The first byte of a connection tells which of the two it is (a TLS handshake begins with 22), so nobody has to know a
second port, and `http://hub:8080` finds its way: what comes in plain from another machine is sent on to https, unless
a trusted reverse proxy brings it. A connection that says nothing is closed after a while.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address
from typing import Any

import structlog
import uvicorn

from ruid_hub.api.network import NO_PROXIES, Proxies, host_name

TLS_HANDSHAKE = b"\x16"
FIRST_BYTE_WITHIN_S = 10.0
UNDECIDED = 200
"""Connections that have not said anything yet; more than these have to wait."""
STOP_WITHIN_S = 1.0
PLAIN_FOR_ALL = ("/healthz", "/authority.")
"""Watchdogs know no authority, and nobody can trust one before they have its certificate."""

_log = structlog.get_logger("hub")


class WebServer(uvicorn.Server):
    """uvicorn in somebody else's event loop, which accepts for itself; the hub handles signals."""

    def __init__(self, config: uvicorn.Config, *, tls: ssl.SSLContext | None) -> None:
        super().__init__(config)
        self._tls = tls
        self._undecided = asyncio.Semaphore(UNDECIDED)
        self._greeting: set[asyncio.Task[None]] = set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn: begin to accept."""
        await self.lifespan.startup()
        self.servers = []
        if self.lifespan.should_exit:
            self.should_exit = True
            return
        for listener in sockets or []:
            listener.setblocking(False)  # noqa: FBT003 - the socket's own signature
            self._keep(asyncio.create_task(self._accept(listener)))
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn: stop accepting, then end what is open."""
        for task in list(self._greeting):
            task.cancel()
        await asyncio.gather(*self._greeting, return_exceptions=True)
        await super().shutdown(sockets)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._undecided.acquire()
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                # Out of descriptors: the others will end some time.
                self._undecided.release()
                _log.warning("no connection accepted", reason=error.strerror)
                await asyncio.sleep(0.5)
                continue
            self._keep(asyncio.create_task(self._greet(connection)))

    async def _greet(self, connection: socket.socket) -> None:
        """Hand the connection over to uvicorn once it is clear what it speaks."""
        loop = asyncio.get_running_loop()
        try:
            connection.setblocking(False)  # noqa: FBT003 - the socket's own signature
            first = await _first_byte(connection) if self._tls else b""
            tls = self._tls if first == TLS_HANDSHAKE else None
            if self._tls and not first:
                connection.close()
                return
            await loop.connect_accepted_socket(self._protocol, connection, ssl=tls)
        except (OSError, ssl.SSLError, TimeoutError):
            connection.close()
        finally:
            self._undecided.release()

    def _protocol(self) -> asyncio.Protocol:
        config, make = self.config, self.config.http_protocol_class
        return make(config=config, server_state=self.server_state, app_state=self.lifespan.state)  # pyright: ignore

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)


class SecureElsewhere:
    """Sends plain requests from other machines on to https; 307, so that nothing is remembered by browsers.

    What asks under one of `plain_hosts` may stay: a browser means its own machine by them, whatever passes it on.
    """

    def __init__(self, app: Any, *, proxies: Proxies = NO_PROXIES, plain_hosts: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._proxies = proxies
        self._plain_hosts = plain_hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] in {"http", "websocket"} and self._must_move(scope):
            await _move(scope, send)
        else:
            await self._app(scope, receive, send)

    def _must_move(self, scope: Any) -> bool:
        if scope["scheme"] in {"https", "wss"} or scope["path"].startswith(PLAIN_FOR_ALL):
            return False
        peer = scope["client"][0] if scope.get("client") else ""
        here = _is_loopback(peer) or host_name(_host(scope)) in self._plain_hosts
        return not (here or self._proxies.trusts(peer))


@asynccontextmanager
async def serving(
    app: Any,
    listener: socket.socket,
    *,
    tls: ssl.SSLContext | None,
    proxies: Proxies,
    plain_hosts: frozenset[str] = frozenset(),
) -> AsyncGenerator[int]:
    """Serve while the context lasts; yields the port. Without `tls` everything is plain."""
    config = uvicorn.Config(
        SecureElsewhere(app, proxies=proxies, plain_hosts=plain_hosts) if tls else app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="websockets-sansio",
        ws_max_size=64 * 1024,
        timeout_graceful_shutdown=1,
        lifespan="on",
    )
    server = WebServer(config, tls=tls)
    listener.listen(config.backlog)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(task, 2 * STOP_WITHIN_S)


async def _first_byte(connection: socket.socket) -> bytes:
    """The byte that comes next, which stays where it is; nothing where the other side has gone."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        async with asyncio.timeout(FIRST_BYTE_WITHIN_S):
            await readable.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)


async def _move(scope: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    host = _host(scope)
    path = scope.get("raw_path", b"/").decode("latin-1") or "/"
    query = scope.get("query_string", b"").decode("latin-1")
    target = f"https://{host}{path}{'?' + query if query else ''}"
    moved = [(b"location", target.encode("latin-1")), (b"content-length", b"0"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 307 if host else 400, "headers": moved})
    await send({"type": "http.response.body", "body": b""})


def _host(scope: Any) -> str:
    return dict(scope["headers"]).get(b"host", b"").decode("latin-1")


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
