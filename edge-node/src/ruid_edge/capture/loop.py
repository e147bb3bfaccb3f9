"""The thread that keeps one camera alive: opens, reads, hands over, and opens again when it breaks off."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ruid_edge.capture.exchange import FrameExchange
from ruid_edge.capture.frames import Frame, FrameSource, SourceLost
from ruid_edge.errors import EdgeError

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 15.0


@dataclass(frozen=True, slots=True)
class CaptureEvents:
    """What the loop tells the node; every one of them is called from the capture thread.

    `opened(width, height)`, `lost(reason, at_s)`, `back(from_s, to_s, reason)`: frames flow again after a loss,
    `captured(replaced)`, `ended()`: a recording is over or the node stops, `failed(error)`: no way to go on.
    """

    opened: Callable[[int, int], None]
    lost: Callable[[str, float], None]
    back: Callable[[float, float, str], None]
    captured: Callable[[Frame, bool], None]
    ended: Callable[[], None]
    failed: Callable[[EdgeError], None]


class CaptureLoop:
    """Runs a source in a thread of its own until it ends or `stop` is called."""

    def __init__(self, camera_id: str, source: FrameSource, exchange: FrameExchange, events: CaptureEvents) -> None:
        self._camera_id = camera_id
        self._source = source
        self._exchange = exchange
        self._events = events
        self._stop = threading.Event()
        self._lost: tuple[float, str] | None = None
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

    def _run(self) -> None:
        try:
            self._keep_alive()
        except EdgeError as error:
            self._events.failed(error)
        finally:
            self._source.close()
            self._events.ended()

    def _keep_alive(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._stop.is_set():
            try:
                self._source.open()
                self._events.opened(*self._source.size_px)
                if self._read_all():
                    return
                wait_s = _FIRST_WAIT_S
            except SourceLost as error:
                wait_s = self._note_loss(str(error), wait_s)
                self._stop.wait(wait_s)

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
            frame = self._source.read()
            if frame is None:
                return True
            self._note_return(frame)
            self._hand_over(frame)
        return False

    def _note_return(self, frame: Frame) -> None:
        if self._lost is not None:
            (lost_at_s, reason), self._lost = self._lost, None
            self._events.back(lost_at_s, frame.grabbed_at_s, reason)

    def _hand_over(self, frame: Frame) -> None:
        if self._source.lossless:
            self._exchange.deliver(self._camera_id, frame)
            self._events.captured(frame, False)  # noqa: FBT003 - a plain flag of a callback
        else:
            self._events.captured(frame, self._exchange.offer(self._camera_id, frame))
