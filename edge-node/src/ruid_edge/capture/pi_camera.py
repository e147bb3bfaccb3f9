"""The Pi's own camera through picamera2.

The camera's image processor does the scaling, to two sizes of the whole field of view: a large picture for crops and
thumbnails, and a small one for the detector.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ruid_edge.capture.frames import Frame, SourceLost
from ruid_edge.capture.pi_camera_library import picamera2_library, remedy
from ruid_edge.errors import NodeFailed

_LARGE_SIDE_PX = 1280
_SMALL_SIDE_PX = 640
_FRAME_TIMEOUT_S = 5.0
_OLDEST_FRAME_S = 1.0
_TRIES_TO_RETURN = 5
_BUFFERS = 4

Picture = NDArray[np.uint8]


class PiCamera:
    """Camera number `index`, as `rpicam-hello --list-cameras` counts them.

    A camera that has worked and does not come back in a few tries ends with `NodeFailed`: libcamera looks for cameras
    once in a process, so only a new process finds it.
    """

    lossless = False

    def __init__(self, index: int = 0, *, library: Callable[[], Any] = picamera2_library) -> None:
        self._index = index
        self._library = library
        self._camera: Any = None
        self._scene = 0
        self._failures = 0
        self.size_px = (_LARGE_SIDE_PX, _LARGE_SIDE_PX * 3 // 4)

    def open(self) -> None:
        """Start the camera; raise `SourceMissing` without picamera2, `SourceLost` with what to do about it."""
        self.close()
        library = self._library()
        try:
            self._start(library)
        except (IndexError, RuntimeError, OSError) as error:
            self.close()
            raise self._lost(library, error) from error
        self._scene += 1

    def read(self) -> Frame | None:
        """Wait for the next frame; raise `SourceLost` when none comes."""
        if self._camera is None:
            raise SourceLost(f"camera {self._index} is not open")
        try:
            large, small, taken_ns = self._capture()
        except (SourceLost, RuntimeError, OSError) as error:
            self.close()
            raise self._lost(self._library(), error) from error
        self._failures = 0
        now_s = time.time()
        return Frame(large, now_s - _age_s(taken_ns), now_s, self._scene, small)

    def close(self) -> None:
        """Stop the camera."""
        camera, self._camera = self._camera, None
        if camera is not None:
            with suppress(RuntimeError, OSError):  # a camera that is gone cannot be stopped properly
                camera.close()

    def _start(self, library: Any) -> None:
        self._camera = camera = library.Picamera2(self._index)
        width, height = camera.sensor_resolution
        configuration = camera.create_video_configuration(
            main={"size": _fitted(width, height, side_px=_LARGE_SIDE_PX), "format": "RGB888"},
            lores={"size": _fitted(width, height, side_px=_SMALL_SIDE_PX), "format": "YUV420"},
            buffer_count=_BUFFERS,
        )
        camera.configure(configuration)
        self.size_px = tuple(camera.camera_configuration()["main"]["size"])
        camera.start()

    def _capture(self) -> tuple[Picture, Picture, int]:
        try:
            request = self._camera.capture_request(wait=_FRAME_TIMEOUT_S)
        except TimeoutError as error:  # it says nothing of itself
            raise SourceLost(f"no frame in {_FRAME_TIMEOUT_S:g} s") from error
        try:
            large, small = (picture_bgr(request.make_buffer(name), request.config[name]) for name in ("main", "lores"))
            return large, small, int(request.get_metadata().get("SensorTimestamp", 0))
        finally:
            request.release()

    def _lost(self, library: Any, error: Exception) -> SourceLost | NodeFailed:
        self._failures += 1
        advice = remedy(error, index=self._index, found=len(library.Picamera2.global_camera_info()))
        if self._scene > 0 and self._failures > _TRIES_TO_RETURN:
            return NodeFailed(f"camera {self._index} does not come back ({error}): {advice}")
        return SourceLost(f"camera {self._index} gives no picture ({error}): {advice}")


def picture_bgr(buffer: Picture, stream: dict[str, Any]) -> Picture:
    """Return a stream's buffer as a picture (H, W, 3) BGR of its own.

    A buffer is longer than its picture, and its rows are padded to `stride` bytes: YUV is converted with its padding,
    which is cut off afterwards.
    """
    width, height = stream["size"]
    stride, kind = stream["stride"], stream["format"]
    if kind in _YUV:
        rows = buffer[: height * 3 // 2 * stride].reshape(height * 3 // 2, stride)
        picture = cv2.cvtColor(rows, _YUV[kind])[:, :width]
    else:  # picamera2 calls the order B, G, R in memory "RGB888"
        picture = buffer[: height * stride].reshape(height, stride)[:, : width * 3].reshape(height, width, 3)
    return np.ascontiguousarray(picture, np.uint8)


_YUV = {"YUV420": cv2.COLOR_YUV2BGR_I420, "NV12": cv2.COLOR_YUV2BGR_NV12}


def _fitted(width: int, height: int, *, side_px: int) -> tuple[int, int]:
    """A size of the sensor's proportions with `side_px` as its longer side; both even, as YUV wants."""
    scale = min(1.0, side_px / max(width, height))
    return round(width * scale / 2) * 2, round(height * scale / 2) * 2


def _age_s(taken_ns: int) -> float:
    """How long ago the sensor took a frame; 0 where its clock is not the one that is expected."""
    age_s = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - taken_ns) / 1e9
    return age_s if 0.0 <= age_s <= _OLDEST_FRAME_S else 0.0
