"""Browsers that look at a hub: a process of their own, so that they take no time from the hub they time.

`python -m ruid_tools.bench.hub_browsers ADDRESS SECONDS BROWSERS PATH…` prints one JSON document.
"""

import asyncio
import json
import re
import sys
import time
from collections import defaultdict
from itertools import count

import httpx

BEAT = re.compile(rb"beat (\d+)")
PAUSE_S = 1.0
TIMEOUT_S = 180.0


async def browse(address: str, seconds: float, browsers: int, paths: list[str]) -> dict[str, object]:
    """Each browser keeps a live stream open and goes from page to page."""
    pages_ms: dict[str, list[float]] = defaultdict(list)
    beats_ms: list[float] = []
    failures: dict[str, int] = defaultdict(int)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT_S, limits=limits) as client:
        end_s = time.monotonic() + seconds
        await asyncio.gather(
            *(_look(client, end_s, paths, number, pages_ms, failures) for number in range(browsers)),
            *(_follow(client, end_s, beats_ms, failures) for _ in range(browsers)),
        )
    return {"pages_ms": pages_ms, "beats_ms": beats_ms, "failures": failures}


async def _look(
    client: httpx.AsyncClient,
    end_s: float,
    paths: list[str],
    number: int,
    pages_ms: dict[str, list[float]],
    failures: dict[str, int],
) -> None:
    await asyncio.sleep(PAUSE_S * number / 20)
    for turn in count(number):
        # On a crowded machine the time may be over before the first page: each opens one all the same.
        if turn > number and time.monotonic() >= end_s:
            return
        path = paths[turn % len(paths)]
        started_s = time.monotonic()
        try:
            response = await client.get(path, headers={"Accept": "text/html"})
        except httpx.HTTPError as error:
            failures[f"{path} {type(error).__name__}"] += 1
            continue
        if response.status_code == 200:
            pages_ms[path].append((time.monotonic() - started_s) * 1000)
        else:
            failures[f"{path} {response.status_code}"] += 1
        await asyncio.sleep(PAUSE_S)


async def _follow(client: httpx.AsyncClient, end_s: float, beats_ms: list[float], failures: dict[str, int]) -> None:
    try:
        async with client.stream("GET", "/live/stream") as stream:
            await _beats(stream, end_s, beats_ms)
    except httpx.HTTPError as error:
        failures[f"stream {type(error).__name__}"] += 1


async def _beats(stream: httpx.Response, end_s: float, beats_ms: list[float]) -> None:
    stream.raise_for_status()
    known = 0
    async for piece in stream.aiter_bytes():
        now_ns = time.monotonic_ns()
        for beat in map(int, BEAT.findall(piece)):
            if beat > known:
                known = beat
                beats_ms.append((now_ns - known) / 1e6)
        if time.monotonic() >= end_s:
            return


def main() -> None:
    """Browse as the arguments say."""
    address, seconds, browsers, *paths = sys.argv[1:]
    told = asyncio.run(browse(address, float(seconds), int(browsers), paths))
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
