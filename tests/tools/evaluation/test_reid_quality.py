"""Scenes that hurt crops, and what the comparison with the score says."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ruid_tools.evaluation.reid_networks import ReidNetwork
from ruid_tools.evaluation.reid_quality import draw_scene, measure_quality, rank_correlation


def test_a_scene_lies_in_the_picture_and_its_crop_fits_its_box() -> None:
    rng = np.random.default_rng(0)
    person, other = (np.full((160, 64, 3), grey, np.uint8) for grey in (200, 20))
    scenes = [draw_scene(person, other, rng=rng) for _ in range(300)]
    for scene in scenes:
        left, top, right, bottom = scene.boxes_xyxy_px[0]
        height, width = scene.crop.shape[:2]
        assert abs(height - (bottom - top)) <= 2
        assert abs(width - (right - left)) <= 2
        assert left >= 0
        assert right <= 1280
        assert bottom <= 720
    hidden = [bool((scene.crop == 20).any()) for scene in scenes]
    alone = [len(scene.boxes_xyxy_px) == 1 for scene in scenes]
    assert any(hidden)
    assert not any(gone and single for gone, single in zip(hidden, alone, strict=True))


def test_the_source_crop_is_left_as_it_was() -> None:
    person, before = np.full((160, 64, 3), 200, np.uint8), np.full((160, 64, 3), 200, np.uint8)
    for seed in range(20):
        draw_scene(person, np.zeros_like(person), rng=np.random.default_rng(seed))
    assert (person == before).all()


def test_rank_correlation_sees_order_alone_and_shares_ranks_of_equals() -> None:
    assert rank_correlation(np.array([1, 2, 30]), np.array([0.1, 5, 6])) == pytest.approx(1)
    assert rank_correlation(np.array([1, 1, 2, 2]), np.array([1, 2, 1, 2])) == pytest.approx(0)


def test_an_embedder_of_colours_is_hurt_where_the_score_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for place, camera in (("query", 1), ("bounding_box_test", 2)):
        (tmp_path / place).mkdir()
        for identity in range(1, 41):
            colours = np.random.default_rng(identity).integers(0, 256, (4, 1, 3))
            picture = np.repeat(np.repeat(colours, 16, axis=0), 24, axis=1).astype(np.uint8)
            cv2.imwrite(str(tmp_path / place / f"{identity:04d}_c{camera}s1_000001_00.png"), picture)

    def mean_colours(crops: np.ndarray) -> np.ndarray:
        return crops.reshape(len(crops), 4, -1, 3).mean(axis=2).reshape(len(crops), -1).astype(np.float32) - 127

    figures = measure_quality(ReidNetwork(64, 24, mean_colours), tmp_path, rng=rng)
    assert figures.crops == 40
    assert figures.rank_correlation > 0
    assert figures.mAP_better_half >= figures.mAP_worse_half
