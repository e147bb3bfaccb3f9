"""Two hosts, each in its own network namespace, with real multicast DNS between them."""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tooling import missing, require_tool

SETTLE = """
import asyncio, sys
from ruid_hub.discovery import Announcer, Presence, Standing, settle
async def main():
    presence = Presence(sys.argv[1] * 32, "f" * 64, 8765)
    await settle(presence, has_nodes=False)
    print("hub", flush=True)
    async with Announcer(presence, standing=Standing.HUB, has_nodes=False):
        await asyncio.sleep(300)
asyncio.run(main())
"""
FIND = """
import asyncio
from ruid_edge.enrolment.hubs import ListeningFinder
print(asyncio.run(ListeningFinder().find(hub_id=None)), flush=True)
"""


def ip(*arguments: str) -> None:
    subprocess.run([require_tool("ip"), *arguments], check=True, capture_output=True, timeout=20)


@contextmanager
def two_hosts() -> Generator[tuple[str, str]]:
    """Two namespaces on one cable; skips where they cannot be made."""
    require_tool("ip")
    if os.geteuid() != 0:
        missing("network namespaces need root")
    one, two = (f"ruid{os.getpid()}{letter}" for letter in "ab")
    try:
        try:
            for name in (one, two):
                ip("netns", "add", name)
            ip("link", "add", "ve0", "netns", one, "type", "veth", "peer", "name", "ve0", "netns", two)
        except subprocess.CalledProcessError as error:
            missing(f"network namespaces cannot be made here: {error.stderr}")
        for host, name in enumerate((one, two), start=1):
            ip("-n", name, "address", "add", f"10.77.0.{host}/24", "dev", "ve0")
            ip("-n", name, "link", "set", "ve0", "up")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "route", "add", "default", "dev", "ve0")
        yield one, two
    finally:
        for name in (one, two):
            with suppress(subprocess.CalledProcessError):
                ip("netns", "del", name)


def start(host: str, program: str, *arguments: str, output: Path) -> "subprocess.Popen[bytes]":
    command = [str(require_tool("ip")), "netns", "exec", host, sys.executable, "-c", program, *arguments]
    with output.open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def wait_for(path: Path, text: str, *, within_s: float) -> None:
    deadline_s = time.monotonic() + within_s
    while text not in path.read_text(encoding="utf-8"):
        if time.monotonic() > deadline_s:
            pytest.fail(f"'{text}' not within {within_s} s: {path.read_text(encoding='utf-8')}")
        time.sleep(0.1)


def test_two_hosts_settle_on_one_hub_and_a_node_finds_it(tmp_path: Path) -> None:
    with two_hosts() as (one, two):
        high = start(one, SETTLE, "b", output=tmp_path / "high")
        low = start(two, SETTLE, "a", output=tmp_path / "low")
        try:
            wait_for(tmp_path / "low", "hub", within_s=40)
            time.sleep(6)
            assert "hub\n" not in (tmp_path / "high").read_text(encoding="utf-8").replace("is the hub", "")
            node = start(one, FIND, output=tmp_path / "node")
            assert node.wait(40) == 0
            assert "wss://10.77.0.2:8765" in (tmp_path / "node").read_text(encoding="utf-8")
        finally:
            for process in (high, low):
                process.kill()
                process.wait(10)
