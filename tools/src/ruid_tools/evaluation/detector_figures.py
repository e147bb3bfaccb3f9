"""The figures of the detector's cards: accuracy in float and in 8 bits, and time as a ratio in one run.

Three sets of pictures, none of which is in the repository:

- COCO128's labelled people (the network was trained on COCO and has seen these pictures);
- frames of OpenCV's vtest.avi with this project's own truth, whole and as the demo's two cameras;
- the street pictures without labels that the heads were not tuned on: people taller than 0.3 of the picture whom
  YOLOX-nano sees at most of three scales and their mirror images stand for the truth, all other boxes of its count
  neither way. A measure of agreement on large people that are easy to see, not of accuracy.
"""

import platform
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from ruid_core.vision import Detections
from ruid_edge.inference import PersonDetector, load_detector
from ruid_edge.inference.cards import CARD_SUFFIX
from ruid_tools.evaluation.detector_scores import Picture, Truth, read_pictures, read_truth, score, truth_of
from ruid_tools.models.detector_cards import CONFIDENCE_MIN, HELD_OUT_STREET, write_cards

_PEER = Path("models/yolox_nano.onnx")
_FAINT = 5e-4
_LARGE = 0.3
_VTEST = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
_VTEST_TRUTH = Path("gt/vtest_tracks_1_404_visible.txt")
_VTEST_EVERY = 4
_DEMO_HALVES = ((0, 372), (396, 768))
_WHOLE = ((0, 768),)
_VISIBLE_MIN = 0.6

_UNIT = "median time from picture to boxes, relative to YOLOX-nano float at 416×416 in the same run"

Labelled = tuple[dict[int, Picture], Truth]
Cards = dict[str, Path]
"""The cards of one file's ways of being run, by their names."""


def measure_figures(float_file: Path, int8_file: Path, data: Path, *, rounds: int = 60) -> dict[str, dict[str, Any]]:
    """Return `accuracy` and `speed` (medians of `rounds`) by card name. Sets that are not in `data` are left out."""
    sets = dict(_sets(data))
    figures: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory() as folder:
        floats, int8s = (_carded(file, Path(folder) / file.name) for file in (float_file, int8_file))
        for name, card in int8s.items():
            accuracy = {
                label: {"float": _accuracy(floats[name], labelled), "int8": _accuracy(card, labelled)}
                for label, labelled in sets.items()
            }
            speed = _speed(floats[name], card, data / _PEER, rounds=rounds)
            figures[name] = {"accuracy": accuracy, "speed": speed}
    return figures


def _carded(model: Path, folder: Path) -> Cards:
    """Return cards beside a copy of a file: it is run as a node would run it."""
    folder.mkdir(exist_ok=True)
    copy = Path(shutil.copy(model, folder))
    return {path.name.removesuffix(CARD_SUFFIX): path for path in write_cards(copy, {})}


def _sets(data: Path) -> Iterator[tuple[str, Labelled]]:
    if (data / "coco128").is_dir():
        truth = read_truth(data / "coco128" / "person_coco128.json")
        yield "coco128 people, square input", (read_pictures(truth, data / "coco128" / "train2017"), truth)
    if _VTEST.is_file() and (data / _VTEST_TRUTH).is_file():
        yield "vtest, whole picture (4:3)", _vtest(data / _VTEST_TRUTH, _WHOLE)
        yield "vtest, the demo's cameras (2:3)", _vtest(data / _VTEST_TRUTH, _DEMO_HALVES)
    if (data / "street").is_dir() and (data / _PEER).is_file():
        yield "street, large people, agreement with YOLOX-nano", _street(data)


def _accuracy(model: Path, labelled: Labelled) -> dict[str, float]:
    pictures, truth = labelled
    shapes = {picture.shape[:2] for picture in pictures.values()}
    height_px, width_px = shapes.pop() if len(shapes) == 1 else (1, 1)
    detector = _load(model, width_px, height_px)
    found = ((image_id, detector.detect(picture)) for image_id, picture in pictures.items())
    scores = score(truth, found, threshold=CONFIDENCE_MIN)
    return {
        "ap": round(scores.ap, 3),
        "ap50": round(scores.ap50, 3),
        "recall_at_0.1": round(scores.recall, 3),
        "precision_at_0.1": round(scores.precision, 3),
    }


def _load(model: Path, width_px: int, height_px: int) -> PersonDetector:
    return load_detector(str(model), threads=1, width_px=width_px, height_px=height_px, confidence_min=_FAINT)


