"""Plays one scene with the node's own camera source on libcamera's virtual cameras; prints what happened as JSON."""

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ruid_edge.capture.frames import Frame, SourceLost
from ruid_edge.capture.pi_camera import PiCamera
from ruid_edge.capture.pi_camera_library import picamera2_library
from ruid_edge.errors import NodeFailed

ABSENT = 99
SIZES = ((1280, 960), (1280, 720))


class VirtualLibrary:
    """The real library, less two things that virtual cameras have not: raw pictures, and buffers of others.

    `opened` are its cameras in the order in which they were asked for; `hidden` makes it find none.
    """

    def __init__(self) -> None:
        self.opened: list[Any] = []
        self.hidden = False
        library: Any = picamera2_library()
        allocator: Any = importlib.import_module("picamera2.allocators").LibcameraAllocator
        virtual = self

        class Picamera2(library.Picamera2):
            def __init__(self, index: int) -> None:
                index = ABSENT if virtual.hidden else index
                self.virtual_size = SIZES[index % 2]
                super().__init__(index, allocator=allocator(None))
                self.allocator = allocator(self.camera)
                virtual.opened.append(self)

            def _get_raw_modes(self) -> list[dict[str, object]]:
                return [{"format": "SRGGB10", "size": self.virtual_size}]

            @staticmethod
            def global_camera_info() -> list[Any]:
                return [] if virtual.hidden else library.Picamera2.global_camera_info()

        self.Picamera2 = Picamera2


LIBRARY = VirtualLibrary()


def opened(index: int = 0) -> PiCamera:
    camera = PiCamera(index, library=lambda: LIBRARY)
    camera.open()
    return camera


def next_of(camera: PiCamera) -> Frame:
    frame = camera.read()
    assert frame is not None
    return frame


def said_by(call: Callable[[], object]) -> str:
    try:
        call()
    except (SourceLost, NodeFailed) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def told(frame: Frame) -> dict[str, object]:
    assert frame.small_bgr is not None
    return {
        "large": frame.picture_bgr.shape,
        "small": frame.small_bgr.shape,
        "scene": frame.scene,
        "age_s": frame.grabbed_at_s - frame.captured_at_s,
        "colours": len(np.unique(frame.picture_bgr.reshape(-1, 3), axis=0)),
    }


def frames() -> dict[str, object]:
    """90 frames in a row, then a proper stop."""
    camera = opened()
    streams = LIBRARY.opened[-1].camera_configuration()
    read = [next_of(camera) for _ in range(90)]
    camera.close()
    times = [frame.captured_at_s for frame in read]
    return {
        "count": len(read),
        "last": told(read[-1]),
        "size": camera.size_px,
        "formats": [streams[name]["format"] for name in ("main", "lores")],
        "strides": [streams[name]["stride"] for name in ("main", "lores")],
        "in_order": times == sorted(times),
    }


def again() -> list[dict[str, object]]:
    """Started and stopped three times by one source."""
    camera = PiCamera(0, library=lambda: LIBRARY)
    shown: list[dict[str, object]] = []
    for _ in range(3):
        camera.open()
        shown.append(told(next_of(camera)))
        camera.close()
    return shown


def two() -> list[dict[str, object]]:
    """Both cameras at once, in one process."""
    cameras = [opened(0), opened(1)]
    shown = [told(next_of(camera)) for _ in range(5) for camera in cameras][-2:]
    for camera in cameras:
        camera.close()
    return shown


def loss() -> dict[str, object]:
    """The sensor falls silent; the source says so, and gives pictures again once it was opened again."""
    camera = opened()
    before = told(next_of(camera))
    LIBRARY.opened[-1].camera.stop()
    started_s = time.monotonic()
    said = said_by(lambda: [next_of(camera) for _ in range(20)])
    waited_s = time.monotonic() - started_s
    camera.open()
    return {"before": before, "said": said, "waited_s": waited_s, "after": told(next_of(camera))}


def gone() -> list[str]:
    """A camera that has worked is not among the cameras any more."""
    camera = opened()
    next_of(camera)
    camera.close()
    LIBRARY.hidden = True
    return [said_by(camera.open) for _ in range(6)]


def busy() -> str:
    """The same camera a second time."""
    camera = opened()
    said = said_by(opened)
    camera.close()
    return said


def absent() -> str:
    """A number that no camera has."""
    return said_by(lambda: opened(5))


if __name__ == "__main__":
    scene = {scene.__name__: scene for scene in (frames, again, two, loss, gone, busy, absent)}[sys.argv[1]]
    print(json.dumps(scene()))  # noqa: T201 - the test reads it
