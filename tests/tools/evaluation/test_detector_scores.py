"""Scores of a detector on scenes small enough to work out by hand."""

import json
from dataclasses import astuple
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_core.vision import Detections
from ruid_edge.inference import load_detector
from ruid_tools.evaluation.detector_command import detector
from ruid_tools.evaluation.detector_scores import (
    DetectorEvaluationError,
    DetectorScores,
    read_pictures,
    read_truth,
    score,
    truth_of,
)
from tooling import REPOSITORY

pytest.importorskip("pycocotools", reason="pycocotools is not installed")

_LEFT, _RIGHT, _FAR = (10, 10, 50, 90), (100, 10, 140, 90), (300, 10, 340, 90)


def _boxes(*boxes: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(boxes, np.float32).reshape(-1, 4)


def _found(*pairs: tuple[tuple[float, ...], float]) -> Detections:
    return Detections(_boxes(*(box for box, _ in pairs)), np.array([sure for _, sure in pairs], np.float32))


def _sure(count: int) -> NDArray[np.bool_]:
    return np.zeros(count, bool)


def test_finding_everybody_scores_one() -> None:
    truth = truth_of({0: _boxes(_LEFT, _RIGHT), 1: _boxes()}, {0: _sure(2), 1: _sure(0)})
    found = [(0, _found((_LEFT, 0.9), (_RIGHT, 0.8))), (1, _found())]
    assert astuple(score(truth, found, threshold=0.5)) == pytest.approx((1, 1, 1, 1))


def test_the_threshold_decides_what_counts_for_recall_and_precision() -> None:
    truth = truth_of({0: _boxes(_LEFT, _RIGHT)}, {0: _sure(2)})
    found = [(0, _found((_LEFT, 0.9), (_FAR, 0.7), (_RIGHT, 0.3)))]
    high = score(truth, found, threshold=0.5)
    low = score(truth, found, threshold=0.1)
    assert (high.recall, high.precision) == (1 / 2, 1 / 2)
    assert (low.recall, low.precision) == (1, 2 / 3)
    # Recall 0.5 at precision 1, recall 1 at precision 2/3, on COCO's 101 points: (51 + 50 · 2/3) / 101.
    assert high.ap50 == low.ap50 == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_box_that_is_half_right_counts_at_half_overlap_only() -> None:
    # 40×80 against 40×50 of it: IoU 0.625 passes 0.5, 0.55 and 0.6 of COCO's ten thresholds.
    truth = truth_of({0: _boxes(_LEFT)}, {0: _sure(1)})
    scores = score(truth, [(0, _found(((10, 10, 50, 60), 0.9)))], threshold=0.5)
    assert scores.ap50 == pytest.approx(1)
    assert scores.ap == pytest.approx(0.3)


def test_detections_of_somebody_unsure_count_neither_way() -> None:
    truth = truth_of({0: _boxes(_LEFT, _RIGHT)}, {0: np.array([False, True])})
    found = [(0, _found((_LEFT, 0.9), (_RIGHT, 0.8)))]
    assert astuple(score(truth, found, threshold=0.5)) == pytest.approx((1, 1, 1, 1))


def test_finding_nobody_scores_nothing() -> None:
    truth = truth_of({0: _boxes(_LEFT)}, {0: _sure(1)})
    assert score(truth, [(0, _found())], threshold=0.5) == DetectorScores(0, 0, 0, 0)


def test_annotations_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(DetectorEvaluationError, match="is no COCO annotation file"):
        read_truth(tmp_path / "missing.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(DetectorEvaluationError, match="is no COCO annotation file"):
        read_truth(tmp_path / "list.json")
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(DetectorEvaluationError, match="names no people"):
        read_truth(tmp_path / "card.json")


def test_a_missing_picture_is_told(tmp_path: Path) -> None:
    annotations = tmp_path / "truth.json"
    annotations.write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.jpg"}],
                "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9]}],
                "categories": [],
            }
        )
    )
    with pytest.raises(DetectorEvaluationError, match=r"a\.jpg is not there"):
        read_pictures(read_truth(annotations), tmp_path)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """The demo's first picture, labelled with what the detector itself says above 0.5."""
    _, frame = cv2.VideoCapture(str(REPOSITORY / "tools/src/ruid_tools/demo/clips/east.mp4")).read()
    picture = np.asarray(frame, np.uint8)
    cv2.imwrite(str(tmp_path / "yard.png"), picture)
    sure = load_detector("accurate", threads=1, width_px=1, height_px=1, confidence_min=0.5).detect(picture)
    annotations = [
        {"id": number, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": (x2 - x1) * (y2 - y1)}
        | {"bbox": [x1, y1, x2 - x1, y2 - y1]}
        for number, (x1, y1, x2, y2) in enumerate(sure.boxes_xyxy_px.tolist(), start=1)
    ]
    truth = {
        "images": [{"id": 1, "file_name": "yard.png"}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    return tmp_path


@pytest.mark.parametrize("camera_shape", [False, True])
def test_the_command_prints_fractions_as_json(
    labelled: Path, camera_shape: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    detector(coco=labelled / "truth.json", images=labelled, threshold=0.5, camera_shape=camera_shape, json=True)
    figures = json.loads(capsys.readouterr().out)
    assert figures["model_id"].startswith("detector-accurate-")
    assert figures["images"] == 1
    assert figures["ms_per_image"] > 0
    assert figures["ap50"] > 0.9
    if not camera_shape:
        assert (figures["recall"], figures["precision"]) == (1, 1)


def test_the_command_uses_the_models_own_threshold(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detector(coco=labelled / "truth.json", images=labelled, model="fast")
    assert "0.1" in capsys.readouterr().out


def test_a_model_that_is_not_there_is_told(labelled: Path) -> None:
    with pytest.raises(DetectorEvaluationError, match="there is no model 'nope'"):
        detector(coco=labelled / "truth.json", images=labelled, model="nope")
