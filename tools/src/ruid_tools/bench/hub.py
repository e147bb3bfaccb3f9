"""The hub under load: live traffic of many cameras, open browsers, a month of observations in the database.

The hub's own service, store, counting and web server run here; the browsers run in a process of their own. Nodes
call the service as the ingest server does, so that what is timed is the hub and not the encryption. A beat, hidden in
a camera's name, tells how long a change takes to every browser.
"""

import asyncio
import gc
import json
import math
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from ruid_core.wire.messages import CameraInfo, Hello, Live, LiveTrack, Tracklet
from ruid_core.wire.uplink import ItemKey
from ruid_hub.access import Access, AccessMode, Audit
from ruid_hub.api.network import NO_PROXIES
from ruid_hub.authority import Authority
from ruid_hub.counting import Counting, read_ahead
from ruid_hub.identities import build_engine
from ruid_hub.integrations.metrics import HubMetrics
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.nodes import NodeRegister
from ruid_hub.parts import HubParts
from ruid_hub.recognition import ReceivedItem, Recogniser
from ruid_hub.service import HubService
from ruid_hub.settings import HubSettings
from ruid_hub.site import Site
from ruid_hub.store import Store, open_store
from ruid_hub.web_app import WebSettings, create_web_app
from ruid_hub.web_server import serving
from ruid_tools.bench.hub_filling import Filling, fill

NODE = "bench"
DIM = 256
LIVE_EVERY_S = 0.2
TRACKLETS_PER_CAMERA_S = 0.5
BEAT_EVERY_S = 0.5
PAGES = ("/", "/people", "/counts", "/counts?period=week", "/counts?period=month", "/cameras")
REPORT = "/counts?period=month"
SINGLE_S = 4.0
AHEAD_S = 5.0
"""How long live updates are looked at while counts are read ahead."""


@dataclass(frozen=True, slots=True)
class HubBenchSettings:
    """How much load, for how long."""

    observations: int = 10_000_000
    cameras: int = 50
    browsers: int = 20
    days: int = 30
    seconds: float = 30.0


def bench_hub(settings: HubBenchSettings) -> dict[str, Any]:
    """Fill a database, put a hub on it, and time it: first without browsers, then with them."""
    with tempfile.TemporaryDirectory(prefix="ruid-bench-") as folder:
        path = Path(folder) / "hub.db"
        open_store(path).close()
        started_s = time.monotonic()
        now_s = time.time()
        fill(path, Filling(settings.observations, settings.cameras, settings.days, now_s))
        filled_s = time.monotonic() - started_s
        store = open_store(path)
        try:
            figures = asyncio.run(_load(store, path.parent, settings))
        finally:
            store.close()
        return {
            "observations": settings.observations,
            "cameras": settings.cameras,
            "browsers": settings.browsers,
            "database_gb": round(path.stat().st_size / 1e9, 2),
            "filled_s": round(filled_s, 1),
            "cpus": os.cpu_count(),
            **figures,
        }


async def _load(store: Store, folder: Path, settings: HubBenchSettings) -> dict[str, Any]:
    site, notifier, metrics = Site(), ChangeNotifier(), HubMetrics()
    counting = Counting(store=store, site=site, clock=time.time)
    engine = build_engine("ruid", next_identity_id=lambda: uuid4().hex[:12])
    recogniser = Recogniser(store=store, engine=engine)
    service = HubService(site=site, store=store, recogniser=recogniser, notifier=notifier, metrics=metrics)
    parts = HubParts(
        site=site,
        store=store,
        access=Access(store=store, clock=time.time, mode=AccessMode("open")),
        audit=Audit(store=store, clock=time.time),
        notifier=notifier,
        metrics=metrics,
        clock=time.time,
        hand=service.hand,
        counting=counting,
        nodes=NodeRegister(
            store=store,
            authority=Authority.open(folder / "authority", names=("localhost",), now_s=time.time()),
            resume_point=recogniser.resume_point,
            clock=time.time,
        ),
    )
    await service.start()
    traffic = _Traffic(service, settings.cameras)
    async with _served(parts) as address:
        gc.freeze()  # as the hub does
        async with _running(traffic):
            reading = asyncio.create_task(read_ahead(counting, time.time))  # as the hub does
            beats_ms = (await _browsers(address, seconds=AHEAD_S, browsers=1, pages=["/"]))["beats_ms"]
            ahead = {"took_s": round(await reading, 1), "live_update_ms": _spread(beats_ms)}
            cold_ms = await _first_report(address)
            quiet_ms = await _commits_of(traffic, settings.seconds / 3)
            seen, busy_ms = await _browsed(traffic, address, settings)
        cpu_ms = {page: await _cpu_of(page, address) for page in PAGES}
        notifier.close()
    await service.close()
    return _told(seen, quiet_ms, busy_ms, cold_ms) | {"cpu_ms": cpu_ms, "read_ahead": ahead}


