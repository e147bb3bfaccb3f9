"""Score a person detector with pycocotools: average precision, and recall and precision at a threshold."""

import contextlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ruid_core.vision import Detections
from ruid_tools.errors import ToolError

Picture = NDArray[np.uint8]
Truth = Any
"""A pycocotools `COCO` of people: category 1."""

_PERSON = 1
_NO_FRACTION = 0.0


class DetectorEvaluationError(ToolError):
    """A detector cannot be scored; the text says why."""


class Detector(Protocol):
    """What is scored."""

    def detect(self, picture_bgr: Picture, /) -> Detections:
        """Return the people in a picture."""
        ...


@dataclass(frozen=True, slots=True)
class DetectorScores:
    """Fractions of 1: COCO's average precision over IoU 0.5 to 0.95 and at 0.5; recall and precision at 0.5."""

    ap: float
    ap50: float
    recall: float
    precision: float


def read_truth(annotations: Path) -> Truth:
    """Return annotations in COCO's format, the class person alone; raise `DetectorEvaluationError`."""
    try:
        truth = _quietly(_pycocotools("coco").COCO, str(annotations))
    except (OSError, ValueError, KeyError, AssertionError) as error:
        raise DetectorEvaluationError(f"{annotations} is no COCO annotation file: {error}") from error
    if not any(annotation["category_id"] == _PERSON for annotation in truth.anns.values()):
        raise DetectorEvaluationError(f"{annotations} names no people: expected annotations of category {_PERSON}")
    return truth


def truth_of(boxes_xyxy_px: Mapping[int, NDArray[np.floating[Any]]], unsure: Mapping[int, NDArray[np.bool_]]) -> Truth:
    """Return a truth of (N, 4) boxes by picture number; detections of `unsure` ones count neither way."""
    truth = _pycocotools("coco").COCO()
    annotations = [
        _annotation(image_id, box, ignored=bool(ignored))
        for image_id, boxes in boxes_xyxy_px.items()
        for box, ignored in zip(boxes, unsure[image_id], strict=True)
    ]
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    truth.dataset = {
        "images": [{"id": image_id} for image_id in boxes_xyxy_px],
        "annotations": annotations,
        "categories": [{"id": _PERSON, "name": "person"}],
    }
    _quietly(truth.createIndex)
    return truth


def read_pictures(truth: Truth, folder: Path) -> dict[int, Picture]:
    """Return the pictures of a truth by their numbers; raise `DetectorEvaluationError` for one that is not there."""
    pictures: dict[int, Picture] = {}
    for image_id, image in truth.imgs.items():
        path = folder / Path(image["file_name"]).name
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
        if picture is None:
            raise DetectorEvaluationError(f"{path} is not there or no picture; --images names the pictures' folder")
        pictures[image_id] = np.asarray(picture, np.uint8)
    return pictures


def score(truth: Truth, found: Iterable[tuple[int, Detections]], *, threshold: float) -> DetectorScores:
    """Return the scores of detections by picture number; `threshold` is that of recall and precision."""
    rows = [row for image_id, detections in found for row in _rows(image_id, detections)]
    if not rows:
        return DetectorScores(_NO_FRACTION, _NO_FRACTION, _NO_FRACTION, _NO_FRACTION)
    evaluation = _quietly(_evaluate, truth, rows)
    ap, ap50 = (max(float(value), 0.0) for value in evaluation.stats[:2])
    recall, precision = _at_threshold(evaluation, threshold)
    return DetectorScores(ap, ap50, recall, precision)


def _rows(image_id: int, detections: Detections) -> list[dict[str, Any]]:
    pairs = zip(detections.boxes_xyxy_px.tolist(), detections.confidences.tolist(), strict=True)
    return [
        {"image_id": image_id, "category_id": _PERSON, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": confidence}
        for (x1, y1, x2, y2), confidence in pairs
    ]


def _annotation(image_id: int, box_xyxy_px: NDArray[np.floating[Any]], *, ignored: bool) -> dict[str, Any]:
    x1, y1, x2, y2 = (float(side) for side in box_xyxy_px)
    return {
        "image_id": image_id,
        "category_id": _PERSON,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": (x2 - x1) * (y2 - y1),
        "iscrowd": int(ignored),
    }


def _evaluate(truth: Truth, rows: list[dict[str, Any]]) -> Any:
    evaluation = _pycocotools("cocoeval").COCOeval(truth, truth.loadRes(rows), "bbox")
    evaluation.params.catIds = [_PERSON]
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


def _at_threshold(evaluation: Any, threshold: float) -> tuple[float, float]:
    """Return recall and precision from pycocotools' own matches at IoU 0.5, people of every size."""
    hits = wrong = people = 0
    every_size = evaluation.params.areaRng[0]
    for picture in evaluation.evalImgs:
        if picture is None or picture["aRng"] != every_size:
            continue
        counted = (np.array(picture["dtScores"]) >= threshold) & ~picture["dtIgnore"][0].astype(bool)
        matched = picture["dtMatches"][0] > 0
        hits += int((counted & matched).sum())
        wrong += int((counted & ~matched).sum())
        people += int((np.array(picture["gtIgnore"]) == 0).sum())
    return hits / max(people, 1), hits / max(hits + wrong, 1)


def _quietly(action: Any, *arguments: Any) -> Any:
    """Call pycocotools without its progress lines."""
    with contextlib.redirect_stdout(io.StringIO()):
        return action(*arguments)


def _pycocotools(module: str) -> Any:
    try:
        return import_module(f"pycocotools.{module}")
    except ImportError as error:
        raise DetectorEvaluationError("scoring needs pycocotools: pip install pycocotools") from error
