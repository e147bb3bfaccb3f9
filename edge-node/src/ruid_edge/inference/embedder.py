"""A ReID embedder: boxes in a picture in, unit vectors out."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ruid_core.geometry.boxes import Boxes, clip_boxes
from ruid_core.vision import Size
from ruid_edge.inference.cards import find_model
from ruid_edge.inference.errors import WrongInputError
from ruid_edge.inference.pictures import Canvas, InputLayout, PictureBgr, read_layout
from ruid_edge.inference.runtimes import Runtime, open_runtime, read_inputs

Embeddings = NDArray[np.float32]
"""(N, D) float32, rows of length 1."""


class Embedder:
    """A loaded embedder, shared by a node's cameras; not for use by two threads at once."""

    def __init__(self, runtime: Runtime, layout: InputLayout, size: Size, *, model_id: str, most_crops: int) -> None:
        self.model_id = model_id
        self.crop_size = size
        self._runtime = runtime
        self._channels_last = layout.channels_last
        self._batch = np.zeros(layout.shape(most_crops, size), layout.dtype)
        self._fixed_batch = isinstance(layout.batch, int)
        self._crop: Canvas = np.zeros((size.height_px, size.width_px, 3), np.uint8)
        self.dim = int(self._run(1).shape[1])

    def embed(self, picture_bgr: PictureBgr, boxes_xyxy_px: Boxes) -> Embeddings:
        """Return (N, D) unit rows for (N, 4) boxes in an (H, W, 3) uint8 picture.

        Boxes are cut at the picture's edges; what is left of a box is never less than one pixel. More boxes than
        the batch holds are worked on in turns.
        """
        height_px, width_px = picture_bgr.shape[:2]
        corners = _whole_pixels(boxes_xyxy_px, width_px=width_px, height_px=height_px)
        most = len(self._batch)
        turns = [self._embed_turn(picture_bgr, corners[start : start + most]) for start in range(0, len(corners), most)]
        return np.concatenate(turns) if turns else np.zeros((0, self.dim), np.float32)

    def _embed_turn(self, picture_bgr: PictureBgr, corners: list[list[int]]) -> Embeddings:
        for place, (x1, y1, x2, y2) in enumerate(corners):
            self._load(place, picture_bgr[y1:y2, x1:x2])
        return _unit_rows(self._run(len(corners)))

    def _load(self, place: int, crop_bgr: PictureBgr) -> None:
        """Write a crop into the batch, scaled to the network's size without keeping its aspect (as in training)."""
        cv2.resize(crop_bgr, (self.crop_size.width_px, self.crop_size.height_px), dst=self._crop)
        self._batch[place] = self._crop if self._channels_last else self._crop.transpose(2, 0, 1)

    def _run(self, count: int) -> Embeddings:
        filled = self._batch if self._fixed_batch else self._batch[:count]
        outputs = self._runtime.run(filled)[0]
        return outputs.reshape(len(filled), -1)[:count].astype(np.float32)


def load_embedder(path_or_name: str, *, runtime: str = "onnxruntime", threads: int, most_crops: int = 8) -> Embedder:
    """Load an embedder: a shipped name such as `reid-osnet`, or the path of an ONNX file that takes BGR 0..255.

    A network of a fixed batch size keeps it; otherwise up to `most_crops` go through at once. Raises
    `InferenceError`s that say what to do.
    """
    model = find_model(path_or_name)
    layout = read_layout(model.path, read_inputs(model.path))
    if not isinstance(layout.width, int) or not isinstance(layout.height, int):
        found = f"crops of {layout.width}×{layout.height}"
        raise WrongInputError(str(model.path), found, "a fixed height and width: export it again with them")
    size = Size(layout.width, layout.height)
    network = open_runtime(runtime, model.path, threads=threads)
    batch = layout.batch if isinstance(layout.batch, int) else most_crops
    return Embedder(network, layout, size, model_id=model.model_id, most_crops=batch)


def _whole_pixels(boxes_xyxy_px: Boxes, *, width_px: int, height_px: int) -> list[list[int]]:
    """Return whole-pixel corners inside the picture, at least one pixel apart."""
    corners = np.rint(clip_boxes(boxes_xyxy_px, width_px=width_px, height_px=height_px)).astype(int)
    limits = np.array([width_px - 1, height_px - 1])
    starts = np.minimum(corners[:, :2], limits)
    return np.concatenate([starts, np.maximum(corners[:, 2:], starts + 1)], axis=1).tolist()


def _unit_rows(vectors: NDArray[np.float32]) -> Embeddings:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
