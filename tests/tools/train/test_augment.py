"""Augmentation of a crop."""

import cv2
import numpy as np

from ruid_tools.train.augment import Augmentation, augment

CROP = np.random.default_rng(0).integers(0, 256, (192, 80, 3)).astype(np.uint8)
NOTHING = Augmentation(**dict.fromkeys(Augmentation.__dataclass_fields__, 0.0))


def test_gives_the_size_asked_for_and_leaves_its_input_alone() -> None:
    before = CROP.copy()
    for seed in range(40):
        changed = augment(CROP, height_px=96, width_px=48, how=Augmentation(), rng=np.random.default_rng(seed))
        assert changed.shape == (96, 48, 3)
        assert changed.dtype == np.uint8
    assert np.array_equal(CROP, before)


def test_same_random_stream_changes_the_same_way() -> None:
    first, second = (
        augment(CROP, height_px=96, width_px=48, how=Augmentation(), rng=np.random.default_rng(5)) for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_without_any_change_it_is_the_crop_itself() -> None:
    assert np.array_equal(augment(CROP, height_px=192, width_px=80, how=NOTHING, rng=np.random.default_rng(0)), CROP)


def test_certain_mirror_exchanges_left_and_right() -> None:
    how = Augmentation(**{**dict.fromkeys(Augmentation.__dataclass_fields__, 0.0), "mirror": 1.0})
    mirrored = augment(CROP, height_px=192, width_px=80, how=how, rng=np.random.default_rng(0))
    assert np.array_equal(mirrored, cv2.flip(CROP, 1))
