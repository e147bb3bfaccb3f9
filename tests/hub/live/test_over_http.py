"""The stream over a real connection: readers of every speed, and the end."""

import re
import socket
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest

from hub_fakes import PagesOnly, hello, live, matched, track
from ruid_hub.site import Site
from ruid_hub.store import open_store

CROWD = 60
UPDATES = 30
BUFFER_BYTES = 32_768
"""Small, so that a page that does not read is noticed after one update and not after forty."""


@pytest.fixture
def hub(tmp_path: Path) -> Generator[PagesOnly]:
    store = open_store(tmp_path / "hub.db")
    hub = PagesOnly(store, send_buffer_bytes=BUFFER_BYTES)
    hub.do(lambda site: site.node_connected(hello(), time.time()))
    yield hub
    hub.stop()
    store.close()


def crowd(site: Site, count: int) -> None:
    """Sixty cards that all change with every call: a large update."""
    now_s = time.time()
    for number in range(CROWD):
        site.assigned(track(number), matched(f"p{number}"), at_s=now_s, thumbnail_id=count * CROWD + number + 1)
    site.live("node-1", live(*range(count)), now_s)


def people_now(events: Iterator[str]) -> Iterator[int]:
    for line in events:
        found = re.search(r'data-testid="people-now">(\d+)<', line)
        if found:
            yield int(found.group(1))


def metric(hub: PagesOnly, name: str) -> float:
    lines = httpx.get(hub.url + "metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def follow_every_update(hub: PagesOnly) -> None:
    with httpx.stream("GET", hub.url + "live/stream", timeout=10) as answer:
        seen = people_now(answer.iter_lines())
        next(seen)
        for count in range(1, UPDATES + 1):
            hub.do(lambda site, count=count: crowd(site, count))
            while next(seen) != count:
                pass


def read_until(reader: socket.socket, wanted: bytes) -> bytes:
    reader.settimeout(10)
    received = b""
    while wanted not in received:
        received += reader.recv(65_536)
    return received


def test_a_page_that_never_reads_holds_up_nobody_and_costs_no_memory(hub: PagesOnly):
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        stuck.connect(("127.0.0.1", hub.port))
        stuck.sendall(b"GET /live/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        follow_every_update(hub)
        received = read_until(stuck, f'data-testid="people-now">{UPDATES}<'.encode())
    shown = re.findall(rb'data-testid="people-now">(\d+)<', received)
    assert len(shown) < UPDATES / 2
    assert metric(hub, "ruid_pages_updates_skipped_total") >= UPDATES / 2


def test_stopping_the_hub_ends_the_streams_at_once(hub: PagesOnly):
    with httpx.stream("GET", hub.url + "live/stream", timeout=10) as answer:
        lines = answer.iter_lines()
        next(lines)
        started_s = time.monotonic()
        hub.stop()
        assert time.monotonic() - started_s < 2.0
        assert not any("people-now" in line and ">99<" in line for line in lines)
