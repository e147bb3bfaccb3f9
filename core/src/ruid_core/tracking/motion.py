"""Where each track is and where it is going: Kalman filters in seconds, for all tracks at once.

The state of a track is its box as centre x, centre y, width, height (pixels) and the velocity of each.
Centre: constant velocity disturbed by white acceleration (Bar-Shalom, Li, Kirubarajan: Estimation with
Applications to Tracking and Navigation, section 6.2.2), so the model is the same at every frame rate.
Size: a random walk. The four coordinates are independent, so that each needs a 2 by 2 covariance only, kept as
three numbers in squared body heights: the noise of detectors and people scales with a person's size.
"""

import numpy as np
from numpy.typing import NDArray

from ruid_core.tracking.settings import TrackerSettings

Array = NDArray[np.float64]

_TO_CENTRE = np.array([[0.5, 0, -1, 0], [0, 0.5, 0, -1], [0.5, 0, 1, 0], [0, 0.5, 0, 1]])
_TO_CORNERS = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]])


def centre_boxes(boxes_xyxy_px: NDArray[np.floating]) -> Array:
    """Return (N, 4) rows centre x, centre y, width, height."""
    return boxes_xyxy_px @ _TO_CENTRE


def corner_boxes(boxes_cxcywh_px: Array) -> Array:
    """Return (N, 4) rows x1, y1, x2, y2."""
    return boxes_cxcywh_px @ _TO_CORNERS


class Motion:
    """The filters' state, one row per track; rows are added at the end and keep their order."""

    def __init__(self, settings: TrackerSettings) -> None:
        position, size = settings.position_noise**2, settings.size_noise**2
        self._measured = np.array([position, position, size, size])
        self._pushed = np.array([1.0, 1.0, 0, 0]) * settings.acceleration_noise**2
        self._drift = np.array([0, 0, 1.0, 1.0]) * settings.size_drift**2
        self._start_speed = np.array([1.0, 1.0, 0, 0]) * settings.starting_speed**2
        self.boxes = np.empty((0, 4))
        self.velocity = np.empty((0, 4))
        self._spread = np.empty((3, 0, 4))

    def predict(self, elapsed_s: float) -> None:
        """Move every track on by this long."""
        t = elapsed_s
        place, both, speed = self._spread
        self.boxes = self.boxes + self.velocity * t
        place += (2 * both + speed * t) * t + (self._pushed * (t * t * t / 3) + self._drift * t)
        both += speed * t + self._pushed * (t * t / 2)
        speed += self._pushed * t

    def correct(self, rows: NDArray[np.intp], boxes: Array) -> None:
        """Take in what was seen: row `rows[i]` was seen as `boxes[i]` (centre x, centre y, width, height)."""
        place, both, speed = self._spread[:, rows]
        total = place + self._measured
        gain, speed_gain = place / total, both / total
        missed_by = boxes - self.boxes[rows]
        self.boxes[rows] += gain * missed_by
        self.velocity[rows] += speed_gain * missed_by
        self._spread[:, rows] = place - gain * place, both - gain * both, speed - speed_gain * both

    def add(self, boxes: Array) -> None:
        """Add a row per box, standing still as far as is known."""
        count = len(boxes)
        fresh = np.empty((3, count, 4))
        fresh[0], fresh[1], fresh[2] = self._measured, 0, self._start_speed
        self.boxes = np.concatenate((self.boxes, boxes))
        self.velocity = np.concatenate((self.velocity, np.zeros((count, 4))))
        self._spread = np.concatenate((self._spread, fresh), axis=1)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget the rows that are False."""
        self.boxes, self.velocity, self._spread = self.boxes[rows], self.velocity[rows], self._spread[:, rows]
