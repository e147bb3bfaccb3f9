"""Values and small stand-ins for the hub's tests."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any, TypeVar

import numpy as np
import uvicorn
from litestar import Litestar

from ruid_core.wire.messages import CameraHealth, CameraInfo, Health, Hello, Live, LiveTrack
from ruid_hub.access import Access, AccessMode, Audit
from ruid_hub.api.network import LOOPBACK_NAMES
from ruid_hub.integrations.metrics import HubMetrics
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.observations import Assignment, Observation, TrackKey
from ruid_hub.parts import HubParts
from ruid_hub.site import Site
from ruid_hub.store import ObservationRow, Store
from ruid_hub.web_app import WebSettings, create_web_app
from tooling import REPOSITORY

WEB_DIR = REPOSITORY / "web"
NOON_S = 1_790_000_000.0
TEST_HOSTS = frozenset({"testserver.local", "testserver"})
"""What the test clients call the hub."""
JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"


@dataclass(slots=True)
class FakeClock:
    """The hub's time, moved by hand."""

    now_s: float = NOON_S

    def __call__(self) -> float:
        return self.now_s


def hello(node_id: str = "node-1", *, cameras: Mapping[str, str] | None = None, boot_epoch: int = 1) -> Hello:
    """A node with one camera called `cam`, unless told otherwise."""
    infos = tuple(CameraInfo(key, name, 768, 576) for key, name in (cameras or {"cam": "Entrance"}).items())
    return Hello(1, 0, node_id, "Pi by the door", boot_epoch, "0.1.0", "osnet", 4, "nanodet", infos, NOON_S)


def live(*track_ids: int, camera_id: str = "cam", at_s: float = NOON_S) -> Live:
    """These tracks are in view."""
    tracks = tuple(LiveTrack(track_id, (0.1, 0.1, 0.2, 0.5), 0.9, at_s) for track_id in track_ids)
    return Live(camera_id, at_s, at_s, tracks)


def health(
    camera_id: str = "cam",
    *,
    capturing: bool = True,
    drops: Mapping[str, int] | None = None,
    trouble: str = "",
    fps: float = 9.87,
    last_frame_at_s: float = 0.0,
) -> Health:
    """One camera's health; a `last_frame_at_s` of 0 means that there was none."""
    camera = CameraHealth(camera_id, capturing, fps, last_frame_at_s, 100, 50, 5, dict(drops or {}), (), trouble)
    return Health(NOON_S, 60.0, (camera,), 0, 0, {}, {}, 20.0, 150.0)


def track(track_id: int, *, camera: str = "node-1/cam", boot_epoch: int = 1) -> TrackKey:
    """A track of the usual camera."""
    return TrackKey(camera, boot_epoch, track_id)


def matched(identity_id: str) -> Assignment:
    """A confident assignment."""
    return Assignment(identity_id, "matched", 0.9)


def observation(
    seq: int,
    *,
    node_id: str = "node-1",
    camera_id: str = "cam",
    boot_epoch: int = 1,
    track_id: int | None = None,
    at_s: float = NOON_S,
    thumbnail_jpeg: bytes = JPEG,
) -> Observation:
    """A tracklet of two seconds that ended at `at_s` and arrived at once; its embeddings depend on `seq`."""
    rows = np.random.default_rng(seq).normal(size=(2, 4)).astype(np.float32)
    return Observation(
        node_id=node_id,
        boot_epoch=boot_epoch,
        seq=seq,
        track=TrackKey(f"{node_id}/{camera_id}", boot_epoch, seq if track_id is None else track_id),
        part=0,
        final=True,
        started_at_s=at_s - 2.0,
        ended_at_s=at_s,
        grabbed_at_s=at_s,
        received_at_s=at_s,
        box_rel=(0.1, 0.2, 0.3, 0.4),
        frames=20,
        embedding_model_id="osnet",
        embeddings=rows / np.linalg.norm(rows, axis=1, keepdims=True),
        qualities=np.array([0.5, 1.0], np.float32),
        thumbnail_jpeg=thumbnail_jpeg,
    )


def row(
    seq: int,
    identity_id: str | None = "ada",
    *,
    node_id: str = "node-1",
    camera_id: str = "cam",
    boot_epoch: int = 1,
    track_id: int | None = None,
    at_s: float = NOON_S,
    thumbnail_jpeg: bytes = JPEG,
) -> ObservationRow:
    """An observation and whom it belongs to."""
    seen = observation(
        seq,
        node_id=node_id,
        camera_id=camera_id,
        boot_epoch=boot_epoch,
        track_id=track_id,
        at_s=at_s,
        thumbnail_jpeg=thumbnail_jpeg,
    )
    return ObservationRow(seen, None if identity_id is None else matched(identity_id))


def web_app(
    *,
    site: Site,
    store: Store,
    notifier: ChangeNotifier,
    clock: Callable[[], float] = time.time,
    site_name: str = "Corner shop",
    not_ready: Callable[[], tuple[str, ...]] = tuple,
    mode: AccessMode = AccessMode.OPEN,
    **parts: Any,
) -> Litestar:
    """The real application on the real templates; open to everybody unless told otherwise."""
    known = HubParts(
        site=site,
        store=store,
        access=Access(store=store, clock=clock, mode=mode),
        audit=Audit(store=store, clock=clock),
        notifier=notifier,
        metrics=HubMetrics(),
        clock=clock,
        not_ready=not_ready,
    )
    return create_web_app(
        replace(known, **parts),
        WebSettings(web_dir=WEB_DIR, site_name=site_name, time_zone=UTC, open_hosts=LOOPBACK_NAMES | TEST_HOSTS),
    )


Answer = TypeVar("Answer")


class PagesOnly:
    """A hub that no node feeds: its web server runs in a thread, tests feed its site with `do`."""

    def __init__(
        self, store: Store, *, port: int = 0, site_name: str = "Corner shop", send_buffer_bytes: int | None = None
    ) -> None:
        self._store = store
        self._site_name = site_name
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if send_buffer_bytes is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        self._listener.bind(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self.site = Site()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._started.wait(20), "the web server did not start"

    def do(self, work: Callable[[Site], Answer]) -> Answer:
        """Run in the server's event loop, then tell the pages."""

        async def there() -> Answer:
            answer = work(self.site)
            self._notifier.changed()
            return answer

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result(10)

    def stop(self) -> None:
        """Stop as the hub does: streams first, then the server."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the web server did not stop"

    def _stop(self) -> None:
        self._notifier.close()
        self._server.should_exit = True

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._notifier = ChangeNotifier()
        app = web_app(site=self.site, store=self._store, notifier=self._notifier, site_name=self._site_name)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=2)
        self._server = Announcing(config, self._started)
        await self._server.serve(sockets=[self._listener])


class Announcing(uvicorn.Server):
    """Says when it listens, and leaves signals to the tests."""

    def __init__(self, config: uvicorn.Config, listening: threading.Event) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening.set()
