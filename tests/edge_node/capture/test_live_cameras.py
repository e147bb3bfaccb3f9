"""Cameras that are not there, break off, or cannot be used, and what they say."""

import functools
import http.server
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ruid_edge.capture import SourceLost, make_source
from ruid_edge.capture.cameras import OpenCvCamera
from ruid_edge.capture.pi_camera import PiCamera
from ruid_edge.capture.recordings import Playback
from ruid_edge.errors import SourceMissing
from ruid_edge.watchdog import STUCK_AFTER_S
from system.playing import CLIPS

DEVICE_TIMEOUT = "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"


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


def test_a_device_that_hangs_is_given_up_before_the_watchdog_ends_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV reads how long it waits for a device from the environment; an operator's own wish stays."""
    monkeypatch.delenv(DEVICE_TIMEOUT, raising=False)
    with pytest.raises(SourceLost):
        source("/dev/video99").open()
    assert 0 < int(os.environ[DEVICE_TIMEOUT]) < STUCK_AFTER_S
    monkeypatch.setenv(DEVICE_TIMEOUT, "7")
    with pytest.raises(SourceLost):
        source("/dev/video99").open()
    assert os.environ[DEVICE_TIMEOUT] == "7"


def read_to_the_end(camera: Any) -> None:
    while camera.read() is not None:
        pass


def test_without_picamera2_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceMissing, match="python3-picamera2"):
        PiCamera().open()


def test_a_clip_is_a_clip(tmp_path: Path) -> None:
    assert source(str(CLIPS / "west.mp4")).__class__.__name__ == "Recording"
