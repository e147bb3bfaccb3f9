"""A node as the hub and a supervisor see it: configuration between two frames, stills, crossings, its health."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fakes import FakeEmbedder
from ruid_core.wire import messages as wm
from ruid_core.wire.uplink import ItemKey
from ruid_edge.capture import make_source
from ruid_edge.errors import BadSettings, NodeFailed, SourceMissing
from ruid_edge.inference import load_embedder
from ruid_edge.node import EdgeNode
from ruid_edge.settings import EdgeSettings
from ruid_edge.spool import Spool
from ruid_edge.watchdog import take_last_words
from ruid_tools.footage import CLIPS_DIR

FIRST = ItemKey(-1, -1)
LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
CLIP = CLIPS_DIR / "west.mp4"


def settings(folder: Path, **others: object) -> EdgeSettings:
    values = {"source": f"west={CLIP}", "pace": "fast", "loop": True, "threads": 1, "state_dir": str(folder)}
    return EdgeSettings(**(values | others))  # type: ignore[arg-type]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[tuple[EdgeNode, Spool]]:
    """A node that plays a clip for as long as the test runs; there is no hub."""
    camera_file = tmp_path / "cameras.json"
    lines = {f"line {x}": [[x, 1.0], [x, 0.0]] for x in (0.2, 0.4, 0.6, 0.8)}
    camera_file.write_text(json.dumps({"west": {"zones": {"all": [[0, 0], [1, 0], [1, 1], [0, 1]]}, "lines": lines}}))
    spool = Spool.open(tmp_path / "spool", max_bytes=10_000_000)
    chosen = settings(tmp_path, camera_file=str(camera_file), hub_url="wss://127.0.0.1:9")
    running = EdgeNode(chosen, spool=spool, embedder=load_embedder("reid-osnet", threads=1))
    task = asyncio.create_task(running.run())
    yield running, spool
    running.stop()
    await asyncio.wait_for(task, 30)
    spool.close()


async def frames_worked_on(node: EdgeNode, frames: int) -> None:
    """Wait until so many more frames went through."""
    before = node.summary()["cameras"][0]["frames"]  # type: ignore[index]
    async with asyncio.timeout(60):
        while node.summary()["cameras"][0]["frames"] < before + frames:  # type: ignore[index] # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_the_hubs_masks_hold_from_one_frame_to_the_next_and_a_still_shows_them(
    node: tuple[EdgeNode, Spool],
) -> None:
    running, _ = node
    assert (await running.still("cam0")).reason
    await frames_worked_on(running, 5)
    assert running.apply([wm.CameraConfig("cam0", masks_rel=(LEFT_HALF,))]) is None
    still = await running.still("cam0")
    picture = cv2.imdecode(np.frombuffer(still.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    middle, jpeg_block_px = picture.shape[1] // 2, 16
    assert np.ptp(picture[:, : middle - 2 * jpeg_block_px]) <= 2
    assert np.ptp(picture[:, middle + 2 * jpeg_block_px :]) > 100
    assert still.reason == ""


async def test_a_bad_configuration_changes_nothing_and_is_named(node: tuple[EdgeNode, Spool]) -> None:
    running, _ = node
    good = wm.CameraConfig("cam0", name="door")
    assert running.apply([good]) is None
    fault = running.apply([wm.CameraConfig("cam0", name="other", masks_rel=(LEFT_HALF[:2],))])
    assert fault is not None
    assert fault.field == "cameras[0].masks_rel[0]"
    assert running.summary()["cameras"][0]["name"] == "door"  # type: ignore[index]
    assert (await running.still("cam9")).reason == "there is no camera 'cam9'"


async def test_crossings_and_stays_are_durable(node: tuple[EdgeNode, Spool]) -> None:
    running, spool = node
    wanted = {wm.Crossing, wm.ZoneStay, wm.Tracklet}
    found: set[type] = set()
    async with asyncio.timeout(120):
        while not wanted <= found:
            await asyncio.sleep(0.1)
            found = {type(item.content) for item in spool.after(FIRST, limit=500)}
    assert running.stuck_for_s() < 10


def test_a_camera_file_that_cannot_be_used_stops_the_node(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", max_bytes=10_000_000)
    with pytest.raises(BadSettings, match="RUID_CAMERA_FILE"):
        EdgeNode(settings(tmp_path, camera_file="nowhere.json"), spool=spool, embedder=FakeEmbedder())  # type: ignore[arg-type]
    spool.close()


class GoneCamera:
    """A camera that opens and then ends with `error`."""

    lossless = False
    size_px = (640, 480)

    def __init__(self, error: Exception) -> None:
        self._error = error

    def open(self) -> None: ...

    def read(self) -> None:
        raise self._error

    def close(self) -> None: ...


def two_cameras(folder: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch, error: Exception) -> EdgeNode:
    """A node with a clip that never ends and a camera that ends with `error`."""

    def source(address: str, *others: Any, **named: Any) -> Any:
        return GoneCamera(error) if address == "picamera" else make_source(address, *others, **named)

    monkeypatch.setattr("ruid_edge.node.make_source", source)
    chosen = settings(folder, source=f"west={CLIP} door=picamera", hub_url="wss://127.0.0.1:9")
    return EdgeNode(chosen, spool=spool, embedder=load_embedder("reid-osnet", threads=1))


async def test_a_camera_that_only_a_new_process_finds_ends_the_node_and_the_reason_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool.open(tmp_path / "spool", max_bytes=10_000_000)
    running = two_cameras(tmp_path, spool, monkeypatch, NodeFailed("camera 0 does not come back"))
    with pytest.raises(NodeFailed, match="does not come back") as ended:
        await asyncio.wait_for(running.run(), 60)
    spool.close()
    assert ended.value.exit_code == 70
    assert take_last_words(tmp_path) == "camera 0 does not come back"


async def test_a_camera_that_never_was_leaves_the_others_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool.open(tmp_path / "spool", max_bytes=10_000_000)
    running = two_cameras(tmp_path, spool, monkeypatch, SourceMissing("there is no such camera"))
    task = asyncio.create_task(running.run())
    await frames_worked_on(running, 5)
    running.stop()
    await asyncio.wait_for(task, 30)
    spool.close()
    assert take_last_words(tmp_path) == ""
