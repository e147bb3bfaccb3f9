"""A person detector: one picture in, `Detections` in picture pixels out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ruid_core.vision import (
    DecodeSettings,
    Detections,
    Family,
    Size,
    UnknownOutputsError,
    decode,
    input_size_for,
    recognise,
)
from ruid_edge.inference.cards import DetectorUse, find_model
from ruid_edge.inference.errors import UnknownFamilyError, WrongInputError
from ruid_edge.inference.pictures import InputLayout, PictureBgr, PictureTensor, preparation_for, read_layout
from ruid_edge.inference.runtimes import Runtime, open_runtime, read_inputs


class PersonDetector:
    """A loaded detector. Lives as long as its camera's pipeline; not for use by two threads at once."""

    def __init__(
        self, runtime: Runtime, pictures: PictureTensor, *, model_id: str, family: Family, size: Size, use: DetectorUse
    ) -> None:
        self.model_id = model_id
        self.family = family
        self.input_size = size
        self.confidence_min = use.confidence_min
        self._runtime = runtime
        self._pictures = pictures
        self._settings = DecodeSettings(
            confidence_min=use.confidence_min, iou_max=use.iou_max, person_class=use.person_class
        )

    def detect(self, picture_bgr: PictureBgr) -> Detections:
        """Return the people in an (H, W, 3) uint8 picture, in its pixels. The picture is not changed."""
        tensor, letterbox = self._pictures.load(picture_bgr)
        found = decode(self.family, self._runtime.run(tensor), self.input_size, self._settings)
        return Detections(letterbox.to_picture(found.boxes_xyxy_px), found.confidences)


def load_detector(
    path_or_name: str,
    *,
    runtime: str = "onnxruntime",
    threads: int,
    width_px: int,
    height_px: int,
    confidence_min: float | None = None,
    iou_max: float | None = None,
    long_side_px: int | None = None,
) -> PersonDetector:
    """Load a detector for a camera whose pictures have the given size; pictures of other sizes fit in as well.

    `path_or_name` is `accurate`, `fast` or the path of an ONNX file; a file's family is told from its outputs. A
    network whose input size is open gets the size that its card says for this camera, or, with `long_side_px`, the one
    of that long side that wastes least. That, `confidence_min` and `iou_max` (how far two people's boxes may overlap)
    replace what the model's card says. Raises `InferenceError`s that say what to do.
    """
    model = find_model(path_or_name)
    use = model.detector_use
    if long_side_px is not None:
        use = msgspec.structs.replace(use, long_side_px=long_side_px, short_side_4_3_px=None)
    use = _overruled(use, confidence_min=confidence_min, iou_max=iou_max)
    layout = read_layout(model.path, read_inputs(model.path))
    size = _choose_size(layout, Size(width_px, height_px), use)
    network = open_runtime(runtime, model.path, threads=threads, sides=_open_sides(model.path, layout, size))
    tensor = np.zeros(layout.shape(1, size), layout.dtype)
    family = Family(use.family) if use.family else _find_family(model.path, network.run(tensor), size)
    pictures = PictureTensor(layout, size, preparation_for(family, layout))
    return PersonDetector(network, pictures, model_id=model.model_id, family=family, size=size, use=use)


def _overruled(use: DetectorUse, **wanted: float | None) -> DetectorUse:
    return msgspec.structs.replace(use, **{name: value for name, value in wanted.items() if value is not None})


def _choose_size(layout: InputLayout, picture: Size, use: DetectorUse) -> Size:
    chosen = input_size_for(picture, long_side_px=use.long_side_px, short_side_4_3_px=use.short_side_4_3_px)
    width_px = layout.width if isinstance(layout.width, int) else chosen.width_px
    height_px = layout.height if isinstance(layout.height, int) else chosen.height_px
    return Size(width_px, height_px)


def _open_sides(path: Path, layout: InputLayout, size: Size) -> dict[str, int]:
    """Return the lengths of the sides that the network leaves open, by their names."""
    if isinstance(layout.batch, int) and layout.batch != 1:
        raise WrongInputError(str(path), f"batches of {layout.batch}", "batches of 1, or of any size")
    wanted = {layout.batch: 1, layout.height: size.height_px, layout.width: size.width_px}
    return {side: length for side, length in wanted.items() if isinstance(side, str)}


def _find_family(path: Path, outputs: Sequence[NDArray[Any]], size: Size) -> Family:
    try:
        return recognise([output.shape for output in outputs], size)
    except UnknownOutputsError as error:
        raise UnknownFamilyError(str(path), str(error)) from error
