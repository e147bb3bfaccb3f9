"""Where each track is and where it is going: Kalman filters in seconds, for all tracks at once.

A track's state is its box as centre x, centre y, width, height (pixels) and the velocity of each.
Centre: constant velocity disturbed by white acceleration (Bar-Shalom, Li and Kirubarajan, Estimation with
Applications to Tracking and Navigation, 6.2.2), so two half steps are one whole step and no frame rate is special.
Size: a random walk; the size of someone half hidden must not go on shrinking. The four coordinates are
independent, so each needs a 2 by 2 covariance only, kept as three numbers (place, place and velocity, velocity) in
squared body heights, because the noise of detectors and of people grows with a person's size in the picture.
"""

import numpy as np
from numpy.typing import NDArray

from ruid_core.tracking.settings import TrackerSettings

Array = NDArray[np.float64]

_LEAST_SIDE_PX = 1.0
_CENTRE_ONLY = np.array([1.0, 1.0, 0.0, 0.0])
_SIZE_ONLY = np.array([0.0, 0.0, 1.0, 1.0])
_BOTH_SIDES = np.ones((2, 1))
_TO_CENTRE = np.array([[0.5, 0, -1, 0], [0, 0.5, 0, -1], [0.5, 0, 1, 0], [0, 0.5, 0, 1]])
_TO_CORNERS = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]])


def centre_boxes(boxes_xyxy_px: NDArray[np.float32]) -> Array:
    """Return (N, 4) rows centre x, centre y, width, height; an empty or inverted side counts as one pixel."""
    boxes: Array = boxes_xyxy_px.astype(np.float64) @ _TO_CENTRE
    np.maximum(boxes[:, 2:], _LEAST_SIDE_PX, out=boxes[:, 2:])
    return boxes


def corner_boxes(boxes_cxcywh_px: Array) -> Array:
    """Return (N, 4) rows x1, y1, x2, y2."""
    return boxes_cxcywh_px @ _TO_CORNERS


class Motion:
    """The filters' state, one row per track; new rows are added at the end and all keep their order."""

    def __init__(self, settings: TrackerSettings) -> None:
        self._measured = settings.position_noise**2 * _CENTRE_ONLY + settings.size_noise**2 * _SIZE_ONLY
        self._pushed = settings.acceleration_noise**2 * _CENTRE_ONLY
        self._drift = settings.size_drift**2 * _SIZE_ONLY
        self._starting = settings.starting_speed**2 * _CENTRE_ONLY
        self._misfit = settings.misfit_noise
        self.boxes_cxcywh_px: Array = np.empty((0, 4))
        self._velocity: Array = np.empty((0, 4))
        self._last_seen: Array = np.empty((0, 4))
        self._spread: Array = np.empty((3, 0, 4))

    def predict(self, elapsed_s: float) -> None:
        """Move every track on by this long."""
        t = elapsed_s
        place, joint, speed = self._spread
        self.boxes_cxcywh_px += self._velocity * t
        place += (2 * joint + speed * t) * t + (self._pushed * (t**3 / 3) + self._drift * t)
        joint += speed * t + self._pushed * (t * t / 2)
        speed += self._pushed * t

    def foresee(self, elapsed_s: float) -> Array:
        """Return the boxes as they should be after this long; changes nothing."""
        return self.boxes_cxcywh_px + self._velocity * elapsed_s

    def correct(self, rows: NDArray[np.intp], seen_cxcywh_px: Array) -> None:
        """Take in that track `rows[i]` was seen as `seen_cxcywh_px[i]`."""
        place, joint, speed = self._spread[:, rows]
        expected = self.boxes_cxcywh_px[rows]
        misfit = np.abs(np.log(seen_cxcywh_px[:, 2:] / expected[:, 2:])) @ _BOTH_SIDES
        total = place + self._measured * (1 + self._misfit * misfit)
        gain, speed_gain = place / total, joint / total
        missed_by = seen_cxcywh_px - expected
        self._last_seen[rows] = self.boxes_cxcywh_px[rows] = expected + gain * missed_by
        self._velocity[rows] += speed_gain * missed_by
        self._spread[:, rows] = place - gain * place, joint - gain * joint, speed - speed_gain * joint

    def straighten(self, rows: NDArray[np.intp], *, start_cxcywh_px: Array, unseen_for_s: Array) -> None:
        """Forget what was guessed while track `rows[i]` was out of sight: it went straight between two sightings.

        Call after `correct` with where the track was last seen before. OC-SORT (Cao et al. 2023, 3.2) replays the
        filter over a line of virtual sightings; here the filter is begun anew on the line's two ends (two-point
        differencing, Bar-Shalom 5.5.3), which is the same thing without the loop.
        """
        gap_s = unseen_for_s[:, None]
        moved = self.boxes_cxcywh_px[rows] - start_cxcywh_px
        self._velocity[rows] = moved / gap_s * _CENTRE_ONLY
        seen_noise = self._measured * _CENTRE_ONLY
        self._spread[0, rows] = np.maximum(self._spread[0, rows], seen_noise)
        self._spread[1, rows] = seen_noise / gap_s
        self._spread[2, rows] = 2 * seen_noise / gap_s**2 + self._pushed * gap_s / 3

    def last_seen_cxcywh_px(self, rows: NDArray[np.intp]) -> Array:
        """Return where the filter had these tracks when they were last seen."""
        return self._last_seen[rows]

    def add(self, seen_cxcywh_px: Array) -> None:
        """Add a row for each box, standing still as far as is known."""
        shape = seen_cxcywh_px.shape
        start = np.stack([np.broadcast_to(row, shape) for row in (self._measured, 0.0, self._starting)])
        self.boxes_cxcywh_px = np.concatenate((self.boxes_cxcywh_px, seen_cxcywh_px))
        self._last_seen = np.concatenate((self._last_seen, seen_cxcywh_px))
        self._velocity = np.concatenate((self._velocity, np.zeros(shape)))
        self._spread = np.concatenate((self._spread, start), axis=1)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget the rows that are False."""
        self.boxes_cxcywh_px, self._velocity = self.boxes_cxcywh_px[kept], self._velocity[kept]
        self._last_seen, self._spread = self._last_seen[kept], self._spread[:, kept]
