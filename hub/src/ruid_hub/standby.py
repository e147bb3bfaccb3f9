"""What a device that is not the hub answers on the hub's port: that it is well, and that it stands by.

Without it a container's health check would call every idle hub ill.
"""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from ruid_hub.api.network import NO_PROXIES
from ruid_hub.web_server import serving

WELL = msgspec.json.encode({"live": True, "ready": False, "reasons": ["this device stands by: it is not the hub"]})


@asynccontextmanager
async def standing_by(listener: socket.socket) -> AsyncGenerator[int]:
    """Answer while the context lasts, in plain HTTP; yields the port, which is free again afterwards."""
    async with serving(_answer, listener, tls=None, proxies=NO_PROXIES) as port:
        yield port


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    """ASGI. Alive is what a watchdog asks; whoever asks whether this is a hub that works is told no."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1013})
    else:
        well = scope["path"].rstrip("/") in {"/healthz", "/healthz/live"}
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200 if well else 503, "headers": headers})
        await send({"type": "http.response.body", "body": WELL})


async def _live(receive: Any, send: Any) -> None:
    for _ in range(2):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
