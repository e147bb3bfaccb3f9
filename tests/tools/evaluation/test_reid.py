"""Scoring the shipped embedder on a folder of made-up people."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ruid_edge.inference.cards import models_folder
from ruid_tools.evaluation.reid import eval_reid, time_per_crop_ms
from ruid_tools.evaluation.reid_command import ReidEvaluationError, reid
from ruid_tools.evaluation.reid_figures import measure_speed
from ruid_tools.evaluation.reid_layout import QUERY, read_reid_split
from ruid_tools.evaluation.reid_networks import (
    Floats,
    Pixels,
    ReidNetwork,
    ReidNetworkError,
    UnreadablePictureError,
    open_reid_network,
    read_crop,
)

SHIPPED = models_folder() / "reid-osnet.int8.onnx"
PEOPLE = 4


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Each person wears stripes of their own colours; the second camera sees them a little darker."""
    rng = np.random.default_rng(0)
    for identity in range(1, PEOPLE + 1):
        clothes = np.repeat(rng.integers(60, 250, size=(4, 1, 3)), 40, axis=0).repeat(64, axis=1).astype(np.uint8)
        for split, camera, light in ((QUERY, 1, 1.0), ("bounding_box_test", 2, 0.9)):
            folder = tmp_path / "made-up" / split
            folder.mkdir(parents=True, exist_ok=True)
            picture = (clothes * light).astype(np.uint8)
            cv2.imwrite(str(folder / f"{identity:04d}_c{camera}s1_000001_00.png"), picture)
    return tmp_path


def test_report_names_model_and_set_and_finds_everybody(people: Path) -> None:
    report = eval_reid(people, model=SHIPPED, model_id="reid-osnet-12345678")
    assert (report.model_id, report.dataset) == ("reid-osnet-12345678", "made-up")
    assert (report.queries, report.gallery) == (PEOPLE, PEOPLE)
    assert report.rank10 == 1.0
    assert report.mAP > 0.7
    assert report.ms_per_crop_b1 > 0
    assert report.ms_per_crop_b8 > 0


def test_a_set_as_downloaded_keeps_its_distractors_and_leaves_its_junk_out(people: Path) -> None:
    root = people / "made-up"
    seen = next((root / "bounding_box_test").iterdir()).read_bytes()
    for name in ("-1_c2s1_000401_03.jpg", "0000_c2s1_000151_01.jpg", "Thumbs.db"):
        (root / "bounding_box_test" / name).write_bytes(seen)
    for other in ("gt_bbox", "gt_query"):
        (root / other).mkdir()
        (root / other / "0001_c1s1_000001_00.jpg").write_bytes(seen)
    (root / "readme.txt").write_text("about the set")

    report = eval_reid(people, model=SHIPPED)

    assert (report.queries, report.gallery) == (PEOPLE, PEOPLE + 1)


def test_command_prints_the_figures_as_json(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reid(data=[people], model=str(SHIPPED), json=True)
    printed = capsys.readouterr().out
    for field in ("mAP", "rank1", "rank5", "rank10", "queries", "gallery", "ms_per_crop_b1", "ms_per_crop_b8"):
        assert f'"{field}"' in printed


def test_command_says_which_models_there_are(people: Path) -> None:
    with pytest.raises(ReidEvaluationError, match="there is no model"):
        reid(data=[people], model="no-such-model")


def test_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReidNetworkError, match="no such file"):
        open_reid_network(tmp_path / "absent.onnx")


def test_crop_is_scaled_without_keeping_its_aspect(people: Path) -> None:
    image = read_reid_split(people, QUERY)[0]
    assert read_crop(image.path, height_px=32, width_px=48).shape == (32, 48, 3)


def test_unreadable_picture_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    with pytest.raises(UnreadablePictureError, match=r"broken\.jpg"):
        read_crop(broken, height_px=32, width_px=16)


class TickingClock:
    """Each reading is `step_s` after the one before."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._now_s = 0.0

    def __call__(self) -> float:
        self._now_s += self._step_s
        return self._now_s


def nothing(crops: Pixels) -> Floats:
    return np.ones((len(crops), 2), np.float32)


def test_time_is_per_crop(people: Path) -> None:
    network = ReidNetwork(32, 16, nothing)
    images = read_reid_split(people, QUERY)
    assert time_per_crop_ms(network, images, clock=TickingClock(0.2)) == pytest.approx(200 / PEOPLE)


def test_speed_is_a_ratio_of_medians() -> None:
    network = ReidNetwork(32, 16, nothing)
    speed = measure_speed(network, network, clock=TickingClock(0.01))
    assert speed["int8_times_faster_b1"] == 1.0
    assert speed["int8_times_faster_b8"] == 1.0
