"""A network camera that goes away and comes back: the loop goes on, says what happened and looks for it."""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from ruid_edge.capture import CaptureLoop, Frame, FrameExchange, make_source
from ruid_edge.capture.loop import CaptureEvents
from ruid_edge.capture.recordings import Playback
from ruid_tools.footage import CLIPS_DIR
from tooling import require_tool

PATIENCE_S = 60.0


@dataclass
class Camera:
    """ffmpeg as a camera: it serves a clip in real time to one viewer and is over when that one leaves."""

    port: int
    _process: "subprocess.Popen[bytes] | None" = field(default=None)

    def start(self) -> None:
        command = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", str(CLIPS_DIR / "west.mp4")]
        command += ["-c:v", "mpeg2video", "-q:v", "8", "-f", "mpegts", "-listen", "1", f"http://127.0.0.1:{self.port}"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def camera() -> Iterator[Camera]:
    require_tool("ffmpeg")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    camera = Camera(port)
    yield camera
    camera.stop()


@dataclass
class Log:
    """What the loop told, and events to wait on."""

    lost: list[str] = field(default_factory=list[str])
    gaps_s: list[float] = field(default_factory=list[float])
    scenes: set[int] = field(default_factory=set[int])
    flowing: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)

    def note_loss(self, reason: str, at_s: float) -> None:
        self.lost.append(reason)
        self.flowing.clear()
        self.gone.set()

    def note_frame(self, frame: Frame, replaced: bool) -> None:
        self.scenes.add(frame.scene)
        self.flowing.set()

    def note_return(self, from_s: float, to_s: float, reason: str) -> None:
        self.gaps_s.append(to_s - from_s)

    @property
    def events(self) -> CaptureEvents:
        return CaptureEvents(
            opened=lambda width, height: None,
            lost=self.note_loss,
            back=self.note_return,
            captured=self.note_frame,
            refused=self.lost.append,
            jumped=lambda step_s: None,
            ended=lambda: None,
            failed=lambda error: None,
        )


def test_a_stream_that_breaks_off_is_found_again(camera: Camera) -> None:
    log = Log()
    source = make_source(f"http://127.0.0.1:{camera.port}", Playback(), on_unreadable=lambda path: None)
    loop = CaptureLoop("a", source, FrameExchange(("a",)), log.events)
    camera.start()
    loop.start()
    try:
        assert log.flowing.wait(PATIENCE_S)
        log.gone.clear()
        camera.stop()
        assert log.gone.wait(PATIENCE_S)
        camera.start()
        assert log.flowing.wait(PATIENCE_S)
    finally:
        loop.stop()
        camera_ended_s = time.monotonic()
        loop.join(timeout_s=10)
    assert time.monotonic() - camera_ended_s < 10
    assert any("stopped giving pictures" in reason for reason in log.lost)
    assert log.gaps_s
    assert len(log.scenes) >= 2
    with contextlib.suppress(ProcessLookupError):
        camera.stop()
