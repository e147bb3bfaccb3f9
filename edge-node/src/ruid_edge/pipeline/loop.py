"""The thread that runs the models for every camera of the node, one frame at a time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ruid_edge.capture import Frame, FrameExchange
from ruid_edge.errors import EdgeError
from ruid_edge.pipeline.camera import CameraPipeline, FrameOutcome, LastParts

_LOOK_EVERY_S = 0.2
_MOST_SPOILED = 50
"""So many frames in a row that could not be worked on are no frames of garbage: something in the node is broken."""


@dataclass(frozen=True, slots=True)
class InferenceEvents:
    """What the loop tells the node; called from the inference thread.

    `worked(camera_id, outcome)` after each frame, `spoiled(camera_id, error)` after one that could not be worked on,
    `finished(camera_id, parts)` when all tracks of a camera end at once, `failed(error)` when something broke: the
    thread is over then.
    """

    worked: Callable[[str, FrameOutcome], None]
    spoiled: Callable[[str, Exception], None]
    finished: Callable[[str, LastParts], None]
    failed: Callable[[BaseException], None]


class InferenceLoop:
    """Takes frames from the exchange until `drain`; makes a camera's pipeline on its first frame, and another one
    when its pictures change their size.
    """

    def __init__(
        self,
        exchange: FrameExchange,
        make_pipeline: Callable[[str, Frame], CameraPipeline],
        events: InferenceEvents,
    ) -> None:
        self._exchange = exchange
        self._make_pipeline = make_pipeline
        self._events = events
        self._pipelines: dict[str, CameraPipeline] = {}
        self._spoiled_in_a_row = 0
        self._busy_s = 0.0
        self._busy_since_s: float | None = None
        self._draining = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def drain(self) -> None:
        """Ask the thread to end once no frame waits; it ends every track on its way out."""
        self._draining.set()

    def join(self) -> None:
        """Wait for the thread."""
        self._thread.join()

    def busy_s(self) -> float:
        """Return for how long the thread has worked on frames since its start."""
        return self._busy_s + self.stuck_for_s()

    def stuck_for_s(self) -> float:
        """Return for how long it has been at the frame in hand; 0 while it waits for one."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def still(self, camera_id: str) -> tuple[float, bytes]:
        """Return the time of a camera's newest frame and a JPEG of it, masked; b"" where there is none yet."""
        pipeline = self._pipelines.get(camera_id)
        return (0.0, b"") if pipeline is None else pipeline.still()

    def _run(self) -> None:
        try:
            self._work()
            for camera_id, pipeline in self._pipelines.items():
                self._events.finished(camera_id, pipeline.finish())
        except BaseException as error:  # the node must hear of anything that ends this thread
            self._events.failed(error)

    def _work(self) -> None:
        while True:
            taken = self._exchange.take(timeout_s=_LOOK_EVERY_S)
            if taken is not None:
                self._time_work_on(*taken)
            elif self._draining.is_set():
                return

    def _time_work_on(self, camera_id: str, frame: Frame) -> None:
        started_s = self._busy_since_s = time.monotonic()
        try:
            self._work_on(camera_id, frame)
        finally:
            self._busy_since_s = None
            self._busy_s += time.monotonic() - started_s

    def _work_on(self, camera_id: str, frame: Frame) -> None:
        pipeline = self._pipeline_for(camera_id, frame)
        try:
            outcome = pipeline.take(frame)
        except EdgeError:
            raise
        except Exception as error:  # whatever a strange frame does to OpenCV, numpy or a runtime
            self._spoiled_in_a_row += 1
            if self._spoiled_in_a_row >= _MOST_SPOILED:
                raise
            self._events.spoiled(camera_id, error)
            return
        self._spoiled_in_a_row = 0
        self._events.worked(camera_id, outcome)

    def _pipeline_for(self, camera_id: str, frame: Frame) -> CameraPipeline:
        height_px, width_px = frame.picture_bgr.shape[:2]
        pipeline = self._pipelines.get(camera_id)
        if pipeline is not None and pipeline.size_px != (width_px, height_px):
            self._events.finished(camera_id, pipeline.finish())
            pipeline = None
        if pipeline is None:
            pipeline = self._pipelines[camera_id] = self._make_pipeline(camera_id, frame)
        return pipeline
