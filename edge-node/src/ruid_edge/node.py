"""A running node: its threads, its outbox and its end."""

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path

import msgspec
import structlog

from ruid_core.wire import messages as wm
from ruid_core.wire.validation import plain_reason
from ruid_edge.camera_file import own_rules
from ruid_edge.camera_rules import Fault, find_fault, rules_from
from ruid_edge.capture import CaptureLoop, Frame, FrameExchange, make_source
from ruid_edge.capture.loop import STALLED, STALLED_AFTER_S, CaptureEvents
from ruid_edge.capture.recordings import Playback
from ruid_edge.configuration import ConfigurationKeeper
from ruid_edge.enrolment import Credentials, hub_finder
from ruid_edge.errors import EdgeError, NodeFailed, SpoolUnusable
from ruid_edge.examining import Examiner, load_models
from ruid_edge.health.machine import Machine
from ruid_edge.inference import Embedder, PersonDetector, load_detector
from ruid_edge.pipeline import CameraPipeline, CameraRules, FrameOutcome, InferenceLoop, LastParts, Models
from ruid_edge.pipeline.loop import InferenceEvents
from ruid_edge.pressure import Pressure
from ruid_edge.report import Camera, health_message, hello_message, summarise
from ruid_edge.settings import CameraSettings, EdgeSettings
from ruid_edge.spool import Spool
from ruid_edge.update_lock import DeliveryHold, UpdateLock
from ruid_edge.uplink import Answers, Applicant, Uplink
from ruid_edge.uplink.messages import crossing_message, live_message, stay_message, tracklet_message
from ruid_edge.watchdog import Watchdog, leave_last_words, take_last_words

_OUTBOX_ITEMS = 256
_FLUSH_S = 1.5
_STORE_AGAIN_S = 1.0
_STORE_S = 3.0
_POLL_S = 0.02
_WATCH_EVERY_S = 1.0
_SPOILED_IN_TRIAL = 10
_LIGHTER = 0.8
_STRIDE_PX = 32

_log = structlog.get_logger("node")


