"""Which source a text means."""

import re
from collections.abc import Callable
from pathlib import Path

from ruid_edge.capture.addresses import STREAM, without_secrets
from ruid_edge.capture.cameras import OpenCvCamera
from ruid_edge.capture.frames import FrameSource
from ruid_edge.capture.pi_camera import PiCamera
from ruid_edge.capture.recordings import ClipPictures, FolderPictures, Playback, Recording
from ruid_edge.errors import SourceMissing


def make_source(text: str, playback: Playback, *, on_unreadable: Callable[[Path], None]) -> FrameSource:
    """Return the source that `text` names, not yet opened.

    `picamera` or `picamera:1`, a number or `/dev/video0`, an RTSP or HTTP address, a folder of images, else a
    video file. Raises `SourceMissing` for an address of a kind that no camera has.
    """
    if text == "picamera" or re.fullmatch(r"picamera:\d+", text):
        return PiCamera(int(text.partition(":")[2] or 0))
    if text.isdigit():
        return OpenCvCamera(int(text))
    if text.startswith("/dev/") or STREAM.match(text):
        return OpenCvCamera(text)
    if "://" in text:
        raise SourceMissing(f"'{without_secrets(text)}' is no address of a camera: rtsp, rtsps, rtmp, http, udp or tcp")
    path = Path(text)
    if path.is_dir():
        return Recording(FolderPictures(path, on_unreadable=on_unreadable), playback)
    return Recording(ClipPictures(path), playback)
