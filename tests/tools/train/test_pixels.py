"""The caches of pixels and of the teacher's embeddings."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ruid_tools.evaluation.reid_networks import UnreadablePictureError
from ruid_tools.train.pixels import PixelStore, cached_pixels, listing_key


def write_crop(path: Path, grey: int) -> Path:
    cv2.imwrite(str(path), np.full((30, 12, 3), grey, np.uint8))
    return path


def test_pixels_are_decoded_once(tmp_path: Path) -> None:
    paths = [write_crop(tmp_path / "a.png", 40), write_crop(tmp_path / "b.png", 90)]
    first = cached_pixels(paths, cache=tmp_path / "cache")
    stored = list((tmp_path / "cache").glob("*.npy"))
    changed_s = stored[0].stat().st_mtime_ns
    again = cached_pixels(paths, cache=tmp_path / "cache")
    assert first.shape == (2, 192, 80, 3)
    assert int(again[1].max()) == 90
    assert stored[0].stat().st_mtime_ns == changed_s


def test_another_list_of_files_is_another_cache(tmp_path: Path) -> None:
    paths = [write_crop(tmp_path / "a.png", 40), write_crop(tmp_path / "b.png", 90)]
    assert listing_key(paths) != listing_key(paths[::-1])


def test_unreadable_picture_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    with pytest.raises(UnreadablePictureError, match=r"broken\.jpg"):
        cached_pixels([broken], cache=tmp_path / "cache")


def test_store_counts_through_its_parts() -> None:
    parts = [np.full((count, 2, 2, 3), count, np.uint8) for count in (3, 5)]
    store = PixelStore(parts)
    assert len(store) == 8
    assert [int(store.crop(position)[0, 0, 0]) for position in (0, 2, 3, 7)] == [3, 3, 5, 5]
