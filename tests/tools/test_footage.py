"""The demo clips are what their provenance note says, and the tool that cut them says what is wrong."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_tools.footage import (
    CLIPS_DIR,
    DEBIAN_SOURCE,
    VIEWS,
    ClipFacts,
    ClipUnreadable,
    EncoderMissing,
    EncodingFailed,
    SourceMissing,
    SourceUnexpected,
    View,
    clip_facts,
    cut_demo_clips,
    cut_view,
    sha256_of,
)
from tooling import require_file, require_tool

CLIPS = [CLIPS_DIR / f"{view.name}.mp4" for view in VIEWS]


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_every_frame_of_a_shipped_clip_decodes(clip: Path) -> None:
    assert clip_facts(clip) == ClipFacts(frames=795, width_px=372, height_px=576, fps=10.0)


def test_the_clips_together_stay_under_five_megabytes() -> None:
    assert sum(clip.stat().st_size for clip in CLIPS) < 5_000_000


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_the_provenance_note_names_each_clip_by_its_checksum(clip: Path) -> None:
    assert sha256_of(clip) in (CLIPS_DIR / "PROVENANCE.md").read_text(encoding="utf-8")


def test_the_views_do_not_overlap_and_lie_inside_the_recording() -> None:
    west, east = VIEWS
    assert west.left_px >= 0
    assert west.left_px + west.width_px < east.left_px
    assert east.left_px + east.width_px <= 768
    assert west.width_px % 2 == east.width_px % 2 == 0  # yuv420p has no odd widths


def test_cutting_keeps_every_frame_of_the_part_that_a_view_names(tmp_path: Path) -> None:
    require_tool("ffmpeg")
    sliver = View(name="sliver", left_px=100, width_px=16)
    clip = cut_view(CLIPS[0], sliver, folder=tmp_path)
    assert clip_facts(clip) == ClipFacts(frames=795, width_px=16, height_px=576, fps=10.0)


def test_the_packaged_recording_can_be_cut_again(tmp_path: Path) -> None:
    require_tool("ffmpeg")
    require_file(DEBIAN_SOURCE, hint="apt install opencv-doc")
    slivers = tuple(View(name=view.name, left_px=view.left_px, width_px=16) for view in VIEWS)
    assert [clip.name for clip in cut_demo_clips(folder=tmp_path, views=slivers)] == ["west.mp4", "east.mp4"]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_shipped_clip_shows_its_own_columns_of_the_recording(view: View) -> None:
    require_file(DEBIAN_SOURCE, hint="apt install opencv-doc")
    columns = slice(view.left_px, view.left_px + view.width_px)
    of_recording = first_frame(DEBIAN_SOURCE)[:, columns].astype(np.float64)
    of_clip = first_frame(CLIPS_DIR / f"{view.name}.mp4").astype(np.float64)
    assert np.abs(of_recording - of_clip).mean() < 3.0  # of 255; a shift by one column gives more than 3.8


def test_a_missing_recording_names_the_package_that_brings_it(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="apt install opencv-doc"):
        cut_demo_clips(tmp_path / "vtest.avi", folder=tmp_path)


def test_another_recording_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    with pytest.raises(SourceUnexpected):
        cut_demo_clips(CLIPS[0], folder=clips)
    assert not clips.exists()


def test_without_ffmpeg_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EncoderMissing, match="apt install ffmpeg"):
        cut_view(CLIPS[0], VIEWS[0], folder=tmp_path)


def test_what_ffmpeg_complains_about_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\necho 'no room left' >&2\nexit 1\n", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(EncodingFailed, match="no room left"):
        cut_view(CLIPS[0], VIEWS[0], folder=tmp_path)


def test_a_file_that_is_no_video_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    with pytest.raises(ClipUnreadable, match=r"broken\.mp4"):
        clip_facts(broken)


def first_frame(path: Path) -> NDArray[np.uint8]:
    """The first picture of a video, (H, W, 3) BGR."""
    capture = cv2.VideoCapture(str(path))
    decoded, frame = capture.read()
    capture.release()
    assert decoded
    return frame.astype(np.uint8)
