"""Small stand-ins for our own ports; no mock library."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ruid_core.identity import (
    Decision,
    Evidence,
    IdentityState,
    Revision,
    UniqueEstimate,
    UnknownTrack,
    WrongModel,
)
from ruid_core.vision import Detections


class FakeDetector:
    """Finds what it is told to, frame by frame; an empty frame once it has run out."""

    model_id = "fake-detector"

    def __init__(self, script: Sequence[Sequence[tuple[float, float, float, float]]]) -> None:
        self._script = list(script)

    def detect(self, picture_bgr: NDArray[np.uint8]) -> Detections:
        boxes = self._script.pop(0) if self._script else ()
        array = np.array(boxes, np.float32).reshape(-1, 4)
        return Detections(array, np.full(len(array), 0.9, np.float32))


class FakeEmbedder:
    """Embeds a crop by the mean colour under it: red, green and blue people are told apart."""

    model_id = "fake-embedder"
    dim = 4

    def __init__(self) -> None:
        self.crops = 0

    def embed(self, picture_bgr: NDArray[np.uint8], boxes_xyxy_px: NDArray[np.float32]) -> NDArray[np.float32]:
        self.crops += len(boxes_xyxy_px)
        rows = [_mean_colour(picture_bgr, box) for box in boxes_xyxy_px.astype(int)]
        return np.array(rows, np.float32).reshape(-1, self.dim)


def _mean_colour(picture_bgr: NDArray[np.uint8], box: NDArray[np.int_]) -> NDArray[np.float32]:
    x1, y1, x2, y2 = box
    colour = picture_bgr[max(y1, 0) : y2, max(x1, 0) : x2].reshape(-1, 3).mean(axis=0)
    row = np.array([*colour, 1.0], np.float32)
    return (row / np.linalg.norm(row)).astype(np.float32)


class FirstPrototypeEngine:
    """An identity engine for tests: the largest element of a track's first embedding names the person."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.ended: list[str] = []
        self.restored = 0
        self.next_revisions: tuple[Revision, ...] = ()

    def observe(self, evidence: Evidence) -> Decision:
        if evidence.model_id == "another":
            raise WrongModel("reid-1", "another")
        identity_id = f"person{int(evidence.embeddings[0].argmax())}"
        self.answers[evidence.track] = identity_id
        revisions, self.next_revisions = self.next_revisions, ()
        return Decision(identity_id, IdentityState.MATCHED, 0.9, revisions=revisions)

    def end_track(self, track: str, at_s: float) -> None:
        self.ended.append(track)

    def consolidate(self, at_s: float) -> tuple[Revision, ...]:
        revisions, self.next_revisions = self.next_revisions, ()
        return revisions

    def restore(self, evidence: Evidence, identity_id: str) -> None:
        if identity_id == "refused":
            raise WrongModel("reid-1", "another")
        self.restored += 1
        self.answers[evidence.track] = identity_id

    def begin_anew(self) -> None:
        self.answers.clear()

    def state_bytes(self) -> int:
        return 0

    def estimate(self) -> UniqueEstimate:
        count = float(len(set(self.answers.values())))
        return UniqueEstimate(count, count, count)

    def identity_of(self, track: str) -> str:
        if track not in self.answers:
            raise UnknownTrack(track)
        return self.answers[track]