class _Traffic:
    """What the nodes send: who is in view, all the time, and tracklets to be recognised and committed."""

    def __init__(self, service: HubService, cameras: int) -> None:
        self._service = service
        self._names = [f"cam{key}" for key in range(1, cameras + 1)]
        self._draw = np.random.default_rng(7)
        self._faces = _unit(self._draw.normal(size=(200, DIM)))
        self._seq = count(10**9)
        self.commits_ms: list[float] = []

    async def run(self) -> None:
        """For ever."""
        self._hello(0)
        await asyncio.gather(self._live(), self._items(), self._beats())

    def _hello(self, beat: int) -> None:
        infos = [CameraInfo(name, name, 640, 480) for name in self._names]
        infos[0] = CameraInfo(self._names[0], f"beat {beat}", 640, 480)
        hello = Hello(1, 1, NODE, "Bench", 2, "0", "bench", DIM, "bench", tuple(infos), time.time())
        self._service.connected(hello, time.time())

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(BEAT_EVERY_S)
            self._hello(time.monotonic_ns())

    async def _live(self) -> None:
        pause_s = LIVE_EVERY_S / len(self._names)
        for turn in count():
            name, now_s = self._names[turn % len(self._names)], time.time()
            box = (0.1, 0.1, 0.2, 0.5)
            tracks = tuple(LiveTrack(turn % 7 + one, box, 0.9, now_s) for one in range(3))
            self._service.live(NODE, Live(name, now_s, now_s, tracks), now_s)
            await asyncio.sleep(pause_s)

    async def _items(self) -> None:
        pause_s = 0.1
        portion = max(1, round(len(self._names) * TRACKLETS_PER_CAMERA_S * pause_s))
        while True:
            items = [self._item() for _ in range(portion)]
            started_s = time.monotonic()
            await self._service.commit(items)
            self.commits_ms.append((time.monotonic() - started_s) * 1000)
            await asyncio.sleep(pause_s)

    def _item(self) -> ReceivedItem:
        now_s, seq = time.time(), next(self._seq)
        face = self._faces[int(self._draw.integers(len(self._faces)))]
        vectors = _unit(face + self._draw.normal(scale=0.02, size=(2, DIM))).astype("<f2")
        camera = self._names[seq % len(self._names)]
        tracklet = Tracklet(
            camera_id=camera,
            track_id=seq,
            part=0,
            final=True,
            started_at_s=now_s - 2,
            ended_at_s=now_s,
            grabbed_at_s=now_s,
            box_rel=(0.1, 0.1, 0.2, 0.5),
            frames=20,
            embedding_model_id="bench",
            embeddings=vectors.tobytes(),
            qualities=(0.9, 0.8),
        )
        return ReceivedItem(NODE, ItemKey(2, seq), tracklet, now_s, 0.0)


def _unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@asynccontextmanager
async def _served(parts: HubParts) -> AsyncGenerator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    web = WebSettings(web_dir=Path(HubSettings().web_dir), site_name="Bench", time_zone=UTC)
    async with serving(create_web_app(parts, web), listener, tls=None, proxies=NO_PROXIES) as port:
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def _running(traffic: _Traffic) -> AsyncGenerator[None]:
    task = asyncio.create_task(traffic.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _first_report(address: str) -> float:
    """The month's page that nobody has asked for yet."""
    told = await _browsers(address, seconds=0.5, browsers=1, pages=[REPORT])
    return float(max(told["pages_ms"].get(REPORT, [math.inf])))


async def _cpu_of(page: str, address: str) -> float:
    """What a page costs the hub's processor while nothing else goes on: hardly depends on how busy the machine is."""
    began_s = time.process_time()
    told = await _browsers(address, seconds=SINGLE_S, browsers=1, pages=[page])
    times = len(told["pages_ms"].get(page, ()))
    return round((time.process_time() - began_s) * 1000 / max(times, 1), 1)


async def _commits_of(traffic: _Traffic, seconds: float) -> list[float]:
    traffic.commits_ms.clear()
    await asyncio.sleep(seconds)
    return list(traffic.commits_ms)


async def _browsed(traffic: _Traffic, address: str, settings: HubBenchSettings) -> tuple[dict[str, Any], list[float]]:
    traffic.commits_ms.clear()
    began_s, before = time.process_time(), os.getloadavg()[0]
    seen = await _browsers(address, seconds=settings.seconds, browsers=settings.browsers, pages=PAGES)
    seen["hub_cpu_share"] = round((time.process_time() - began_s) / settings.seconds, 2)
    seen["load_average"] = [round(before, 1), round(os.getloadavg()[0], 1)]
    return seen, list(traffic.commits_ms)


async def _browsers(address: str, *, seconds: float, browsers: int, pages: Sequence[str]) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ruid_tools.bench.hub_browsers", address, str(seconds), str(browsers), *pages),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    return json.loads(told)


def _told(seen: dict[str, Any], quiet_ms: list[float], busy_ms: list[float], cold_ms: float) -> dict[str, Any]:
    pages: dict[str, list[float]] = seen["pages_ms"]
    return {
        "first_month_ms": round(cold_ms, 1),
        "pages_ms": {path: _spread(times) for path, times in sorted(pages.items())},
        "all_pages_ms": _spread([one for times in pages.values() for one in times]),
        "live_update_ms": _spread(seen["beats_ms"]),
        "commit_ms": {"without_browsers": _spread(quiet_ms), "with_browsers": _spread(busy_ms)},
        "hub_cpu_share": seen["hub_cpu_share"],
        "load_average": seen["load_average"],
        "failures": seen["failures"],
    }


def _spread(times_ms: Sequence[float]) -> dict[str, float]:
    if not times_ms:
        return {"times": 0}
    p50, p95 = np.percentile(times_ms, [50, 95]).tolist()
    return {"times": len(times_ms), "p50": round(p50, 1), "p95": round(p95, 1), "max": round(max(times_ms), 1)}
