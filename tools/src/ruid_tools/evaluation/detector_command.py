"""`ruid eval detector`."""

import json as json_text
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from ruid_core.vision import Detections, Size
from ruid_edge.inference import InferenceError, PersonDetector, load_detector
from ruid_tools.evaluation.detector_scores import (
    DetectorEvaluationError,
    Picture,
    read_pictures,
    read_truth,
    score,
)

AP_CONFIDENCE_MIN = 5e-4
"""Average precision wants the whole curve: far below what is used, far above what an empty cell says."""


def detector(
    *,
    coco: Path,
    images: Path,
    model: str = "accurate",
    runtime: str = "onnxruntime",
    threads: int = 1,
    threshold: float | None = None,
    camera_shape: bool = False,
    json: bool = False,
) -> None:
    """Score a person detector on labelled pictures.

    Parameters
    ----------
    coco
        Annotations in COCO's format; people are category 1.
    images
        Folder of the pictures.
    model
        accurate, fast, or the path of an ONNX file.
    runtime
        onnxruntime, openvino or ncnn.
    threads
        Threads of the network.
    threshold
        Confidence for recall and precision; by default the model's own.
    camera_shape
        Give each picture the input shape that a camera of its size would get, instead of one square for all.
    json
        Print JSON.
    """
    truth = read_truth(coco)
    pictures = read_pictures(truth, images)
    detectors = DetectorPool(model, runtime=runtime, threads=threads, camera_shape=camera_shape)
    shipped = detectors.shipped_threshold() if threshold is None else threshold
    durations_ms: list[float] = []
    scores = score(truth, timed(detectors, pictures, durations_ms), threshold=shipped)
    figures = {
        "model_id": detectors.model_id,
        **{name: round(value, 4) for name, value in asdict(scores).items()},
        "threshold": shipped,
        "images": len(pictures),
        "ms_per_image": round(median(durations_ms), 2) if durations_ms else None,
    }
    _tell(figures, json=json)


class DetectorPool:
    """One detector, loaded once for each input shape that is asked for; at most `most` shapes are kept."""

    def __init__(self, model: str, *, runtime: str, threads: int, camera_shape: bool, most: int = 16) -> None:
        self._model = model
        self._runtime = runtime
        self._threads = threads
        self._camera_shape = camera_shape
        self._most = most
        self._loaded: dict[Size, PersonDetector] = {}
        self.model_id = self._load(Size(1, 1), AP_CONFIDENCE_MIN).model_id

    def shipped_threshold(self) -> float:
        """Return the model's own threshold."""
        return self._load(Size(1, 1), None).confidence_min

    def for_picture(self, picture_bgr: Picture) -> PersonDetector:
        """Return the detector for pictures of this size."""
        height_px, width_px = picture_bgr.shape[:2]
        size = Size(width_px, height_px) if self._camera_shape else Size(1, 1)
        if size not in self._loaded:
            while len(self._loaded) >= self._most:
                self._loaded.pop(next(iter(self._loaded)))
            self._loaded[size] = self._load(size, AP_CONFIDENCE_MIN)
        return self._loaded[size]

    def _load(self, size: Size, confidence_min: float | None) -> PersonDetector:
        try:
            return load_detector(
                self._model,
                runtime=self._runtime,
                threads=self._threads,
                width_px=size.width_px,
                height_px=size.height_px,
                confidence_min=confidence_min,
            )
        except InferenceError as error:
            raise DetectorEvaluationError(str(error)) from error


def timed(
    detectors: DetectorPool, pictures: dict[int, Picture], durations_ms: list[float]
) -> Iterator[tuple[int, Detections]]:
    """Give each picture's detections; append the milliseconds from picture to boxes."""
    for image_id, picture in pictures.items():
        detector_for_it = detectors.for_picture(picture)
        started = time.perf_counter()
        detections = detector_for_it.detect(picture)
        durations_ms.append((time.perf_counter() - started) * 1e3)
        yield image_id, detections


def _tell(figures: Mapping[str, object], *, json: bool) -> None:
    if json:
        Console().print_json(json_text.dumps(figures))
        return
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, str(value))
    Console().print(table)
