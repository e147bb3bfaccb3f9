"""Cut unlabelled person crops out of pictures and clips, for the distillation loss.

The detector is a YOLOX in ONNX as upstream exports it: raw BGR 0 to 255, letterboxed with 114, one output
(1, anchors, 85) whose boxes are still relative to their grid cells (strides 8, 16 and 32).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

_STRIDES = (8, 16, 32)
_PADDING_GREY = 114
_PICTURES = {".jpg", ".jpeg", ".png"}
_CLIPS = {".avi", ".mp4", ".mkv"}

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class CropRules:
    """Which detections become crops: confident, tall enough, and shaped like a standing person."""

    min_confidence: float = 0.5
    max_overlap: float = 0.6
    min_height_px: int = 56
    min_aspect: float = 1.3
    max_aspect: float = 4.5
    frame_stride: int = 6


class YoloxPersonDetector:
    """Boxes of persons in one BGR picture, by a YOLOX ONNX file."""

    def __init__(self, model: Path, *, threads: int = 2) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        model_input: Any = self._session.get_inputs()[0]
        self._input_name: str = model_input.name
        self._side_px: int = int(model_input.shape[-1])

    def detect(self, picture: Pixels, *, rules: CropRules) -> Floats:
        """Return boxes_xyxy_px (N, 4) of the picture's persons, overlapping ones suppressed."""
        canvas, scale = _letterbox(picture, side_px=self._side_px)
        raw = np.asarray(self._session.run(None, {self._input_name: canvas})[0], dtype=np.float32)[0]
        boxes_xywh, confidences = _decode(raw, side_px=self._side_px)
        kept = cv2.dnn.NMSBoxes(
            (boxes_xywh / scale).tolist(), confidences.tolist(), rules.min_confidence, rules.max_overlap
        )
        chosen = boxes_xywh[np.asarray(kept, dtype=np.intp).reshape(-1)] / scale
        return np.concatenate([chosen[:, :2], chosen[:, :2] + chosen[:, 2:]], axis=1).astype(np.float32)


def cut_person_crops(sources: list[Path], *, detector: YoloxPersonDetector, rules: CropRules, out: Path) -> int:
    """Write every fitting person of the sources (picture folders or clips) as JPEG into `out`; return how many."""
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    for source in sources:
        for picture in _pictures(source, frame_stride=rules.frame_stride):
            for box in detector.detect(picture, rules=rules):
                crop = _cut(picture, box, rules=rules)
                if crop is not None:
                    cv2.imwrite(str(out / f"{source.stem}_{written:06d}.jpg"), crop, [cv2.IMWRITE_JPEG_QUALITY, 95])
                    written += 1
    return written


def _pictures(source: Path, *, frame_stride: int) -> Iterator[Pixels]:
    if source.suffix.lower() in _CLIPS:
        yield from _clip_frames(source, frame_stride=frame_stride)
        return
    for path in sorted(source.iterdir()):
        if path.suffix.lower() in _PICTURES:
            picture = cv2.imread(str(path))
            if picture is not None:
                yield picture.astype(np.uint8, copy=False)


def _clip_frames(clip: Path, *, frame_stride: int) -> Iterator[Pixels]:
    capture = cv2.VideoCapture(str(clip))
    index = 0
    while capture.grab():
        if index % frame_stride == 0:
            readable, frame = capture.retrieve()
            if readable:
                yield frame.astype(np.uint8, copy=False)
        index += 1
    capture.release()


def _letterbox(picture: Pixels, *, side_px: int) -> tuple[Floats, float]:
    height, width = picture.shape[:2]
    scale = min(side_px / height, side_px / width)
    resized = cv2.resize(picture, (round(width * scale), round(height * scale)))
    canvas = np.full((side_px, side_px, 3), _PADDING_GREY, dtype=np.float32)
    canvas[: resized.shape[0], : resized.shape[1]] = resized
    return canvas.transpose(2, 0, 1)[None].copy(), scale


def _decode(raw: Floats, *, side_px: int) -> tuple[Floats, Floats]:
    """(anchors, 85) -> boxes_xywh (top left, letterboxed pixels) and person confidences."""
    cells, strides = _grid(side_px)
    centres = (raw[:, :2] + cells) * strides
    sizes = np.exp(raw[:, 2:4]) * strides
    return np.concatenate([centres - sizes / 2, sizes], axis=1), raw[:, 4] * raw[:, 5]


def _grid(side_px: int) -> tuple[Floats, Floats]:
    cells: list[Floats] = []
    strides: list[Floats] = []
    for stride in _STRIDES:
        count = side_px // stride
        rows, columns = np.mgrid[:count, :count].astype(np.float32)
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        strides.append(np.full((count * count, 1), stride, dtype=np.float32))
    return np.concatenate(cells), np.concatenate(strides)


def _cut(picture: Pixels, box: Floats, *, rules: CropRules) -> Pixels | None:
    height, width = picture.shape[:2]
    left, top = np.maximum(np.floor(box[:2]), 0).astype(int)
    right, bottom = np.minimum(np.ceil(box[2:]), (width, height)).astype(int)
    crop_height, crop_width = bottom - top, right - left
    tall_enough = crop_width > 0 and crop_height >= rules.min_height_px
    if not tall_enough or not rules.min_aspect <= crop_height / crop_width <= rules.max_aspect:
        return None
    return picture[top:bottom, left:right]
