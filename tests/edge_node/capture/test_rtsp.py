"""Network cameras over RTSP, read by OpenCV itself: passwords, silence, other sizes, garbage, going and coming back."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

import numpy as np
import pytest

from edge_node.capture.rtsp_camera import MovingBar, RtspCamera
from edge_node.capture.rtsp_h264 import H264Clip
from ruid_edge.capture import CaptureLoop, Frame, FrameExchange, SourceLost
from ruid_edge.capture.cameras import OpenCvCamera
from ruid_edge.capture.loop import CaptureEvents
from system.playing import CLIPS, poll

PATIENCE_S = 60.0
PASSWORD = "s3cret"  # noqa: S105 - of a camera that lives as long as its test


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second of silence is enough where nobody else has the machine's time."""
    monkeypatch.setattr("ruid_edge.capture.cameras._TIMEOUT_MS", 2000)


def with_login(camera: RtspCamera, login: str) -> OpenCvCamera:
    return OpenCvCamera(camera.address.replace("//", f"//{login}@"))


def test_a_camera_with_a_password_gives_pictures() -> None:
    with RtspCamera(user="admin", password=PASSWORD) as camera:
        source = with_login(camera, f"admin:{PASSWORD}")
        source.open()
        frame = source.read()
        source.close()
    assert source.size_px == (320, 240)
    assert frame is not None
    assert frame.picture_bgr.shape == (240, 320, 3)


@pytest.mark.parametrize("login", [f"admin:{PASSWORD}", f"{PASSWORD}:x"])
def test_a_password_is_told_nowhere(login: str, capfd: pytest.CaptureFixture[str]) -> None:
    with RtspCamera(user="admin", password=PASSWORD[::-1]) as camera:
        with pytest.raises(SourceLost) as refused:
            with_login(camera, login).open()
        camera.granted = ""
        source = with_login(camera, login)
        source.open()
    with pytest.raises(SourceLost) as cut:
        read_to_the_end(source)
    with pytest.raises(SourceLost) as away:
        source.open()
    written = capfd.readouterr()
    told = [str(lost.value) for lost in (refused, cut, away)]
    assert all(f"rtsp://127.0.0.1:{camera.port}'" in text for text in told)
    assert PASSWORD not in "".join([*told, written.out, written.err])


@dataclass
class Log:
    """What the loop told."""

    lost: list[str] = field(default_factory=list[str])
    refused: list[str] = field(default_factory=list[str])
    back: list[str] = field(default_factory=list[str])
    sizes_px: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    late_s: list[float] = field(default_factory=list[float])
    flowing: Event = field(default_factory=Event)
    gone: Event = field(default_factory=Event)

    def note_loss(self, reason: str, at_s: float) -> None:
        self.lost.append(reason)
        self.gone.set()

    def note_frame(self, frame: Frame, replaced: bool) -> None:
        assert frame.stream_s is not None
        self.late_s.append(frame.captured_at_s - frame.stream_s)
        self.flowing.set()

    @property
    def events(self) -> CaptureEvents:
        return CaptureEvents(
            opened=lambda width, height: self.sizes_px.append((width, height)),
            lost=self.note_loss,
            back=lambda from_s, to_s, reason: self.back.append(reason),
            captured=self.note_frame,
            refused=self.refused.append,
            jumped=lambda step_s: None,
            ended=lambda: None,
            failed=lambda error: None,
        )

    def flows_again(self) -> bool:
        """Whether a frame comes from now on."""
        self.flowing.clear()
        return self.flowing.wait(PATIENCE_S)


@contextmanager
def watched(camera: RtspCamera) -> Generator[Log]:
    """A capture loop that is at the camera."""
    log = Log()
    loop = CaptureLoop("a", OpenCvCamera(camera.address), FrameExchange(("a",)), log.events)
    loop.start()
    try:
        assert log.flows_again()
        yield log
    finally:
        loop.stop()
        assert loop.join(timeout_s=PATIENCE_S)


def test_a_camera_that_falls_silent_is_looked_for_until_it_speaks() -> None:
    with RtspCamera() as camera, watched(camera) as log:
        camera.silent.set()
        assert log.gone.wait(PATIENCE_S)
        camera.silent.clear()
        assert log.flows_again()
        assert len(camera.visited_s) >= 2
    assert "stopped giving pictures" in log.lost[0]
    assert log.back == log.lost[:1]


def test_a_camera_that_breaks_off_and_refuses_is_tried_less_and_less_often_and_found_again() -> None:
    with RtspCamera() as camera, watched(camera) as log:
        camera.granted = "nobody"
        camera.cut.set()
        assert log.gone.wait(PATIENCE_S)
        camera.cut.clear()
        poll(lambda: len(camera.visited_s) >= 4, within_s=PATIENCE_S, what="three more visits")
        camera.granted = ""
        assert log.flows_again()
        poll(lambda: bool(log.back), within_s=PATIENCE_S, what="the gap is told")
    _, first_s, second_s, third_s, *_ = camera.visited_s
    assert second_s - first_s >= 0.9
    assert third_s - second_s >= 1.9
    assert len(log.lost) == len(log.back) == 1


def test_a_camera_that_answers_nothing_is_given_up_in_time_and_tried_again() -> None:
    with RtspCamera() as camera:
        camera.mute.set()
        source = OpenCvCamera(camera.address)
        with pytest.raises(SourceLost, match="gives no picture"):
            source.open()
        camera.mute.clear()
        source.open()
        source.close()


def test_pictures_of_another_size_and_garbage_do_not_end_a_stream() -> None:
    with RtspCamera() as camera, watched(camera) as log:
        camera.bar.size_px = (640, 480)
        poll(lambda: (640, 480) in log.sizes_px, within_s=PATIENCE_S, what="the new size")
        camera.garbage.set()
        assert log.flows_again()
        camera.garbage.clear()
        assert log.flows_again()
        assert len(camera.visited_s) == 1 + len(log.lost)
    assert log.sizes_px[0] == (320, 240)


@pytest.fixture(scope="module")
def h264() -> H264Clip:
    return H264Clip(CLIPS / "west.mp4")


@pytest.mark.parametrize("coding", ["jpeg", "h264"])
def test_pictures_that_gathered_while_a_stream_was_opened_are_passed_over(
    coding: str, request: pytest.FixtureRequest
) -> None:
    """All that are shown are equally late, by the camera's clock; the gathered ones would be seconds apart."""
    shows = MovingBar() if coding == "jpeg" else request.getfixturevalue("h264")
    with RtspCamera(shows=shows) as camera, watched(camera) as log:
        poll(lambda: len(log.late_s) >= 20, within_s=PATIENCE_S, what="twenty frames")
    assert log.late_s[0] - np.median(log.late_s) < 0.5
    assert set(log.refused) == {"stale_after_opening"}
    assert len(log.refused) >= 5


@pytest.mark.parametrize("fault", ["lossy", "garbage"])
def test_lost_packets_and_broken_pictures_do_not_end_a_stream_in_h264(fault: str, h264: H264Clip) -> None:
    with RtspCamera(shows=h264) as camera, watched(camera) as log:
        getattr(camera, fault).set()
        time.sleep(1.0)
        getattr(camera, fault).clear()
        assert log.flows_again()
        assert log.flows_again()
        assert len(camera.visited_s) == 1
    assert log.sizes_px == [(372, 576)]
    assert log.lost == []
    assert fault == "lossy" or "undecodable" in log.refused


def read_to_the_end(source: OpenCvCamera) -> None:
    while source.read() is not None:
        pass
