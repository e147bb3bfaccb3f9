"""What a source gives."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class SourceLost(Exception):
    """The source stopped giving frames; opening it again may help."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture (H, W, 3) uint8 BGR, handed over for good: whoever works on it paints its masks into it.

    `small_bgr` is the same scene, whole and in the same proportions, at about the size that a detector wants (long
    side 320 to 640), where the source has it for nothing, as a camera's scaler does; crops come from the large one.

    `captured_at_s` is the time of the scene (a recording has its own), `grabbed_at_s` when the frame reached us,
    both in seconds since the Unix epoch. `scene` counts up whenever continuity is lost: a loop, a reconnection.
    `stream_s` is the picture's time in a live stream by the sender's clock, in seconds from anywhere, where there is
    one, and `undecodable_before` counts the pictures just before it that were broken.
    """

    picture_bgr: NDArray[np.uint8]
    captured_at_s: float
    grabbed_at_s: float
    scene: int
    small_bgr: NDArray[np.uint8] | None = None
    stream_s: float | None = None
    undecodable_before: int = 0


class FrameSource(Protocol):
    """Opened and read by one thread."""

    @property
    def lossless(self) -> bool:
        """Whether every frame must be worked on (a recording played as fast as possible)."""
        ...

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of its pictures; known once it is open."""
        ...

    def open(self) -> None:
        """Get ready; raise `SourceLost` where trying again may help, `SourceMissing` where it cannot."""
        ...

    def read(self) -> Frame | None:
        """Wait for the next frame; None at the end of a recording; raise `SourceLost` when it broke off."""
        ...

    def close(self) -> None:
        """Let go of the device; harmless when it is not open."""
        ...
