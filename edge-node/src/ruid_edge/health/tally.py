"""What happened at a camera, counted by name since boot, and its frame rate."""

import threading
from collections import deque
from dataclasses import dataclass

from ruid_core.wire.validation import plain_reason

_RATE_WINDOW_S = 3.0
_RATE_FRAMES = 600


@dataclass(frozen=True, slots=True)
class CameraCounts:
    """A camera's figures at one moment; `drops` maps a reason to frames."""

    capturing: bool
    trouble: str
    width_px: int
    height_px: int
    fps: float
    last_frame_at_s: float
    frames: int
    detections: int
    tracklets: int
    drops: dict[str, int]


class CameraTally:
    """Written by the capture and inference threads, read by the one that reports."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worked_at_s: deque[float] = deque(maxlen=_RATE_FRAMES)
        self._size_px = (0, 0)
        self._capturing = True  # until it is known to be lost
        self._trouble = ""
        self._last_frame_at_s = 0.0
        self._frames = self._detections = self._tracklets = 0
        self._drops: dict[str, int] = {}

    def opened(self, width_px: int, height_px: int) -> None:
        """The source is open."""
        with self._lock:
            self._size_px = (width_px, height_px)
            self._capturing, self._trouble = True, ""

    def lost(self, reason: str) -> None:
        """The source is lost."""
        with self._lock:
            self._capturing, self._trouble = False, plain_reason(reason)

    def captured(self, *, grabbed_at_s: float, replaced: bool) -> None:
        """A frame came; `replaced` when it took the place of one that was never looked at."""
        with self._lock:
            self._last_frame_at_s = grabbed_at_s
            self._capturing, self._trouble = True, ""
            if replaced:
                self._drops["inference_busy"] = self._drops.get("inference_busy", 0) + 1

    def dropped(self, reason: str) -> None:
        """A frame or picture was given up for another reason."""
        with self._lock:
            self._drops[reason] = self._drops.get(reason, 0) + 1

    def worked(self, *, at_s: float, detections: int) -> None:
        """A frame went through the pipeline."""
        with self._lock:
            self._worked_at_s.append(at_s)
            self._frames += 1
            self._detections += detections

    def recorded(self, tracklets: int) -> None:
        """Tracklets were made."""
        with self._lock:
            self._tracklets += tracklets

    def counts(self, *, now_s: float) -> CameraCounts:
        """Return the figures as they stand."""
        with self._lock:
            recent = [at_s for at_s in self._worked_at_s if now_s - at_s <= _RATE_WINDOW_S]
            span_s = max(now_s - recent[0], 0.5) if recent else 1.0
            return CameraCounts(
                self._capturing,
                self._trouble,
                *self._size_px,
                len(recent) / span_s,
                self._last_frame_at_s,
                self._frames,
                self._detections,
                self._tracklets,
                dict(self._drops),
            )
