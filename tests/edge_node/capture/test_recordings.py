"""Clips and folders play as cameras do."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from ruid_edge.capture import make_source
from ruid_edge.capture.frames import FrameSource
from ruid_edge.capture.recordings import Playback
from ruid_edge.errors import SourceMissing

FAST = Playback(realtime=False, start_at_s=1000.0)


def write_clip(path: Path, frames: int, *, fps: float = 10.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (32, 24))
    for number in range(frames):
        writer.write(np.full((24, 32, 3), number * 20, np.uint8))
    writer.release()
    return path


def opened(path: Path, playback: Playback, passed_over: list[Path] | None = None) -> FrameSource:
    source = make_source(str(path), playback, on_unreadable=([] if passed_over is None else passed_over).append)
    source.open()
    return source


def test_a_clip_plays_once_in_its_own_time(tmp_path: Path) -> None:
    source = opened(write_clip(tmp_path / "clip.avi", 5), FAST)
    assert source.lossless
    assert source.size_px == (32, 24)
    frames = [source.read() for _ in range(6)]
    times = [frame.captured_at_s for frame in frames if frame is not None]
    assert times == [pytest.approx(1000 + number / 10) for number in range(5)]
    assert frames[5] is None
    source.close()


def test_a_looping_clip_goes_on_in_time_and_begins_a_new_scene(tmp_path: Path) -> None:
    source = opened(write_clip(tmp_path / "clip.avi", 3), Playback(realtime=False, loop=True, start_at_s=1000.0))
    frames = [source.read() for _ in range(7)]
    assert [frame.scene for frame in frames if frame is not None] == [1, 1, 1, 2, 2, 2, 3]
    assert [frame.captured_at_s for frame in frames if frame is not None] == [
        pytest.approx(1000 + number / 10) for number in range(7)
    ]
    source.close()


def test_a_clip_in_real_time_is_paced(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", 3, fps=50.0)
    begun_s = time.time()
    source = opened(clip, Playback(realtime=True))
    frames = [source.read() for _ in range(3)]
    grabbed = [frame.grabbed_at_s for frame in frames if frame is not None]
    assert not source.lossless
    assert grabbed[2] - begun_s >= 0.039
    source.close()


def test_a_folder_plays_its_images_in_order_and_names_the_unreadable(tmp_path: Path) -> None:
    for number in (2, 1):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((24, 32, 3), number, np.uint8))
    (tmp_path / "3.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no image")
    passed_over: list[Path] = []
    source = opened(tmp_path, FAST, passed_over)
    first, second, end = source.read(), source.read(), source.read()
    assert first is not None
    assert second is not None
    assert (first.picture_bgr[0, 0, 0], second.picture_bgr[0, 0, 0]) == (1, 2)
    assert end is None
    assert [path.name for path in passed_over] == ["3.jpg"]
    source.close()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("nowhere.mp4", None, "there is no file"),
        ("empty.mp4", b"", "holds no frame"),
        ("text.mp4", b"not a video at all", "holds no frame"),
    ],
)
def test_a_clip_that_cannot_play_says_why(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceMissing, match=said) as refused:
        opened(tmp_path / name, FAST)
    assert refused.value.exit_code == 66


def test_a_folder_without_images_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="holds no image"):
        opened(tmp_path, FAST)