def _vtest(truth_file: Path, views: tuple[tuple[int, int], ...]) -> Labelled:
    rows = np.loadtxt(truth_file, delimiter=",")
    pictures: dict[int, Picture] = {}
    boxes: dict[int, Any] = {}
    unsure: dict[int, Any] = {}
    for number, frame in _every_frame(_VTEST, _VTEST_EVERY, last=404):
        own = rows[rows[:, 0] == number][:, 2:6]
        corners = np.concatenate([own[:, :2], own[:, :2] + own[:, 2:]], axis=1)
        for left, right in views:
            seen = corners.copy()
            seen[:, [0, 2]] = np.clip(seen[:, [0, 2]], left, right) - left
            shares = (seen[:, 2] - seen[:, 0]) / (corners[:, 2] - corners[:, 0])
            key = len(pictures)
            pictures[key] = np.ascontiguousarray(frame[:, left:right])
            boxes[key], unsure[key] = seen[shares > 0], shares[shares > 0] < _VISIBLE_MIN
    return pictures, truth_of(boxes, unsure)


def _every_frame(video: Path, step: int, *, last: int) -> Iterator[tuple[int, Picture]]:
    """Give every `step`-th frame with its number, counted from 1."""
    capture = cv2.VideoCapture(str(video))
    for number in range(1, last + 1):
        taken, frame = capture.read()
        if not taken:
            return
        if (number - 1) % step == 0:
            yield number, np.asarray(frame, np.uint8)


def _street(data: Path) -> Labelled:
    from ruid_tools.models.calibration import read_pictures as read_every  # noqa: PLC0415 - these two need onnx
    from ruid_tools.train.detector_labels import Labeller  # noqa: PLC0415

    with TemporaryDirectory() as folder:
        labeller = Labeller(data / _PEER, Path(folder))
        every = read_every(data / "street" / "street.tar", most=HELD_OUT_STREET[-1] + 1)
        pictures = {number: every[number] for number in HELD_OUT_STREET}
        labels = {number: labeller.label(picture) for number, picture in pictures.items()}
    boxes = {number: own.boxes_xyxy_px for number, own in labels.items()}
    heights = {number: own[:, 3] - own[:, 1] for number, own in boxes.items()}
    large = {number: own >= _LARGE * pictures[number].shape[0] for number, own in heights.items()}
    return pictures, truth_of(boxes, {number: ~(own.sure & large[number]) for number, own in labels.items()})


def _speed(float_card: Path, int8_card: Path, peer: Path, *, rounds: int) -> dict[str, Any]:
    """Return medians as ratios to the peer's 416×416, from picture to boxes, one thread, all in one run."""
    cameras = {"square": (416, 416), "4:3": (640, 480), "16:9": (1280, 720), "the demo's": (372, 576)}
    runners: dict[str, tuple[Callable[[Picture], Detections], Picture]] = {}
    for label, (width_px, height_px) in cameras.items():
        picture = _noise(width_px, height_px)
        runners[f"int8, {label}"] = (_load(int8_card, width_px, height_px).detect, picture)
    runners["int8, 4:3 in the square"] = (_load(int8_card, 416, 416).detect, _noise(640, 480))
    runners["int8, 16:9 in the square"] = (_load(int8_card, 416, 416).detect, _noise(1280, 720))
    runners["float, square"] = (_load(float_card, 416, 416).detect, _noise(416, 416))
    if peer.is_file():
        runners["YOLOX-nano float 416×416"] = (_load(peer, 416, 416).detect, _noise(416, 416))
    medians_s = _medians_s(runners, rounds)
    unit = medians_s.get("YOLOX-nano float 416×416", medians_s["float, square"])
    ratios = {label: round(duration_s / unit, 3) for label, duration_s in medians_s.items()}
    return {"unit": _UNIT, "machine": f"{platform.machine()}, one thread, onnxruntime", "ratios": ratios}


def _medians_s(runners: dict[str, tuple[Callable[[Picture], Detections], Picture]], rounds: int) -> dict[str, float]:
    """Return medians of the thread's own time: other programs on the machine count little."""
    durations_s: dict[str, list[float]] = {label: [] for label in runners}
    for _ in range(rounds):
        for label, (detect, picture) in runners.items():
            started = time.thread_time()
            detect(picture)
            durations_s[label].append(time.thread_time() - started)
    return {label: median(durations) for label, durations in durations_s.items()}


def _noise(width_px: int, height_px: int) -> Picture:
    return np.random.default_rng(0).integers(0, 255, (height_px, width_px, 3)).astype(np.uint8)
