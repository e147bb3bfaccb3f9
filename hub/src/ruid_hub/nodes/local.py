"""Commands from this machine: a socket in the state folder, for whoever may read that folder.

One JSON line each way. `ruid hub nodes …` is the client; the file's owner is the whole of the authentication.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from ruid_hub.authority.certificates import RequestRefused
from ruid_hub.nodes.errors import NodesError
from ruid_hub.nodes.register import NodeRegister

SOCKET_NAME = "commands.sock"
_ACTOR = "the command line"
_MAX_LINE_BYTES = 64 * 1024
_WITHIN_S = 10.0

_log = structlog.get_logger("nodes")


class HubUnreachable(Exception):
    """No hub runs on this state folder."""


@asynccontextmanager
async def local_commands(
    register: NodeRegister, state_dir: Path, *, also: Mapping[str, Callable[[], object]] | None = None
) -> AsyncGenerator[None]:
    """Take commands while the context lasts; `also` are questions that others answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            line = await asyncio.wait_for(reader.readline(), _WITHIN_S)
            answer = await _obey(register, json.loads(line), also or {})
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    path = state_dir / SOCKET_NAME
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    former = os.umask(0o177)
    try:
        with _short(path) as short:
            listener.bind(short)
    finally:
        os.umask(former)
    server = await asyncio.start_unix_server(serve, sock=listener, limit=_MAX_LINE_BYTES)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


def command(state_dir: Path, what: str, **arguments: str) -> dict[str, Any]:
    """Send one command to the hub that runs on this state folder and return its answer.

    Raises `HubUnreachable`.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_WITHIN_S)
        try:
            with _short(state_dir / SOCKET_NAME) as short:
                client.connect(short)
            client.sendall(json.dumps({"what": what, **arguments}).encode() + b"\n")
            with client.makefile("rb") as answer:
                return json.loads(answer.readline())
        except (OSError, ValueError) as error:
            raise HubUnreachable(f"no hub answers in '{state_dir}' ({error})") from error


async def _obey(
    register: NodeRegister, wanted: dict[str, Any], also: Mapping[str, Callable[[], object]]
) -> dict[str, Any]:
    try:
        if wanted["what"] in also:
            return {"answer": await asyncio.to_thread(also[wanted["what"]])}
        return {"answer": await _answer(register, wanted)}
    except (NodesError, RequestRefused) as error:
        return {"refused": str(error)}
    except (KeyError, TypeError, AttributeError):
        return {"refused": "this is no command"}


async def _answer(register: NodeRegister, wanted: dict[str, Any]) -> object:
    match wanted["what"]:
        case "list":
            return {
                "fingerprint": register.fingerprint,
                "pending": [asdict(pending) for pending in register.pending()],
                "nodes": [asdict(node) for node in register.nodes()],
            }
        case "approve":
            return asdict(await register.approve(wanted["code"], actor=_ACTOR))
        case "reject":
            return await register.reject(wanted["code"], actor=_ACTOR)
        case "rename":
            return asdict(await register.rename(wanted["node_id"], wanted["name"], actor=_ACTOR))
        case "revoke":
            return asdict(await register.revoke(wanted["node_id"], actor=_ACTOR))
        case "replace":
            return asdict(await register.replace(wanted["node_id"], wanted["code"], actor=_ACTOR))
        case what:
            raise KeyError(what)


@contextmanager
def _short(path: Path) -> Generator[str]:
    """A name for the path that fits into a socket's address (108 bytes), however deep the folder lies."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
