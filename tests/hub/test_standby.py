"""A device that is not the hub says that it is well, and leaves the database alone."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ruid_hub.standby import standing_by

START_WITHIN_S = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def resting_hub(folder: Path, port: int) -> "Generator[subprocess.Popen[bytes]]":
    """A real hub with RUID_ROLE=edge; it is killed if it is still there at the end."""
    environment = {**os.environ, "RUID_ROLE": "edge", "RUID_STATE_DIR": str(folder), "RUID_HTTP_PORT": str(port)}
    command = [sys.executable, "-m", "ruid_hub"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def first_answer(url: str) -> httpx.Response:
    deadline_s = time.monotonic() + START_WITHIN_S
    while True:
        try:
            return httpx.get(url)
        except httpx.ConnectError:
            assert time.monotonic() < deadline_s, "nothing answers"
            time.sleep(0.1)


def test_a_hub_that_rests_is_healthy_opens_no_database_and_ends_well(tmp_path: Path) -> None:
    port = free_port()
    with resting_hub(tmp_path / "state", port) as process:
        answer = first_answer(f"http://127.0.0.1:{port}/healthz")
        assert (answer.status_code, answer.json()["live"], answer.json()["ready"]) == (200, True, False)
        assert not (tmp_path / "state/hub.db").exists()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0
        assert b"stopped: this device was not the hub" in log


@pytest.mark.asyncio
async def test_who_asks_for_a_working_hub_is_told_that_this_is_none() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    async with standing_by(listener) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answers = [await client.get(path) for path in ("/healthz/live", "/healthz/ready", "/", "/api/v1/site")]
    assert [answer.status_code for answer in answers] == [200, 503, 503, 503]
    assert "stands by" in answers[1].text


@pytest.mark.asyncio
async def test_a_browser_is_shown_what_the_hub_waits_for_until_it_works() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    reason = "the database needs room in <b>/var</b>"
    async with standing_by(listener, waits_for=reason) as port, httpx.AsyncClient() as client:
        page = await client.get(f"http://127.0.0.1:{port}/people", headers={"accept": "text/html,*/*"})
        programs = await client.get(f"http://127.0.0.1:{port}/people")
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "<p>The database needs room in &lt;b&gt;/var&lt;/b&gt;.</p>" in page.text
    assert 'http-equiv="refresh"' in page.text
    assert programs.json()["reasons"] == [reason]


@pytest.mark.asyncio
async def test_the_port_is_free_for_the_hub_that_follows() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    async with standing_by(listener) as port, httpx.AsyncClient() as client:
        await client.get(f"http://127.0.0.1:{port}/healthz")
    with socket.create_server(("127.0.0.1", port)):
        pass
