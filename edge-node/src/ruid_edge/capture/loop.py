"""The thread that keeps one camera alive: opens, reads, hands over, and opens again when it breaks off."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ruid_edge.capture.exchange import FrameExchange
from ruid_edge.capture.frames import Frame, FrameSource, SourceLost
from ruid_edge.capture.vetting import ClockWatch, OpeningWatch, RateLimit, fault_of
from ruid_edge.errors import EdgeError

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 15.0
STALLED_AFTER_S = 5.0
"""A source that has given no frame for so long has stalled."""
STALLED = "stalled"
_OPENING_S = 12.0
"""What opening may take: OpenCV's own limits for connecting and for the first picture, and a little."""


@dataclass(frozen=True, slots=True)
class CaptureEvents:
    """What the loop tells the node; every one of them is called from the capture thread.

    `opened(width, height)`: also when the pictures change their size, `lost(reason, at_s)`,
    `back(from_s, to_s, reason)`: frames flow again after a loss or a stall, `captured(frame, replaced)`,
    `refused(reason)`: a frame was passed over, `jumped(step_s)`: the clock was set, `ended()`: a recording is over or
    the node stops, `failed(error)`: no way to go on.
    """

    opened: Callable[[int, int], None]
    lost: Callable[[str, float], None]
    back: Callable[[float, float, str], None]
    captured: Callable[[Frame, bool], None]
    refused: Callable[[str], None]
    jumped: Callable[[float], None]
    ended: Callable[[], None]
    failed: Callable[[EdgeError], None]


class CaptureLoop:
    """Runs a source in a thread of its own until it ends or `stop` is called.

    `frame_rate_fps` is asked before each frame: None for every frame, else so many a second.
    """

    def __init__(
        self,
        camera_id: str,
        source: FrameSource,
        exchange: FrameExchange,
        events: CaptureEvents,
        *,
        frame_rate_fps: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._camera_id = camera_id
        self._source = source
        self._exchange = exchange
        self._events = events
        self._frame_rate_fps = frame_rate_fps
        self._stop = threading.Event()
        self._lost: tuple[float, str] | None = None
        self._waits_since_s: float | None = None
        self._frame_at_s: float | None = None
        self._size_px = (0, 0)
        self._jumps = 0
        self._clock, self._limit, self._opening = ClockWatch(), RateLimit(), OpeningWatch()
        self._thread = threading.Thread(target=self._run, name=f"capture-{camera_id}", daemon=True)

    def start(self) -> None:
        """Begin to capture."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it does so after the frame in hand."""
        self._stop.set()

    def join(self, *, timeout_s: float) -> bool:
        """Wait for the thread; return whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stuck_for_s(self) -> float:
        """Return for how long the source has been getting the next frame (or opening, beyond what that may take); 0
        while it rests.
        """
        since_s = self._waits_since_s
        return 0.0 if since_s is None else max(0.0, time.monotonic() - since_s)

    def _run(self) -> None:
        try:
            self._keep_alive()
        except EdgeError as error:
            self._events.failed(error)
        finally:
            self._waits_since_s = None
            self._source.close()
            self._events.ended()

    def _keep_alive(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._stop.is_set():
            try:
                self._open()
                if self._read_all():
                    return
                wait_s = _FIRST_WAIT_S
            except SourceLost as error:
                wait_s = self._note_loss(str(error), wait_s)
                self._stop.wait(wait_s)

    def _open(self) -> None:
        with self._waiting(allowed_s=_OPENING_S):
            self._source.open()
        self._frame_at_s = None
        self._opening = OpeningWatch()
        self._size_px = self._source.size_px
        self._events.opened(*self._size_px)

    @contextmanager
    def _waiting(self, *, allowed_s: float = 0.0) -> Generator[None]:
        self._waits_since_s = time.monotonic() + allowed_s
        try:
            yield
        finally:
            self._waits_since_s = None

    def _note_loss(self, reason: str, wait_s: float) -> float:
        """Tell of a new loss and return how long to wait: from half a second up to fifteen."""
        if self._lost is not None:
            return min(2 * wait_s, _LONGEST_WAIT_S)
        self._lost = (time.time(), reason)
        self._events.lost(reason, self._lost[0])
        return _FIRST_WAIT_S

    def _read_all(self) -> bool:
        """Hand over frames until the recording ends (True) or the node stops."""
        while not self._stop.is_set():
            begun_s = time.monotonic()
            with self._waiting():
                frame = self._source.read()
            if frame is None:
                return True
            self._take(frame, waited_s=time.monotonic() - begun_s)
        return False

    def _take(self, frame: Frame, *, waited_s: float) -> None:
        for _ in range(frame.undecodable_before):
            self._events.refused("undecodable")
        fault = fault_of(frame)
        if not fault and self._opening.is_stale(frame, monotonic_s=time.monotonic()):
            fault = "stale_after_opening"
        if fault:
            self._events.refused(fault)
            return
        self._note_return(frame, waited_s)
        self._note_size(frame)
        frame = self._note_jump(frame)
        if self._limit.passes(frame.captured_at_s, frame_rate_fps=self._frame_rate_fps()):
            self._hand_over(frame)

    def _note_return(self, frame: Frame, waited_s: float) -> None:
        """Tell of the gap that this frame ends: a loss, or a source that was silent for long."""
        if self._lost is not None:
            (lost_at_s, reason), self._lost = self._lost, None
            self._events.back(lost_at_s, frame.grabbed_at_s, reason)
        elif waited_s >= STALLED_AFTER_S and self._frame_at_s is not None:
            self._events.back(self._frame_at_s, frame.grabbed_at_s, STALLED)
        self._frame_at_s = frame.grabbed_at_s

    def _note_size(self, frame: Frame) -> None:
        height_px, width_px = frame.picture_bgr.shape[:2]
        if (width_px, height_px) != self._size_px:
            self._size_px = (width_px, height_px)
            self._events.opened(width_px, height_px)

    def _note_jump(self, frame: Frame) -> Frame:
        """After the clock was set, tracks must not be continued over seconds that never were."""
        step_s = 0.0 if self._source.lossless else self._clock.step_s(frame, monotonic_s=time.monotonic())
        if step_s:
            self._jumps += 1
            self._events.jumped(step_s)
        return replace(frame, scene=frame.scene + self._jumps) if self._jumps else frame

    def _hand_over(self, frame: Frame) -> None:
        if self._source.lossless:
            self._exchange.deliver(self._camera_id, frame)
            self._events.captured(frame, False)  # noqa: FBT003 - a plain flag of a callback
        else:
            self._events.captured(frame, self._exchange.offer(self._camera_id, frame))
