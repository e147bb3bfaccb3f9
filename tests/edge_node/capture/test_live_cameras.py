"""Cameras that are not there, break off, or cannot be used, and what they say."""

import functools
import http.server
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ruid_edge.capture import SourceLost, make_source
from ruid_edge.capture.cameras import OpenCvCamera
from ruid_edge.capture.pi_camera import PiCamera
from ruid_edge.capture.recordings import Playback
from ruid_edge.errors import SourceMissing
from system.playing import CLIPS


@pytest.fixture
def clips_address() -> Iterator[str]:
    """An HTTP server with the demo clips: a network camera that ends."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(CLIPS)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def source(text: str) -> Any:
    return make_source(text, Playback(), on_unreadable=lambda path: None)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("picamera", PiCamera),
        ("picamera:1", PiCamera),
        ("0", OpenCvCamera),
        ("/dev/video7", OpenCvCamera),
        ("rtsp://camera/stream", OpenCvCamera),
        ("HTTP://camera/stream", OpenCvCamera),
    ],
)
def test_the_text_of_a_source_says_what_it_is(text: str, kind: type) -> None:
    assert isinstance(source(text), kind)


def test_a_network_camera_gives_frames_until_it_breaks_off(clips_address: str) -> None:
    camera = source(f"{clips_address}/west.mp4")
    camera.open()
    assert camera.size_px == (372, 576)
    assert not camera.lossless
    frame = camera.read()
    assert frame is not None
    assert (frame.picture_bgr.shape, frame.scene) == ((576, 372, 3), 1)
    assert frame.captured_at_s == frame.grabbed_at_s
    with pytest.raises(SourceLost, match="stopped giving pictures"):
        read_to_the_end(camera)
    camera.open()
    again = camera.read()
    assert again is not None
    assert again.scene == 2
    camera.close()


def test_a_network_camera_that_does_not_answer_says_so() -> None:
    with pytest.raises(SourceLost, match="gives no picture"):
        source("http://127.0.0.1:1/stream").open()


def test_a_device_that_is_not_there_says_so() -> None:
    camera = source("/dev/video99")
    with pytest.raises(SourceLost, match="plugged in"):
        camera.open()
    with pytest.raises(SourceLost, match="not open"):
        camera.read()


def read_to_the_end(camera: Any) -> None:
    while camera.read() is not None:
        pass


class FakePicamera2:
    """What our adapter asks of picamera2, in as few lines."""

    broken = False

    def __init__(self, index: int) -> None:
        if index > 0:
            raise IndexError("list index out of range")
        self.closed = False

    def create_video_configuration(self, *, main: dict[str, Any]) -> dict[str, Any]:
        return main

    def configure(self, configuration: dict[str, Any]) -> None:
        self.size = configuration["size"]

    def start(self) -> None:
        pass

    def capture_array(self, stream: str) -> Any:
        if self.broken:
            raise RuntimeError("camera frontend has timed out")
        return np.zeros((self.size[1], self.size[0], 3), np.uint8)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> type[FakePicamera2]:
    module: Any = types.ModuleType("picamera2")
    module.Picamera2 = FakePicamera2
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return FakePicamera2


def test_the_pi_camera_gives_frames(picamera2: type[FakePicamera2]) -> None:
    camera = PiCamera()
    camera.open()
    frame = camera.read()
    assert frame is not None
    assert frame.picture_bgr.shape == (480, 640, 3)
    camera.close()
    camera.close()


def test_a_pi_camera_that_hangs_or_is_not_there_says_so(
    picamera2: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = PiCamera()
    camera.open()
    monkeypatch.setattr(picamera2, "broken", True)
    with pytest.raises(SourceLost, match="timed out"):
        camera.read()
    with pytest.raises(SourceLost, match="ribbon"):
        PiCamera(3).open()


def test_without_picamera2_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceMissing, match="python3-picamera2"):
        PiCamera().open()


def test_a_clip_is_a_clip(tmp_path: Path) -> None:
    assert source(str(CLIPS / "west.mp4")).__class__.__name__ == "Recording"
