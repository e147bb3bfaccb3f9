"""What a hub that does not work answers on its port: that it is well and stands by, or what it waits for.

Browsers get it as a page that looks again by itself, programs as JSON.

Without it a container's health check would call every idle hub ill.
"""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from html import escape
from typing import Any

import msgspec

from ruid_hub.api.network import NO_PROXIES
from ruid_hub.web_server import serving

NOT_THE_HUB = "this device stands by: it is not the hub"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta http-equiv="refresh" content="10"><title>{title}</title></head>
<body><main><h1>{title}</h1><p>{reason}.</p><p>This page looks again every ten seconds.</p></main></body></html>
"""


@asynccontextmanager
async def standing_by(listener: socket.socket, *, waits_for: str = "") -> AsyncGenerator[int]:
    """Answer while the context lasts, in plain HTTP; yields the port, which is free again afterwards.

    Where `waits_for` says what keeps the hub from its work, its health is not good until then.
    """
    body = msgspec.json.encode({"live": True, "ready": False, "reasons": [waits_for or NOT_THE_HUB]})
    page = _page(waits_for)
    good = {"/healthz/live"} if waits_for else {"/healthz", "/healthz/live"}

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        """ASGI. Alive is what a watchdog asks; whoever asks whether this is a hub that works is told no."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1013})
        else:
            status = 200 if scope["path"].rstrip("/") in good else 503
            to_people = any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
            media_type = b"text/html; charset=utf-8" if to_people else b"application/json"
            headers = [(b"content-type", media_type), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": page if to_people else body})

    async with serving(answer, listener, tls=None, proxies=NO_PROXIES) as port:
        yield port


def _page(waits_for: str) -> bytes:
    reason = waits_for or NOT_THE_HUB
    title = "This hub waits" if waits_for else "No hub here"
    return _PAGE.format(title=title, reason=escape(reason[:1].upper() + reason[1:])).encode()


async def _live(receive: Any, send: Any) -> None:
    for _ in range(2):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
