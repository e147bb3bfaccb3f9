"""A running node: its threads, its outbox and its end."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import structlog

from ruid_core.tracking.tracklets import Tracklet
from ruid_core.wire import messages as wm
from ruid_edge.capture import CaptureLoop, Frame, FrameExchange, make_source
from ruid_edge.capture.loop import CaptureEvents
from ruid_edge.capture.recordings import Playback
from ruid_edge.errors import EdgeError, NodeFailed
from ruid_edge.health.machine import Machine
from ruid_edge.inference import Embedder, load_detector
from ruid_edge.pipeline import CameraPipeline, FrameOutcome, InferenceLoop, Models, ThumbnailPolicy
from ruid_edge.pipeline.loop import InferenceEvents
from ruid_edge.report import Camera, health_message, hello_message, summarise
from ruid_edge.settings import CameraSettings, EdgeSettings
from ruid_edge.spool import Spool
from ruid_edge.uplink import Uplink
from ruid_edge.uplink.messages import live_message, tracklet_message

_OUTBOX_ITEMS = 256
_FLUSH_S = 1.5
_POLL_S = 0.02

_log = structlog.get_logger("node")


class EdgeNode:
    """A node from start to end; `run` returns when every recording is over or `stop` was called."""

    def __init__(self, settings: EdgeSettings, *, spool: Spool, embedder: Embedder) -> None:
        self._settings = settings
        self._spool = spool
        self._embedder = embedder
        self._started_s = time.monotonic()
        self._started_at_s = time.time()
        self._machine = Machine()
        self._cameras = {camera.camera_id: self._make_camera(camera) for camera in settings.cameras}
        self._exchange = FrameExchange(tuple(self._cameras))
        self._track_ids = itertools.count(1)
        self._inference = InferenceLoop(
            self._exchange, self._make_pipeline, InferenceEvents(self._worked, self._finished, self._inference_failed)
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outbox: asyncio.Queue[wm.Content] = asyncio.Queue(_OUTBOX_ITEMS)
        self._uplink = Uplink(url=settings.hub_url, spool=spool, make_hello=self._hello, make_health=self._health)
        self._over = asyncio.Event()
        self._stopping = False
        self._failure: EdgeError | None = None

    async def run(self) -> None:
        """Run until the end; raise the `EdgeError` that ended it, if one did."""
        self._loop = asyncio.get_running_loop()
        uplink = asyncio.create_task(self._uplink.run())
        outbox = asyncio.create_task(self._fill_spool())
        self._inference.start()
        for camera in self._cameras.values():
            camera.capture = self._start_capture(camera)
        await self._over.wait()
        await self._wind_down(uplink, outbox)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End the node as soon as its tracks are in the spool; call it in the node's event loop."""
        self._stopping = True
        self._over.set()

    # --- putting it together ---------------------------------------------------------------------------

    def _make_camera(self, camera: CameraSettings) -> Camera:
        settings = self._settings
        playback = Playback(
            realtime=settings.pace == "real",
            loop=settings.loop,
            start_at_s=settings.start_at_s or self._started_at_s,
        )
        return Camera(camera, make_source(camera.source, playback, on_unreadable=partial(self._unreadable, camera)))

    def _unreadable(self, camera: CameraSettings, path: Path) -> None:
        self._cameras[camera.camera_id].tally.dropped("image_unreadable")
        _log.warning("image passed over, it cannot be read", camera=camera.name, image=str(path))

    def _make_pipeline(self, camera_id: str, frame: Frame) -> CameraPipeline:
        camera = self._cameras[camera_id]
        height, width = frame.picture_bgr.shape[:2]
        detector = load_detector(
            self._settings.detector,
            runtime=self._settings.runtime,
            threads=self._settings.threads,
            width_px=width,
            height_px=height,
        )
        camera.detector_model_id = detector.model_id
        return CameraPipeline(
            Models(detector, self._embedder),
            next_track_id=partial(next, self._track_ids),
            thumbnails=ThumbnailPolicy(self._settings.thumbnails),
            stages=camera.stages,
        )

    def _start_capture(self, camera: Camera) -> CaptureLoop:
        camera_id, name = camera.settings.camera_id, camera.settings.name

        def lost(reason: str, at_s: float) -> None:
            camera.tally.lost(reason)
            _log.warning("camera lost", camera=name, reason=reason)

        def back(from_s: float, to_s: float, reason: str) -> None:
            _log.info("camera is back", camera=name, away_s=round(to_s - from_s, 1))
            self._put(wm.CoverageGap(camera_id, from_s, to_s, reason))

        def captured(frame: Frame, replaced: bool) -> None:  # noqa: FBT001 - the shape of the callback
            camera.tally.captured(grabbed_at_s=frame.grabbed_at_s, replaced=replaced)

        def ended() -> None:
            self._in_loop(partial(self._capture_ended, camera_id))

        def failed(error: EdgeError) -> None:
            self._in_loop(partial(self._camera_failed, camera_id, error))

        events = CaptureEvents(camera.tally.opened, lost, back, captured, ended, failed)
        capture = CaptureLoop(camera_id, camera.source, self._exchange, events)
        capture.start()
        return capture

    # --- called from the threads -----------------------------------------------------------------------

    def _in_loop(self, call: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    def _put(self, content: wm.Content) -> None:
        """Hand a durable content to the spool; the thread waits while the outbox is full."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._outbox.put(content), self._loop).result()

    def _worked(self, camera_id: str, outcome: FrameOutcome) -> None:
        camera = self._cameras[camera_id]
        now_s = time.time()
        camera.stages.note("frame", (now_s - outcome.grabbed_at_s) * 1000)
        camera.tally.worked(at_s=now_s, detections=outcome.detections)
        self._in_loop(partial(self._uplink.show, live_message(camera_id, outcome)))
        self._put_tracklets(camera_id, outcome.tracklets)

    def _finished(self, camera_id: str, tracklets: Sequence[Tracklet]) -> None:
        self._put_tracklets(camera_id, tracklets)
        now_s = time.time()
        self._in_loop(partial(self._uplink.show, wm.Live(camera_id, now_s, now_s, ())))

    def _put_tracklets(self, camera_id: str, tracklets: Sequence[Tracklet]) -> None:
        self._cameras[camera_id].tally.recorded(len(tracklets))
        for tracklet in tracklets:
            self._put(tracklet_message(camera_id, tracklet, embedding_model_id=self._embedder.model_id))

    def _inference_failed(self, error: BaseException) -> None:
        failure = error if isinstance(error, EdgeError) else NodeFailed(f"the inference thread broke: {error!r}")
        self._in_loop(partial(self._fail, failure))

    # --- in the event loop -----------------------------------------------------------------------------

    def _fail(self, error: EdgeError) -> None:
        self._failure = self._failure or error
        self._over.set()

    def _camera_failed(self, camera_id: str, error: EdgeError) -> None:
        """One camera cannot go on; the node does while it has another."""
        camera = self._cameras[camera_id]
        camera.tally.lost(str(error))
        _log.error("camera given up", camera=camera.settings.name, reason=str(error))
        if all(other.ended or other is camera for other in self._cameras.values()):
            self._failure = self._failure or error

    def _capture_ended(self, camera_id: str) -> None:
        self._cameras[camera_id].ended = True
        if all(camera.ended for camera in self._cameras.values()):
            self._over.set()

    async def _fill_spool(self) -> None:
        """Store whatever waits in one commit, as often as something does."""
        while True:
            batch = [await self._outbox.get()]
            while not self._outbox.empty():
                batch.append(self._outbox.get_nowait())
            started_s = time.perf_counter()
            self._spool.append(batch)
            for camera in self._cameras.values():
                camera.stages.note("spool", (time.perf_counter() - started_s) * 1000)
            for _ in batch:
                self._outbox.task_done()
            self._uplink.wake()

    async def _wind_down(self, uplink: "asyncio.Task[None]", outbox: "asyncio.Task[None]") -> None:
        """Stop capture, finish the tracks, store and, as far as time allows, send what is left."""
        for camera in self._cameras.values():
            if camera.capture is not None:
                camera.capture.stop()
        self._exchange.close()
        self._inference.drain()
        await asyncio.to_thread(self._inference.join)
        await self._outbox.join()
        outbox.cancel()
        await self._wait_for_acks()
        self._uplink.close(reason="stopped" if self._stopping else "finished", finished=not self._stopping)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(uplink, _FLUSH_S)

    async def _wait_for_acks(self) -> None:
        """A node whose recording is over waits for the hub; one that is told to stop does not wait long."""
        deadline_s = time.monotonic() + (_FLUSH_S / 2 if self._stopping or self._failure else float("inf"))
        while self._spool.state.items and time.monotonic() < deadline_s:
            if self._stopping and not self._uplink.connected:
                return
            await asyncio.sleep(_POLL_S)

    # --- what the node says of itself ------------------------------------------------------------------

    def _hello(self) -> wm.Hello:
        return hello_message(self._settings, self._spool, self._embedder, self._cameras, now_s=time.time())

    def _health(self) -> wm.Health:
        return health_message(
            self._cameras,
            self._spool.state,
            self._uplink.counters,
            self._machine,
            queues={"frames": self._exchange.waiting, "outbox": self._outbox.qsize()},
            now_s=time.time(),
            uptime_s=time.monotonic() - self._started_s,
        )

    def summary(self) -> dict[str, object]:
        """Return what the node did, as plain values."""
        return summarise(
            self._settings,
            self._spool,
            self._embedder,
            self._cameras,
            now_s=time.time(),
            wall_s=time.monotonic() - self._started_s,
        )
