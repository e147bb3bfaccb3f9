"""Live cameras that OpenCV reads: V4L2 and USB devices, RTSP and HTTP streams."""

import os
import time

import cv2
import numpy as np
from numpy.typing import NDArray

from ruid_edge.capture.addresses import without_secrets
from ruid_edge.capture.frames import Frame, SourceLost

_TIMEOUT_MS = 5000
_UNDECODABLE_S = 3.0
_UNDECODABLE_IN_A_ROW = 200
"""So long, or so often, pictures may be broken before the stream is opened anew."""
_DEVICE_TIMEOUT_S = 5
_DEVICE_TIMEOUT = "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"
"""OpenCV waits 10 s for a device that has hung, and reads another wish from here before the first one opens."""


class OpenCvCamera:
    """A device (by index or path) or a stream (by address), always as near to live as it gets."""

    lossless = False

    def __init__(self, target: str | int, *, width_px: int = 640, height_px: int = 480) -> None:
        self._target = target
        self._name = without_secrets(str(target))
        self._wanted_px = (width_px, height_px)
        self._capture: cv2.VideoCapture | None = None
        self._scene = 0
        self.size_px = self._wanted_px

    def open(self) -> None:
        """Open the camera; raise `SourceLost` where it does not answer."""
        self.close()
        capture = self._open_device() if self._is_device else self._open_stream()
        picture, _ = _next_picture(capture)
        if picture is None:
            capture.release()
            raise SourceLost(f"the camera '{self._name}' gives no picture: is it plugged in, reachable, free?")
        self._capture = capture
        self.size_px = (picture.shape[1], picture.shape[0])
        self._scene += 1

    def read(self) -> Frame | None:
        """Wait for the next frame; raise `SourceLost` when none comes."""
        if self._capture is None:
            raise SourceLost(f"the camera '{self._name}' is not open")
        picture, undecodable = _next_picture(self._capture)
        if picture is None:
            raise SourceLost(f"the camera '{self._name}' stopped giving pictures")
        now_s = time.time()
        stream_s = None if self._is_device else self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return Frame(picture, now_s, now_s, self._scene, stream_s=stream_s, undecodable_before=undecodable)

    def close(self) -> None:
        """Let go of the device."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    @property
    def _is_device(self) -> bool:
        return isinstance(self._target, int) or self._target.startswith("/dev/")

    def _open_device(self) -> cv2.VideoCapture:
        os.environ.setdefault(_DEVICE_TIMEOUT, str(_DEVICE_TIMEOUT_S))
        capture = cv2.VideoCapture(self._target, cv2.CAP_V4L2)
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._wanted_px[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._wanted_px[1])
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture

    def _open_stream(self) -> cv2.VideoCapture:
        options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT_MS]
        # Every further thread holds a picture back, and OpenCV takes one for each core.
        options += [cv2.CAP_PROP_N_THREADS, 1]
        return cv2.VideoCapture(str(self._target), cv2.CAP_FFMPEG, options)


def _next_picture(capture: cv2.VideoCapture) -> tuple[NDArray[np.uint8] | None, int]:
    """Return the next picture that can be decoded, None where none comes, and how many were tried before it.

    OpenCV says the same of a broken picture in H.264 (often twice), of silence and of the end; only after the first
    another may come.
    """
    ends_s = time.monotonic() + _UNDECODABLE_S
    for undecodable in range(_UNDECODABLE_IN_A_ROW):
        decoded, picture = capture.read()
        if decoded:
            return np.asarray(picture, np.uint8), undecodable
        if time.monotonic() >= ends_s:
            break
    return None, 0
