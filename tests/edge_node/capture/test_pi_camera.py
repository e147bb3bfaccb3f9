"""What the Pi's camera source makes of buffers and failures; picamera2 itself is a stand-in here."""

import time
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_edge.capture.frames import SourceLost
from ruid_edge.capture.pi_camera import PiCamera, picture_bgr
from ruid_edge.capture.pi_camera_library import picamera2_library, remedy
from ruid_edge.errors import NodeFailed, SourceMissing

SENSOR = (3280, 2464)


class FakeRequest:
    """One frame: a large grey picture in padded rows, a small one in YUV."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self.config = configuration
        self.released = False

    def make_buffer(self, name: str) -> NDArray[np.uint8]:
        return np.full(int(self.config[name]["framesize"]), 128, np.uint8)

    def get_metadata(self) -> dict[str, int]:
        return {"SensorTimestamp": time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 40_000_000}

    def release(self) -> None:
        self.released = True


class FakeLibrary:
    """picamera2 with `cameras` cameras; `fails` is raised by the next call that reaches the hardware."""

    def __init__(self, *, cameras: int = 1) -> None:
        self.cameras = cameras
        self.fails: Exception | None = None
        self.requests: list[FakeRequest] = []
        self.Picamera2 = FakeClass(self)

    def reach(self) -> None:
        if self.fails:
            raise self.fails


class FakeClass:
    """What the library calls a class; calling it opens a camera."""

    def __init__(self, library: FakeLibrary) -> None:
        self._library = library

    def __call__(self, index: int) -> "FakeCamera":
        self._library.reach()
        if index >= self._library.cameras:
            raise IndexError(f"no camera {index}")
        return FakeCamera(self._library)

    def global_camera_info(self) -> list[int]:
        return list(range(self._library.cameras))


class FakeCamera:
    """Gives both streams rows with 32 bytes of padding, and buffers that are too long."""

    sensor_resolution = SENSOR

    def __init__(self, library: FakeLibrary) -> None:
        self._library = library
        self._streams: dict[str, Any] = {}

    def create_video_configuration(self, **streams: Any) -> dict[str, Any]:
        return streams

    def configure(self, streams: dict[str, Any]) -> None:
        for name, bytes_a_pixel, rows in (("main", 3, 1.0), ("lores", 1, 1.5)):
            width, height = streams[name]["size"]
            stride = width * bytes_a_pixel + 32
            padded = {"stride": stride, "framesize": int(stride * height * rows) + 100}
            self._streams[name] = streams[name] | padded

    def camera_configuration(self) -> dict[str, Any]:
        return self._streams

    def start(self) -> None: ...

    def close(self) -> None: ...

    def capture_request(self, *, wait: float) -> FakeRequest:
        assert wait > 0
        self._library.reach()
        self._library.requests.append(FakeRequest(self._streams))
        return self._library.requests[-1]


def test_two_sizes_of_the_sensor_s_proportions_are_asked_for() -> None:
    library = FakeLibrary()
    camera = PiCamera(0, library=lambda: library)
    camera.open()
    frame = camera.read()
    assert frame is not None
    assert frame.small_bgr is not None
    assert frame.picture_bgr.shape == (962, 1280, 3)
    assert frame.small_bgr.shape == (480, 640, 3)
    assert camera.size_px == (1280, 962)
    assert frame.grabbed_at_s - frame.captured_at_s == pytest.approx(0.04, abs=0.03)
    assert library.requests[0].released


@pytest.mark.parametrize(("kind", "to_yuv"), [("YUV420", cv2.COLOR_BGR2YUV_I420), ("NV12", None)])
def test_padded_rows_are_cut_off(kind: str, to_yuv: int | None) -> None:
    """Blue on the left, red on the right, and rubbish in the padding, which must not show."""
    picture = np.zeros((8, 16, 3), np.uint8)
    picture[:, :8], picture[:, 8:] = (255, 0, 0), (0, 0, 255)
    padded = np.full((8, 32, 3), 77, np.uint8)
    padded[:, :16] = picture
    planar = cv2.cvtColor(padded, cv2.COLOR_BGR2YUV_I420)
    if to_yuv is None:
        chroma = planar[8:].reshape(2, -1)
        planar = np.vstack([planar[:8], chroma.T.reshape(4, 32)])
    buffer = np.concatenate([planar.ravel().astype(np.uint8), np.zeros(50, np.uint8)])
    shown = picture_bgr(buffer, {"size": (16, 8), "stride": 32, "format": kind})
    assert shown.shape == (8, 16, 3)
    assert np.abs(shown[:, 2:6].astype(int) - picture[:, 2:6]).max() < 12
    assert np.abs(shown[:, 10:14].astype(int) - picture[:, 10:14]).max() < 12


def test_a_camera_that_never_worked_is_waited_for() -> None:
    """Perhaps it is plugged in later: the page shows what is wrong meanwhile."""
    camera = PiCamera(0, library=lambda: FakeLibrary(cameras=0))
    for _ in range(8):
        with pytest.raises(SourceLost, match="no camera was found: switch the power off"):
            camera.open()


def test_a_camera_that_worked_and_stays_away_ends_the_node() -> None:
    library = FakeLibrary()
    camera = PiCamera(0, library=lambda: library)
    camera.open()
    library.fails = TimeoutError()
    with pytest.raises(SourceLost, match="no frame in 5 s"):
        camera.read()
    for _ in range(4):
        with pytest.raises(SourceLost):
            camera.open()
    with pytest.raises(NodeFailed, match="does not come back"):
        camera.open()


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (RuntimeError("Failed to acquire camera: Device or resource busy"), "another program holds the camera"),
        (OSError(12, "Cannot allocate memory"), "cma-320"),
        (RuntimeError("Could not open any dmaHeap device"), "root and privileged"),
        (PermissionError(13, "Permission denied"), "group video"),
        (SourceLost("no frame in 5 s"), "sends no pictures"),
        (RuntimeError("Failed to queue request: Permission denied"), "sends no pictures"),
        (RuntimeError("something else"), "ribbon"),
    ],
)
def test_every_failure_comes_with_a_next_step(error: Exception, advice: str) -> None:
    assert advice in remedy(error, index=0, found=1)


def test_without_picamera2_the_text_says_how_to_get_it() -> None:
    with pytest.raises(SourceMissing, match="install python3-picamera2"):
        picamera2_library()
