"""Composites: new people for the teacher to describe."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ruid_tools.train.composites import join_at_waist, kept_composites, turn_hues

RED = np.full((40, 16, 3), (0, 0, 200), np.uint8)
BLUE = np.full((40, 16, 3), (200, 0, 0), np.uint8)


def test_the_upper_half_is_of_one_person_and_the_lower_of_the_other() -> None:
    joined = join_at_waist(RED, BLUE, rng=np.random.default_rng(0))
    assert (joined[:8] == RED[0, 0]).all()
    assert (joined[-8:] == BLUE[0, 0]).all()


def test_turned_hues_change_colours_and_leave_greys() -> None:
    grey = np.full((40, 16, 3), 120, np.uint8)
    turned = turn_hues(np.concatenate([RED, grey], axis=1), rng=np.random.default_rng(1))
    spread = turned.max(axis=2).astype(int) - turned.min(axis=2)
    assert (turned[:, :16] != RED).any()
    assert (spread[:, 16:] == 0).all()


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "people" / "crops" / f"{name}.png" for name in ("red", "blue")]
    paths[0].parent.mkdir(parents=True)
    for path, picture in zip(paths, (RED, BLUE), strict=True):
        cv2.imwrite(str(path), picture)
    return paths


def test_composites_are_made_once_and_kept(tmp_path: Path, pictures: list[Path]) -> None:
    made = kept_composites(pictures, count=3, cache=tmp_path / "cache", seed=0)
    times = [path.stat().st_mtime_ns for path in made]
    again = kept_composites(pictures, count=3, cache=tmp_path / "cache", seed=0)
    assert [path.stat().st_mtime_ns for path in again] == times
    assert len(made) == 3


def test_the_same_seed_makes_the_same_composites(tmp_path: Path, pictures: list[Path]) -> None:
    one, other = (kept_composites(pictures, count=2, cache=tmp_path / place, seed=4) for place in ("one", "other"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
