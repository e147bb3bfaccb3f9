"""The Pi's own camera through picamera2, which Raspberry Pi's package archive installs (it is not a wheel)."""

import importlib
import time
from typing import Any

import numpy as np

from ruid_edge.capture.frames import Frame, SourceLost
from ruid_edge.errors import SourceMissing


class PiCamera:
    """Camera number `index`; the ISP scales to the size that is asked for."""

    lossless = False

    def __init__(self, index: int = 0, *, width_px: int = 640, height_px: int = 480) -> None:
        self._index = index
        self.size_px = (width_px, height_px)
        self._camera: Any = None
        self._scene = 0

    def open(self) -> None:
        """Start the camera; raise `SourceMissing` without picamera2, `SourceLost` without a camera."""
        try:
            module = importlib.import_module("picamera2")
        except ImportError as error:
            raise SourceMissing(
                "picamera2 is not installed: on a Raspberry Pi install python3-picamera2, "
                "elsewhere name another source (RUID_SOURCE)"
            ) from error
        try:
            self._camera = module.Picamera2(self._index)
            # picamera2 calls the order B, G, R in memory "RGB888".
            video = self._camera.create_video_configuration(main={"size": self.size_px, "format": "RGB888"})
            self._camera.configure(video)
            self._camera.start()
        except (IndexError, RuntimeError) as error:
            self.close()
            raise SourceLost(
                f"camera {self._index} did not start ({error}): check the ribbon and the overlay"
            ) from error
        self._scene += 1

    def read(self) -> Frame | None:
        """Wait for the next frame."""
        try:
            picture = self._camera.capture_array("main")
        except RuntimeError as error:
            raise SourceLost(f"camera {self._index} stopped ({error})") from error
        now_s = time.time()
        return Frame(np.asarray(picture, np.uint8), now_s, now_s, self._scene)

    def close(self) -> None:
        """Stop the camera."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None
