"""Cuts one recording into the two virtual cameras of the demo.

The recording is `vtest.avi` of OpenCV's samples (PETS 2009, S2.L1, view 1). Its left and right parts, with a gap
between them that neither shows, are two views of one place: people walk out of one and into the other.

    FootageError (a ToolError)
    ├── SourceMissing      no recording at the given path
    ├── SourceUnexpected   a recording, but another one
    ├── EncoderMissing     no ffmpeg with libx264 on PATH
    ├── EncodingFailed     ffmpeg said no
    └── ClipUnreadable     a file that OpenCV cannot open
"""

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
from rich.console import Console

from ruid_tools.errors import ToolError

CLIPS_DIR: Final = Path(__file__).parent / "demo" / "clips"
DEBIAN_SOURCE: Final = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
SOURCE_SHA256: Final = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"


class FootageError(ToolError):
    """The demo footage could not be cut or read."""


class SourceMissing(FootageError):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"no recording at {self.path}; Debian's package opencv-doc brings it: apt install opencv-doc"


class SourceUnexpected(FootageError):
    def __init__(self, path: Path, sha256: str) -> None:
        super().__init__(path, sha256)
        self.path = path
        self.sha256 = sha256

    def __str__(self) -> str:
        return f"{self.path} is not the recording that the demo is cut from (SHA-256 {self.sha256})"


class EncoderMissing(FootageError):
    def __str__(self) -> str:
        return "ffmpeg is not on PATH: apt install ffmpeg"


class EncodingFailed(FootageError):
    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said

    def __str__(self) -> str:
        return f"ffmpeg could not encode the clip: {self.said}"


class ClipUnreadable(FootageError):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"OpenCV cannot read {self.path} as a video"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A virtual camera: a full-height part of the recording, in pixels of the recording."""

    name: str
    left_px: int
    width_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFacts:
    """What a clip turned out to hold when every frame of it was decoded."""

    frames: int
    width_px: int
    height_px: int
    fps: float


# 12 px are left out on each side of the middle (x = 384), so that nobody shows at the edge of both pictures at once.
VIEWS: Final = (
    View(name="west", left_px=0, width_px=372),
    View(name="east", left_px=396, width_px=372),
)

# The best quality that keeps both clips together under 5 MB. One thread and no tags: the same ffmpeg writes the
# same bytes. A key frame every five seconds keeps seeking cheap.
_ENCODING: Final = (
    *("-c:v", "libx264", "-preset", "veryslow", "-tune", "psnr", "-crf", "26", "-g", "50", "-threads", "1"),
    *("-pix_fmt", "yuv420p", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1"),
    *("-movflags", "+faststart"),
)


def footage(*, source: Path = DEBIAN_SOURCE, folder: Path = CLIPS_DIR) -> None:
    """Cut the recording into the demo's clips and print what they hold."""
    for clip in cut_demo_clips(source, folder=folder):
        facts = clip_facts(clip)
        size = f"{facts.width_px}×{facts.height_px}, {facts.frames} frames, {clip.stat().st_size:,} bytes"
        Console().print(f"{clip}: {size}, SHA-256 {sha256_of(clip)}", highlight=False, soft_wrap=True)


def cut_demo_clips(
    source: Path = DEBIAN_SOURCE, *, folder: Path = CLIPS_DIR, views: tuple[View, ...] = VIEWS
) -> tuple[Path, ...]:
    """Writes one MP4 for each view into `folder` and returns their paths.

    Raises `SourceMissing` or `SourceUnexpected` before anything is written, `EncoderMissing` or `EncodingFailed`
    after that.
    """
    check_source(source)
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(cut_view(source, view, folder=folder) for view in views)


def check_source(source: Path) -> None:
    if not source.is_file():
        raise SourceMissing(source)
    sha256 = sha256_of(source)
    if sha256 != SOURCE_SHA256:
        raise SourceUnexpected(source, sha256)


def cut_view(source: Path, view: View, *, folder: Path) -> Path:
    """Encodes the part of `source` that `view` sees; every frame is kept, at the recording's own rate."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise EncoderMissing
    clip = folder / f"{view.name}.mp4"
    crop = f"crop={view.width_px}:ih:{view.left_px}:0"
    command = [ffmpeg, "-v", "error", "-nostdin", "-y", "-i", source, "-an", "-vf", crop, *_ENCODING, clip]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    if finished.returncode != 0:
        raise EncodingFailed(finished.stderr.strip())
    return clip


def clip_facts(clip: Path) -> ClipFacts:
    """Decodes the whole clip. Raises `ClipUnreadable` when not even one frame comes out."""
    capture = cv2.VideoCapture(str(clip))
    try:
        fps = capture.get(cv2.CAP_PROP_FPS)
        frames, height_px, width_px = 0, 0, 0
        decoded, frame = capture.read()
        while decoded:
            frames += 1
            height_px, width_px = frame.shape[:2]
            decoded, frame = capture.read()
    finally:
        capture.release()
    if frames == 0:
        raise ClipUnreadable(clip)
    return ClipFacts(frames=frames, width_px=width_px, height_px=height_px, fps=fps)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
