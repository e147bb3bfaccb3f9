"""Recordings: a clip, or a folder of images. They play in real time, as a camera would, or as fast as they can."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ruid_edge.capture.frames import Frame
from ruid_edge.errors import SourceMissing

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
_FOLDER_FPS = 10.0


@dataclass(frozen=True, slots=True)
class Playback:
    """How a recording plays: `start_at_s` is the scene time of its first frame, None for when it is opened."""

    realtime: bool = True
    loop: bool = False
    start_at_s: float | None = None


class Recording:
    """Plays pictures at a fixed rate; `open_pictures` gives a function that reads the next one, or None."""

    def __init__(self, pictures: "Pictures", playback: Playback) -> None:
        self._pictures = pictures
        self._playback = playback
        self._started_monotonic_s = 0.0
        self._scene_at_s = 0.0
        self._index = 0
        self._scene = 0

    @property
    def lossless(self) -> bool:
        """A recording that plays fast loses no frame."""
        return not self._playback.realtime

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self._pictures.size_px

    def open(self) -> None:
        """Start playing at the first frame; raise `SourceMissing` where there is nothing to play."""
        self._pictures.rewind()
        self._started_monotonic_s = time.monotonic()
        if self._scene == 0:
            self._scene_at_s = self._playback.start_at_s or time.time()
        self._scene += 1

    def read(self) -> Frame | None:
        """Return the next frame when it is due, None after the last one unless the recording loops."""
        picture = self._pictures.next()
        if picture is None and self._playback.loop:
            self._scene_at_s += self._index / self._pictures.fps
            self._index = 0
            self.open()
            picture = self._pictures.next()
        if picture is None:
            return None
        offset_s = self._index / self._pictures.fps
        self._index += 1
        if self._playback.realtime:
            time.sleep(max(0.0, self._started_monotonic_s + offset_s - time.monotonic()))
        return Frame(picture, self._scene_at_s + offset_s, time.time(), self._scene)

    def close(self) -> None:
        """Let go of the file."""
        self._pictures.close()


class Pictures:
    """The pictures of a recording in order."""

    fps: float
    size_px: tuple[int, int]

    def rewind(self) -> None:
        """Go to the first picture; raise `SourceMissing` where there is none."""
        raise NotImplementedError

    def next(self) -> NDArray[np.uint8] | None:
        """Return the next picture, None after the last."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the file."""


class ClipPictures(Pictures):
    """The frames of a video file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._capture: cv2.VideoCapture | None = None
        self._first: NDArray[np.uint8] | None = None

    def rewind(self) -> None:
        if not self._path.is_file():
            raise SourceMissing(f"there is no file '{self._path}': check the path of the source")
        self.close()
        self._capture = cv2.VideoCapture(str(self._path))
        self._first = self._decode()
        if self._first is None:
            raise SourceMissing(f"'{self._path}' holds no frame that can be decoded: is it a video?")
        self.size_px = (self._first.shape[1], self._first.shape[0])
        self.fps = self._capture.get(cv2.CAP_PROP_FPS) or _FOLDER_FPS

    def next(self) -> NDArray[np.uint8] | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return self._decode()

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _decode(self) -> NDArray[np.uint8] | None:
        if self._capture is None:
            return None
        decoded, picture = self._capture.read()
        return np.asarray(picture, np.uint8) if decoded else None


class FolderPictures(Pictures):
    """The images of a folder in the order of their names; one that cannot be read is passed over and counted."""

    fps = _FOLDER_FPS

    def __init__(self, folder: Path, *, on_unreadable: Callable[[Path], None]) -> None:
        self._folder = folder
        self._on_unreadable = on_unreadable
        self._remaining: list[Path] = []

    def rewind(self) -> None:
        images = sorted(path for path in self._folder.iterdir() if path.suffix.lower() in _IMAGE_SUFFIXES)
        first = next((picture for path in images if (picture := _read_image(path)) is not None), None)
        if first is None:
            raise SourceMissing(f"the folder '{self._folder}' holds no image that can be read (jpg, png, bmp, webp)")
        self.size_px = (first.shape[1], first.shape[0])
        self._remaining = images[::-1]

    def next(self) -> NDArray[np.uint8] | None:
        while self._remaining:
            path = self._remaining.pop()
            picture = _read_image(path)
            if picture is not None:
                return picture
            self._on_unreadable(path)
        return None


def _read_image(path: Path) -> NDArray[np.uint8] | None:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return None if picture is None else np.asarray(picture, np.uint8)