class EdgeNode:
    """A node from start to end; `run` returns when every recording is over or `stop` was called."""

    def __init__(
        self, settings: EdgeSettings, *, spool: Spool, embedder: Embedder, update_lock: UpdateLock | None = None
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._embedder = embedder
        self._started_s = time.monotonic()
        self._started_at_s = time.time()
        self._machine = Machine()
        rules = own_rules(settings)
        self._cameras = {
            camera.camera_id: self._make_camera(camera, rules[camera.camera_id]) for camera in settings.cameras
        }
        self._exchange = FrameExchange(tuple(self._cameras))
        self._track_ids = itertools.count(1)
        self._inference = InferenceLoop(
            self._exchange,
            self._make_pipeline,
            InferenceEvents(self._worked, self._spoiled, self._finished, self._inference_failed),
        )
        self._pressure = Pressure(self._machine, self._cameras, busy_s=self._inference.busy_s)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outbox: asyncio.Queue[wm.Content] = asyncio.Queue(_OUTBOX_ITEMS)
        self._storing = 0
        self._state_dir = Path(settings.state_dir)
        self._started_after = take_last_words(self._state_dir)
        self._keeper = ConfigurationKeeper(self._state_dir, apply=self.apply)
        self._frames_spoiled = self._spoiled_before_trial = 0
        self._examiner = Examiner(partial(load_models, settings), embedding_model_id=embedder.model_id)
        self._uplink = self._make_uplink()
        self._delivery_hold = DeliveryHold(update_lock or UpdateLock(None))
        self._over = asyncio.Event()
        self._stopping = False
        self._failure: EdgeError | None = None

    async def run(self) -> None:
        """Run until the end; raise the `EdgeError` that ended it, if one did."""
        self._loop = asyncio.get_running_loop()
        uplink = self._duty(self._uplink.run())
        outbox = self._duty(self._fill_spool())
        watch = self._duty(self._watch())
        heartbeat = Path(self._settings.heartbeat_file) if self._settings.heartbeat_file else None
        watchdog = Watchdog(self._state_dir, loop=self._loop, stuck_for_s=self.stuck_for_s, heartbeat=heartbeat)
        watchdog.start()
        self._tell(self._keeper.restore(now_s=time.monotonic()))
        self._inference.start()
        for camera in self._cameras.values():
            camera.capture = self._start_capture(camera)
        await self._over.wait()
        watch.cancel()
        if self._failure is None:
            self._keeper.close()
        await self._wind_down(uplink, outbox)
        watchdog.stop()
        if self._failure is not None:
            leave_last_words(self._state_dir, str(self._failure))
            raise self._failure

    def stop(self) -> None:
        """End the node as soon as its tracks are in the spool; call it in the node's event loop."""
        self._stopping = True
        self._over.set()

    # --- the hub's wishes, the supervisor's questions --------------------------------------------------

    def find_fault(self, cameras: Sequence[wm.CameraConfig]) -> Fault | None:
        """Return the first thing in a configuration that this node cannot do; changes nothing."""
        return find_fault(cameras, camera_ids=tuple(self._cameras))

    def apply(self, cameras: Sequence[wm.CameraConfig]) -> Fault | None:
        """Put the hub's configuration into force, each camera's between two frames: the way in for the uplink.

        All of it or, where it has a fault, nothing: the fault is returned and what was in force stays. A camera
        that is not named goes by the node's own rules. Call it in the node's event loop, before `run` as well.
        """
        fault = self.find_fault(cameras)
        if fault is not None:
            return fault
        wishes = {config.camera_id: config for config in cameras}
        for camera_id, camera in self._cameras.items():
            wish = wishes.get(camera_id, wm.CameraConfig(camera_id))
            camera.rules = rules_from(wish, camera.own_rules)
            camera.name = wish.name or camera.settings.name
        return None

    async def still(self, camera_id: str) -> wm.Still:
        """Return the camera's newest picture, its masks applied; without one, `reason` says why."""
        camera = self._cameras.get(camera_id)
        if camera is None:
            return wm.Still(camera_id, 0.0, b"", f"there is no camera '{camera_id}'")
        captured_at_s, jpeg = await asyncio.to_thread(self._inference.still, camera_id)
        counts = camera.tally.counts(now_s=time.time())
        reason = "" if jpeg else counts.trouble or "no frame has come yet"
        return wm.Still(camera_id, captured_at_s, jpeg, reason)

    def stuck_for_s(self) -> float:
        """Return for how long the most stuck thread has hung: a source that neither gives a frame nor fails, or a
        frame that inference does not get done with. A supervisor that sees more than ten seconds should start the
        node anew; a camera that is away and looked for is not stuck.
        """
        captures = (camera.capture for camera in self._cameras.values())
        waits = [capture.stuck_for_s() for capture in captures if capture is not None]
        return max([self._inference.stuck_for_s(), *waits])

    # --- putting it together ---------------------------------------------------------------------------

    def _make_uplink(self) -> Uplink:
        settings, state_dir = self._settings, self._state_dir
        applicant = Applicant(
            settings.node_name,
            Credentials.open(state_dir / "identity"),
            join_file=settings.join_file,
            expected_fingerprint=settings.hub_fingerprint,
            code_file=state_dir / "adoption-code.txt",
        )
        answers = Answers(self._hello, self._health, self._configure, self.still, self._examiner.examine)
        return Uplink(hub=hub_finder(settings.hub_url), applicant=applicant, spool=self._spool, answers=answers)

    def _configure(self, configure: wm.Configure) -> wm.Configured:
        self._spoiled_before_trial = self._frames_spoiled
        return self._keeper.take(configure, now_s=time.monotonic())

    def _tell(self, configured: wm.Configured | None) -> None:
        if configured is not None:
            self._uplink.tell(configured)

    def _trouble(self) -> str:
        """Why the node is not well, as far as a configuration may be to blame; empty while it is."""
        stuck_s = self.stuck_for_s()
        if stuck_s > STALLED_AFTER_S:
            return f"a thread was stuck for {stuck_s:.0f} s"
        if self._frames_spoiled - self._spoiled_before_trial >= _SPOILED_IN_TRIAL:
            return "frames could not be worked on"
        return str(self._failure or "")

    def _make_camera(self, camera: CameraSettings, rules: CameraRules) -> Camera:
        settings = self._settings
        playback = Playback(
            realtime=settings.pace == "real",
            loop=settings.loop,
            start_at_s=settings.start_at_s or self._started_at_s,
        )
        source = make_source(camera.source, playback, on_unreadable=partial(self._unreadable, camera))
        return Camera(camera, source, name=camera.name, own_rules=rules, rules=rules)

    def _unreadable(self, camera: CameraSettings, path: Path) -> None:
        self._cameras[camera.camera_id].tally.dropped("image_unreadable")
        _log.warning("image passed over, it cannot be read", camera=camera.name, image=str(path))

    def _make_pipeline(self, camera_id: str, frame: Frame) -> CameraPipeline:
        camera = self._cameras[camera_id]
        height, width = frame.picture_bgr.shape[:2]
        load = partial(
            load_detector,
            self._settings.detector,
            runtime=self._settings.runtime,
            threads=self._settings.threads,
            width_px=width,
            height_px=height,
        )
        detector = load()
        camera.detector_model_id = detector.model_id
        return CameraPipeline(
            Models(detector, self._embedder, partial(load, long_side_px=_lighter_side_px(detector))),
            size_px=(width, height),
            next_track_id=partial(next, self._track_ids),
            stages=camera.stages,
            rules=lambda: camera.rules,
            effort=self._pressure.effort,
        )

    def _start_capture(self, camera: Camera) -> CaptureLoop:
        camera_id, name = camera.settings.camera_id, camera.name

        def lost(reason: str, at_s: float) -> None:
            camera.tally.lost(reason)
            _log.warning("camera lost", camera=name, reason=reason)

        def back(from_s: float, to_s: float, reason: str) -> None:
            _log.info("camera is back", camera=name, away_s=round(to_s - from_s, 1))
            self._put(wm.CoverageGap(camera_id, from_s, to_s, plain_reason(reason)))

        def captured(frame: Frame, replaced: bool) -> None:  # noqa: FBT001 - the shape of the callback
            camera.tally.captured(grabbed_at_s=frame.grabbed_at_s, replaced=replaced)

        def jumped(step_s: float) -> None:
            camera.clock_jumps += 1
            _log.warning("the clock was set", camera=name, step_s=round(step_s, 1))

        def ended() -> None:
            self._in_loop(partial(self._capture_ended, camera_id))

        def failed(error: EdgeError) -> None:
            self._in_loop(partial(self._camera_failed, camera_id, error))

        events = CaptureEvents(camera.tally.opened, lost, back, captured, camera.tally.dropped, jumped, ended, failed)
        capture = CaptureLoop(
            camera_id, camera.source, self._exchange, events, frame_rate_fps=lambda: camera.rules.frame_rate_fps
        )
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
        camera.senses = outcome.senses
        self._in_loop(partial(self._uplink.show, live_message(camera_id, outcome)))
        for crossing in outcome.crossings:
            self._put(crossing_message(camera_id, crossing))
        self._put_parts(camera_id, LastParts(outcome.tracklets, outcome.stays))

    def _spoiled(self, camera_id: str, error: Exception) -> None:
        camera = self._cameras[camera_id]
        self._frames_spoiled += 1
        camera.tally.dropped("frame_unusable")
        _log.warning("frame passed over, it cannot be worked on", camera=camera.name, reason=repr(error))

    def _finished(self, camera_id: str, parts: LastParts) -> None:
        self._put_parts(camera_id, parts)
        now_s = time.time()
        self._in_loop(partial(self._uplink.show, wm.Live(camera_id, now_s, now_s, ())))

    def _put_parts(self, camera_id: str, parts: LastParts) -> None:
        self._cameras[camera_id].tally.recorded(len(parts.tracklets))
        for stay in parts.stays:
            self._put(stay_message(camera_id, stay))
        for tracklet in parts.tracklets:
            self._put(tracklet_message(camera_id, tracklet, embedding_model_id=self._embedder.model_id))

    def _inference_failed(self, error: BaseException) -> None:
        failure = error if isinstance(error, EdgeError) else NodeFailed(f"the inference thread broke: {error!r}")
        self._in_loop(partial(self._fail, failure))

    # --- in the event loop -----------------------------------------------------------------------------

    def _duty(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        """Begin a part of the node that must not end with an error; where it does, so does the node."""
        duty = asyncio.create_task(work)
        duty.add_done_callback(self._duty_ended)
        return duty

    def _duty_ended(self, duty: "asyncio.Task[None]") -> None:
        error = None if duty.cancelled() else duty.exception()
        if error is not None:
            self._fail(error if isinstance(error, EdgeError) else NodeFailed(f"a part of the node broke: {error!r}"))

    def _fail(self, error: EdgeError) -> None:
        self._failure = self._failure or error
        self._over.set()

    def _camera_failed(self, camera_id: str, error: EdgeError) -> None:
        """One camera cannot go on; the node does while it has another, unless a new process would find it again."""
        camera = self._cameras[camera_id]
        camera.tally.lost(str(error))
        _log.error("camera given up", camera=camera.name, reason=str(error))
        if isinstance(error, NodeFailed):
            self._fail(error)
        elif all(other.ended or other is camera for other in self._cameras.values()):
            self._failure = self._failure or error

    def _capture_ended(self, camera_id: str) -> None:
        self._cameras[camera_id].ended = True
        if all(camera.ended for camera in self._cameras.values()):
            self._over.set()

    async def _watch(self) -> None:
        """Look at the load, the temperature and the sources, about once a second."""
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            throttled = await asyncio.to_thread(self._machine.throttled)
            for told in self._pressure.look(now_s=time.monotonic(), throttled=throttled):
                _log.warning("work is adapted", **told)
            for camera in self._cameras.values():
                self._watch_source(camera)
            self._tell(self._keeper.look(trouble=self._trouble(), now_s=time.monotonic()))
            self._delivery_hold.look(
                connected=self._uplink.connected, waiting_items=self._spool.state.items, now_s=time.monotonic()
            )

    def _watch_source(self, camera: Camera) -> None:
        silent_s = camera.capture.stuck_for_s() if camera.capture is not None else 0.0
        if silent_s >= STALLED_AFTER_S and camera.tally.counts(now_s=time.time()).capturing:
            camera.tally.lost(f"{STALLED}: no frame for {silent_s:.0f} s")
            _log.warning("camera stalled", camera=camera.name, silent_s=round(silent_s))

    async def _fill_spool(self) -> None:
        """Store whatever waits in one commit, as often as something does."""
        while True:
            batch = [await self._outbox.get()]
            while not self._outbox.empty():
                batch.append(self._outbox.get_nowait())
            self._storing = len(batch)
            started_s = time.perf_counter()
            await self._store(batch)
            for camera in self._cameras.values():
                camera.stages.note("spool", (time.perf_counter() - started_s) * 1000)
            self._storing = 0
            for _ in batch:
                self._outbox.task_done()
            self._uplink.wake()

    async def _store(self, batch: Sequence[wm.Content]) -> None:
        """Store a batch; while the disk is full it waits, and the threads wait once the outbox is full as well."""
        told = False
        while True:
            try:
                self._spool.append(batch)
            except SpoolUnusable as error:
                if not told:
                    _log.error("what was seen waits in memory", reason=str(error))
                told = True
                await asyncio.sleep(_STORE_AGAIN_S)
            else:
                return

    async def _wind_down(self, uplink: "asyncio.Task[None]", outbox: "asyncio.Task[None]") -> None:
        """Stop capture, finish the tracks, store and, as far as time allows, send what is left."""
        began_s = time.monotonic()
        self._examiner.close()
        for camera in self._cameras.values():
            if camera.capture is not None:
                camera.capture.stop()
        self._exchange.close()
        self._inference.drain()
        await asyncio.to_thread(self._inference.join)
        stored = asyncio.create_task(self._outbox.join())
        # On a full disk nothing more is stored: whoever told the node to stop does not wait for that.
        await asyncio.wait((stored, outbox), return_when=asyncio.FIRST_COMPLETED, timeout=_STORE_S)
        if not stored.done():
            _log.error("what was seen last is lost, the disk takes nothing", items=self._outbox.qsize() + self._storing)
        stored.cancel()
        outbox.cancel()
        await self._wait_for_acks()
        self._uplink.close(reason="stopped" if self._stopping else "finished", finished=not self._stopping)
        await asyncio.wait((uplink,), timeout=_FLUSH_S)
        uplink.cancel()
        how, took_s = "stopped" if self._stopping else "ended", round(time.monotonic() - began_s, 2)
        _log.info(f"node has {how}", items_kept=self._spool.state.items, took_s=took_s)

    async def _wait_for_acks(self) -> None:
        """A node whose recording is over waits for the hub; one that is told to stop does not wait long."""
        deadline_s = time.monotonic() + (_FLUSH_S / 2 if self._stopping or self._failure else float("inf"))
        while self._spool.state.items and time.monotonic() < deadline_s:
            if self._stopping and not self._uplink.connected:
                return
            await asyncio.sleep(_POLL_S)

    # --- what the node says of itself ------------------------------------------------------------------

    def _hello(self) -> wm.Hello:
        hello = hello_message(self._settings, self._spool, self._embedder, self._cameras, now_s=time.time())
        return msgspec.structs.replace(hello, config_revision=self._keeper.revision)

    def _health(self) -> wm.Health:
        health = health_message(
            self._cameras,
            self._spool.state,
            self._uplink.counters,
            self._machine,
            queues={"frames": self._exchange.waiting, "outbox": self._outbox.qsize()},
            steps=self._pressure.steps,
            now_s=time.time(),
            uptime_s=time.monotonic() - self._started_s,
        )
        return msgspec.structs.replace(health, started_after=self._started_after)

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


def _lighter_side_px(detector: PersonDetector) -> int:
    """Return the long side of an input a fifth smaller, in whole strides."""
    long_side_px = max(detector.input_size.width_px, detector.input_size.height_px)
    return max(_STRIDE_PX, round(_LIGHTER * long_side_px / _STRIDE_PX) * _STRIDE_PX)
