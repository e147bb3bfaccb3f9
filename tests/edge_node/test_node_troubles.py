"""What cameras do to a node: it goes on, says what happened, and tells the hub of every gap."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from edge_node.capture.rtsp_camera import RtspCamera
from edge_node.capture.rtsp_h264 import H264Clip
from ruid_core.wire import messages as wm
from ruid_core.wire.uplink import ItemKey
from ruid_edge.capture import Frame, SourceLost
from ruid_edge.inference import load_embedder
from ruid_edge.node import EdgeNode
from ruid_edge.settings import EdgeSettings
from ruid_edge.spool import Spool
from ruid_edge.watchdog import Watchdog
from system.playing import CLIPS

FIRST = ItemKey(-1, -1)
PATIENCE_S = 90.0
SECRET = "s3cret"  # noqa: S105 - of a camera that lives as long as its test

Step = Frame | Exception | Callable[[], object]


def picture(width_px: int = 128, height_px: int = 96) -> NDArray[np.uint8]:
    return np.full((height_px, width_px, 3), 90, np.uint8)


def good(seconds: float = 0.0, shown: NDArray[Any] | None = None) -> Frame:
    """A frame of now, by a clock that is `seconds` wrong."""
    at_s = time.time() + seconds
    return Frame(picture() if shown is None else shown, at_s, at_s, 1)


class ScriptedCamera:
    """Gives the frames of its script, raises its errors, calls what can be called, and then goes on with `good()`."""

    lossless = False
    size_px = (128, 96)

    def __init__(self, *script: Step | Callable[[], Frame], on_open: Callable[[], object] | None = None) -> None:
        self._script: Iterator[Any] = iter(script)
        self._on_open = on_open

    def open(self) -> None:
        if self._on_open is not None:
            self._on_open()

    def read(self) -> Frame:
        time.sleep(0.02)
        step = next(self._script, good)
        if isinstance(step, Exception):
            raise step
        if callable(step):
            step = step()
        return step if isinstance(step, Frame) else good()

    def close(self) -> None: ...


class Running:
    """A node that runs, its outbox, and what it logs."""

    def __init__(self, node: EdgeNode, spool: Spool, logged: list[Any]) -> None:
        self.node, self.spool, self.logged = node, spool, logged

    def said(self, event: str) -> list[Any]:
        return [entry for entry in self.logged if entry["event"] == event]

    @property
    def camera(self) -> dict[str, Any]:
        return self.node.summary()["cameras"][0]  # type: ignore[index]

    @property
    def gaps(self) -> list[wm.CoverageGap]:
        contents = [item.content for item in self.spool.after(FIRST, limit=500)]
        return [content for content in contents if isinstance(content, wm.CoverageGap)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - the node has no such event
                await asyncio.sleep(0.02)

    async def gaps_told(self) -> list[wm.CoverageGap]:
        """Wait for a gap in the outbox."""
        await self.until(lambda: bool(self.gaps))
        return self.gaps

    async def frames(self, more: int) -> None:
        before = self.camera["frames"]
        await self.until(lambda: self.camera["frames"] >= before + more)


@asynccontextmanager
async def running(folder: Path, source: str, **others: object) -> AsyncGenerator[Running]:
    spool = Spool.open(folder / "spool", max_bytes=10_000_000)
    values = {"source": source, "threads": 1, "state_dir": str(folder), "hub_url": "wss://127.0.0.1:9"}
    with capture_logs() as logged:
        node = EdgeNode(
            EdgeSettings(**(values | others)),  # type: ignore[arg-type]
            spool=spool,
            embedder=load_embedder("reid-osnet", threads=1),
        )
        task = asyncio.create_task(node.run())
        try:
            yield Running(node, spool, logged)
        finally:
            node.stop()
            await asyncio.wait_for(task, 30)
            spool.close()


def use(monkeypatch: pytest.MonkeyPatch, camera: ScriptedCamera) -> None:
    def source(*_: object, **__: object) -> ScriptedCamera:
        return camera

    monkeypatch.setattr("ruid_edge.node.make_source", source)


async def test_garbage_other_sizes_a_loss_and_a_clock_that_jumps_do_not_end_a_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    garbage = (picture()[:, :, 0], np.zeros((96, 128, 3)), picture(16, 8))
    script: list[Any] = [good, good, *(partial(good, shown=shown) for shown in garbage)]
    script += [partial(good, float("nan")), good, partial(good, shown=picture(64, 48)), SourceLost("unplugged"), good]
    script += [partial(good, 500.0), partial(good, 500.0), partial(good, -300.0)]
    use(monkeypatch, ScriptedCamera(*script))
    async with running(tmp_path, "door=picamera") as told:
        await told.until(lambda: len(told.said("the clock was set")) >= 3)
        await told.frames(3)
        gaps = await told.gaps_told()
    drops = told.camera["drops"]
    assert (drops["not_a_picture"], drops["picture_too_small"], drops["time_unreadable"]) == (2, 1, 1)
    assert [entry["reason"] for entry in told.said("camera lost")] == ["unplugged"]
    assert [round(entry["step_s"], -1) for entry in told.said("the clock was set")] == [500, -800, 300]
    assert [gap.reason for gap in gaps] == ["unplugged"]
    assert gaps[0].to_s > gaps[0].from_s


async def test_a_camera_that_stalls_is_told_and_so_is_its_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("node", "capture.loop"):
        monkeypatch.setattr(f"ruid_edge.{module}.STALLED_AFTER_S", 0.5)
    spoke = threading.Event()
    use(monkeypatch, ScriptedCamera(good, good, lambda: spoke.wait(PATIENCE_S)))
    async with running(tmp_path, "door=picamera") as told:
        await told.until(lambda: bool(told.said("camera stalled")))
        spoke.set()
        gaps = await told.gaps_told()
        await told.frames(2)
    assert [gap.reason for gap in gaps] == ["stalled"]


async def test_a_slow_open_is_not_stuck_before_its_own_limit_and_a_silent_camera_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def end(code: int) -> None:
        ended.set()

    monkeypatch.setattr("ruid_edge.node.Watchdog", partial(Watchdog, end=end, limit_s=3.0))
    silence = threading.Event()
    use(monkeypatch, ScriptedCamera(good, lambda: silence.wait(PATIENCE_S), on_open=lambda: time.sleep(4)))
    async with running(tmp_path, "door=picamera") as told:
        await told.until(lambda: told.camera["frames"] >= 1)
        assert not ended.is_set()
        assert await asyncio.to_thread(ended.wait, PATIENCE_S)
        silence.set()


async def test_a_network_camera_that_comes_and_goes_is_followed_and_its_password_is_told_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ruid_edge.capture.cameras._TIMEOUT_MS", 2000)
    with RtspCamera(user="admin", password=SECRET) as camera:
        address = camera.address.replace("//", f"//admin:{SECRET}@")
        async with running(tmp_path, f"door={address}") as told:
            await told.frames(3)
            camera.silent.set()
            await told.until(lambda: bool(told.said("camera lost")))
            camera.silent.clear()
            gaps = await told.gaps_told()
            camera.bar.size_px = (640, 480)
            await told.frames(30)
            summary = told.node.summary()
    written = capfd.readouterr()
    everything = "".join(map(repr, [told.logged, gaps, summary, written.out, written.err]))
    assert SECRET not in everything
    assert "stopped giving pictures" in gaps[0].reason


async def test_people_are_seen_in_what_network_cameras_send_through_packets_that_get_lost(tmp_path: Path) -> None:
    with RtspCamera(shows=H264Clip(CLIPS / "west.mp4")) as camera:
        async with running(tmp_path, f"door={camera.address}") as told:
            camera.lossy.set()
            await told.frames(10)
            camera.lossy.clear()
            await told.until(lambda: told.camera["detections"] > 0)
    assert not told.said("camera lost")
    assert told.camera["drops"]["stale_after_opening"] > 0
