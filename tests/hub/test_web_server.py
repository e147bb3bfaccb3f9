"""One port for https and http, with the real server on the hub's own certificate."""

import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from ruid_hub.api.network import LOOPBACK_NAMES, NO_PROXIES, Proxies
from ruid_hub.authority import Authority
from ruid_hub.web_server import SecureElsewhere, serving

pytestmark = pytest.mark.asyncio


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers with how it was reached."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": message["type"] + ".complete"})
        return
    body = f"{scope['scheme']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest_asyncio.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    authority = Authority.open(tmp_path, names=["localhost", "127.0.0.1"], now_s=time.time())
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    async with serving(echo, listener, tls=authority.server_context_for_pages(), proxies=NO_PROXIES) as port:
        yield port


async def test_https_with_the_hubs_own_certificate_and_http_on_one_port(port: int, tmp_path: Path):
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    async with httpx.AsyncClient(verify=trusting) as client:
        assert (await client.get(f"https://localhost:{port}/a")).text == "https /a"
        assert (await client.get(f"http://127.0.0.1:{port}/b")).text == "http /b"


async def test_a_browser_that_does_not_know_the_authority_refuses(port: int):
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(f"https://localhost:{port}/")


async def test_a_connection_that_says_nothing_or_nonsense_keeps_nobody_out(port: int, tmp_path: Path):
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    silent[0].sendall(b"\x16\x03\x01\x00\x05hello")
    silent[1].close()
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/b")).status_code == 200
    for each in silent:
        each.close()


async def ask(
    app: SecureElsewhere, peer: str, path: str = "/counts", scheme: str = "http", host: str = "hub.local:8080"
) -> tuple[int, str]:
    """The status of an answer and where it leads."""
    answers: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "scheme": scheme,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"a=1",
        "client": (peer, 1),
        "headers": [(b"host", host.encode())],
    }
    await app(scope, None, send)
    return answers[0]["status"], dict(answers[0]["headers"]).get(b"location", b"").decode()


async def test_plain_requests_from_other_machines_move_to_https():
    app = SecureElsewhere(echo)
    assert await ask(app, "192.168.0.7") == (307, "https://hub.local:8080/counts?a=1")
    assert await ask(app, "192.168.0.7", scheme="https") == (200, "")
    assert await ask(app, "127.0.0.1") == (200, "")


@pytest.mark.parametrize("path", ["/healthz", "/healthz/live", "/authority.pem"])
async def test_what_must_be_read_before_there_is_trust_stays_plain(path: str):
    assert await ask(SecureElsewhere(echo), "192.168.0.7", path) == (200, "")


async def test_a_trusted_proxy_may_come_plain():
    app = SecureElsewhere(echo, proxies=Proxies.of(["172.16.0.0/12"]))
    assert await ask(app, "172.17.0.1") == (200, "")
    assert (await ask(app, "10.0.0.1"))[0] == 307


async def test_a_demonstration_is_shown_plain_under_its_machines_own_names_alone():
    """A container sees its network's gateway, not the machine itself, when a browser there asks."""
    app = SecureElsewhere(echo, plain_hosts=LOOPBACK_NAMES)
    for host in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080", "localhost"):
        assert await ask(app, "172.18.0.1", host=host) == (200, ""), host
    assert (await ask(app, "172.18.0.1"))[0] == 307
    assert (await ask(app, "172.18.0.1", host="localhost.elsewhere.example:8080"))[0] == 307
    assert (await ask(SecureElsewhere(echo), "172.18.0.1", host="localhost:8080"))[0] == 307
