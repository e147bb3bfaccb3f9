"""Frames that are no frames, clocks that jump, and a rate that is wanted: judged before anybody works on a frame."""

import math
from dataclasses import dataclass

import numpy as np

from ruid_edge.capture.frames import Frame

_LEAST_SIDE_PX = 32
_JUMP_S = 1.0
_FASTER = 2.0
"""A picture that comes in less than half the time since the one before was taken was not waited for."""
_IN_A_ROW = 2
_LONGEST_GATHERED_S = 10.0
_LONGEST_PASSING_S = 2.0
"""What comes too fast for longer is no camera, or its clock is wrong: it is shown as it comes."""
_SLACK = 0.1
"""Frames come a little early; one is not passed over for a tenth of the wanted gap."""

_Moment = tuple[float, float]
"""By the sender's clock and by ours."""


def fault_of(frame: Frame) -> str:
    """Return why nothing can be done with a frame, "" where it is one."""
    picture = frame.picture_bgr
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        return "not_a_picture"
    if min(picture.shape[:2]) < _LEAST_SIDE_PX:
        return "picture_too_small"
    return "" if math.isfinite(frame.captured_at_s) and math.isfinite(frame.grabbed_at_s) else "time_unreadable"


@dataclass(slots=True)
class ClockWatch:
    """Compares the clock of the frames with one that never jumps."""

    _apart_s: float | None = None

    def step_s(self, frame: Frame, *, monotonic_s: float) -> float:
        """Return by how much the clock was set forward (or, negative, back) since the last frame, 0.0 if by less
        than a second.
        """
        apart_s = frame.grabbed_at_s - monotonic_s
        step_s = 0.0 if self._apart_s is None else apart_s - self._apart_s
        self._apart_s = apart_s
        return step_s if abs(step_s) >= _JUMP_S else 0.0


@dataclass(slots=True)
class OpeningWatch:
    """Tells the pictures that gathered while a stream was opened: they come much faster than they were taken.

    OpenCV's FFmpeg looks at up to some seconds of a stream before it opens, keeps them, and hands them out as fast as
    they are read. One watch for each opening; it is over with the second picture in a row that had to be waited for, as
    a busy machine is slow to fetch one now and then.
    """

    _seen: tuple[_Moment, _Moment] | None = None
    _waited_for: int = 0
    _over: bool = False

    def is_stale(self, frame: Frame, *, monotonic_s: float) -> bool:
        """Return whether the frame is older than its time says."""
        if self._over or frame.stream_s is None:
            return False
        now = (frame.stream_s, monotonic_s)
        first, last = self._seen or (now, now)
        self._seen = (first, now)
        shown_s, took_s = _between(last, now)
        gathered_s, passing_s = _between(first, now)
        self._waited_for = self._waited_for + 1 if 0 < shown_s < _FASTER * took_s else 0
        self._over = self._waited_for == _IN_A_ROW or gathered_s > _LONGEST_GATHERED_S or passing_s > _LONGEST_PASSING_S
        return not self._over


def _between(earlier: _Moment, later: _Moment) -> _Moment:
    return later[0] - earlier[0], later[1] - earlier[1]


@dataclass(slots=True)
class RateLimit:
    """Thins frames out to a rate, by the time of the scene, evenly in the long run."""

    _due_at_s: float = -math.inf

    def passes(self, at_s: float, *, frame_rate_fps: float | None) -> bool:
        """Return whether the frame of this time is wanted."""
        if frame_rate_fps is None:
            return True
        gap_s = 1 / frame_rate_fps
        if not -2 * gap_s < self._due_at_s - at_s:  # late, or the first one
            self._due_at_s = at_s
        early_s = self._due_at_s - at_s
        if _SLACK * gap_s < early_s < 2 * gap_s:
            return False
        self._due_at_s = (at_s if early_s >= 2 * gap_s else self._due_at_s) + gap_s
        return True
