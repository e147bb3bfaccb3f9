"""Pictures to calibrate with."""

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from tooling import REPOSITORY

pytest.importorskip("onnx", reason="onnx is not installed")

from ruid_tools.models.calibration import PictureSourceError, letterboxed, read_pictures


def _png(grey: int) -> bytes:
    return cv2.imencode(".png", np.full((4, 6, 3), grey, np.uint8))[1].tobytes()


def test_pictures_are_spread_over_a_folder(tmp_path: Path) -> None:
    for grey in range(0, 50, 10):
        (tmp_path / f"{grey:03d}.png").write_bytes(_png(grey))
    (tmp_path / "notes.txt").write_text("no picture")
    assert [int(picture[0, 0, 0]) for picture in read_pictures(tmp_path, most=3)] == [0, 20, 40]
    assert len(read_pictures(tmp_path, most=40)) == 5


def test_pictures_come_out_of_a_tar(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "street.tar", "w") as archive:
        for grey in (7, 9):
            member = tarfile.TarInfo(f"{grey}.png")
            member.size = len(_png(grey))
            archive.addfile(member, io.BytesIO(_png(grey)))
    assert [int(picture[0, 0, 0]) for picture in read_pictures(tmp_path / "street.tar", most=5)] == [7, 9]


def test_pictures_are_spread_over_a_video() -> None:
    clip = REPOSITORY / "tools/src/ruid_tools/demo/clips/west.mp4"
    pictures = read_pictures(clip, most=2)
    assert len(pictures) == 2
    assert not np.array_equal(pictures[0], pictures[1])


def test_a_picture_that_cannot_be_decoded_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(PictureSourceError, match=r"broken\.png cannot be read as a picture"):
        read_pictures(tmp_path, most=1)


@pytest.mark.parametrize("name", ["nowhere", "empty", "no.tar", "no.mp4"])
def test_a_source_without_pictures_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.tar").write_bytes(b"nothing")
    (tmp_path / "no.mp4").write_bytes(b"")
    with pytest.raises(PictureSourceError, match=rf"^no pictures at .*{name}: .*"):
        read_pictures(tmp_path / name, most=1)


def test_a_letterbox_is_grey_around_the_picture() -> None:
    boxed = letterboxed(np.zeros((10, 20, 3), np.uint8), width_px=40, height_px=40)
    assert (boxed[:10] == 112).all()
    assert (boxed[10:30] == 0).all()
    assert (boxed[30:] == 112).all()
