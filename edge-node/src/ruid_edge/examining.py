"""Who is in a picture that somebody at the hub searches with.

Beside the cameras' work, never in its way: one picture at a time, on a thread of its own that gives way to the others,
with networks that are loaded for it and let go of afterwards. Nothing of the picture is kept.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import cv2
import numpy as np
import structlog
from numpy.typing import NDArray

from ruid_core.geometry.boxes import areas, to_relative
from ruid_core.tracking import TrackerSettings
from ruid_core.vision import Detections, Size
from ruid_core.wire import messages as wm
from ruid_core.wire.errors import InvalidContent
from ruid_core.wire.pictures import check_picture
from ruid_core.wire.validation import MAX_PEOPLE_FOUND
from ruid_core.wire.vectors import pack_embeddings
from ruid_edge.inference import InferenceError, load_detector, load_embedder
from ruid_edge.pipeline import Models, ThumbnailPolicy, encode_thumbnail
from ruid_edge.pipeline.thumbnails import cut_crop
from ruid_edge.settings import EdgeSettings

BUSY, NOBODY, UNAVAILABLE, UNREADABLE = "busy", "nobody", "unavailable", "picture_format"
_WAITING = 2
"""The one in hand and one more; whoever asks beyond that tries another node."""
_NICENESS = 10
_PERSON_SHAPED = 1.4
"""So much taller than wide is a picture cut around one person, who may fill it too far to be detected."""
_LEAST_HEIGHT_PX = 48

_log = structlog.get_logger("examining")
Picture = NDArray[np.uint8]


class Examiner:
    """Answers the hub's questions; lives as long as its node. `load` makes the networks for pictures of a size."""

    def __init__(self, load: Callable[[Size], Models], *, embedding_model_id: str) -> None:
        self._load = load
        self._model_id = embedding_model_id
        self._waiting = 0
        self._closed = False
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="examining", initializer=_give_way)

    async def examine(self, examine: wm.Examine) -> wm.Examined:
        """Return who is in the picture, or the name of the reason why nobody is; never raises for a picture's sake."""
        if self._closed or self._waiting >= _WAITING:
            return self._in_vain(examine, BUSY)
        self._waiting += 1
        try:
            people = await asyncio.get_running_loop().run_in_executor(self._worker, self._people_in, examine.picture)
        except InvalidContent as error:
            return self._in_vain(examine, error.code)
        except InferenceError as error:
            _log.error("a picture could not be looked at", reason=str(error))
            return self._in_vain(examine, UNAVAILABLE)
        except Exception as error:  # whatever a strange picture does to OpenCV, numpy or a runtime
            _log.warning("a picture could not be read", reason=repr(error))
            return self._in_vain(examine, UNREADABLE)
        finally:
            self._waiting -= 1
        if not people:
            return self._in_vain(examine, NOBODY)
        return wm.Examined(examine.request_id, self._model_id, people)

    def close(self) -> None:
        """Begin no more pictures."""
        self._closed = True
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _in_vain(self, examine: wm.Examine, refusal: str) -> wm.Examined:
        return wm.Examined(examine.request_id, self._model_id, refusal=refusal)

    def _people_in(self, packed: bytes) -> tuple[wm.PersonFound, ...]:
        picture_bgr = decode(packed)
        height_px, width_px = picture_bgr.shape[:2]
        models = self._load(Size(width_px, height_px))
        found = _largest(models.detector.detect(picture_bgr)) or _whole(width_px, height_px)
        if found is None:
            return ()
        embeddings = models.embedder.embed(picture_bgr, found.boxes_xyxy_px)
        boxes_rel = np.clip(to_relative(found.boxes_xyxy_px, width_px=width_px, height_px=height_px), 0, 1)
        return tuple(
            wm.PersonFound(
                box_rel=_box(box_rel),
                confidence=min(1.0, max(0.0, float(confidence))),
                embedding=pack_embeddings(embedding),
                thumbnail_jpeg=encode_thumbnail(cut_crop(picture_bgr, _box(box), ThumbnailPolicy.ON)),
            )
            for box, box_rel, confidence, embedding in zip(
                found.boxes_xyxy_px, boxes_rel, found.confidences, embeddings, strict=True
            )
        )


def load_models(settings: EdgeSettings, size: Size) -> Models:
    """Return networks of one's own for one picture: the same that the cameras use, on one thread."""
    detector = load_detector(
        settings.detector, runtime=settings.runtime, threads=1, width_px=size.width_px, height_px=size.height_px
    )
    return Models(detector, load_embedder(settings.embedder, runtime=settings.runtime, threads=1))


def decode(packed: bytes) -> Picture:
    """Return a JPEG, PNG or WebP picture as (H, W, 3), upright; raise `InvalidContent` for anything else.

    Its size is known before a decoder sees it, so that no small file becomes a large picture.
    """
    check_picture(packed)
    try:
        picture = cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InvalidContent(UNREADABLE, f"the picture cannot be decoded: {error.err}") from error
    if picture is None:
        raise InvalidContent(UNREADABLE, "the picture cannot be decoded")
    return np.asarray(picture, np.uint8)


def _largest(found: Detections) -> Detections | None:
    """The people who take up most of the picture, the largest first; None where nobody is sure to be one."""
    sure = np.flatnonzero(found.confidences >= TrackerSettings().sure_confidence)
    order = sure[np.argsort(-areas(found.boxes_xyxy_px[sure]), kind="stable")][:MAX_PEOPLE_FOUND]
    return Detections(found.boxes_xyxy_px[order], found.confidences[order]) if len(order) else None


def _whole(width_px: int, height_px: int) -> Detections | None:
    """The whole picture as one person, where it has the shape of one."""
    if height_px < max(_LEAST_HEIGHT_PX, _PERSON_SHAPED * width_px):
        return None
    return Detections(np.array([[0, 0, width_px, height_px]], np.float32), np.zeros(1, np.float32))


def _box(row: NDArray[np.float32]) -> wm.Box:
    x1, y1, x2, y2 = (float(value) for value in row)
    return x1, y1, x2, y2


def _give_way() -> None:
    """On Linux niceness belongs to a thread: the cameras' threads come first."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
