"""People found in one picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ruid_core.geometry.boxes import Boxes, empty_boxes


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N people: `boxes_xyxy_px` (N, 4) float32 and `confidences` (N,) float32 in 0..1, the surest first."""

    boxes_xyxy_px: Boxes
    confidences: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.confidences)

    @classmethod
    def none(cls) -> "Detections":
        """Return what an empty picture gives."""
        return cls(empty_boxes(), np.zeros(0, np.float32))
