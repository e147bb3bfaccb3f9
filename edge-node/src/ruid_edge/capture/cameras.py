"""Live cameras that OpenCV reads: V4L2 and USB devices, RTSP and HTTP streams."""

import os
import time

import cv2
import numpy as np

from ruid_edge.capture.addresses import without_secrets
from ruid_edge.capture.frames import Frame, SourceLost

_TIMEOUT_MS = 5000
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
        decoded, picture = capture.read()
        if not decoded:
            capture.release()
            raise SourceLost(f"the camera '{self._name}' gives no picture: is it plugged in, reachable, free?")
        self._capture = capture
        self.size_px = (picture.shape[1], picture.shape[0])
        self._scene += 1

    def read(self) -> Frame | None:
        """Wait for the next frame; raise `SourceLost` when none comes."""
        if self._capture is None:
            raise SourceLost(f"the camera '{self._name}' is not open")
        decoded, picture = self._capture.read()
        if not decoded:
            raise SourceLost(f"the camera '{self._name}' stopped giving pictures")
        now_s = time.time()
        return Frame(np.asarray(picture, np.uint8), now_s, now_s, self._scene)

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
        return cv2.VideoCapture(str(self._target), cv2.CAP_FFMPEG, options)
