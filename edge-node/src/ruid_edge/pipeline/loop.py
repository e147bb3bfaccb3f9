"""The thread that runs the models for every camera of the node, one frame at a time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ruid_core.tracking.tracklets import Tracklet
from ruid_edge.capture import Frame, FrameExchange
from ruid_edge.pipeline.camera import CameraPipeline, FrameOutcome

_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class InferenceEvents:
    """What the loop tells the node; called from the inference thread.

    `worked(camera_id, outcome)` after each frame, `finished(camera_id, tracklets)` when a camera's last tracks
    end, `failed(error)` when something broke: the thread is over then.
    """

    worked: Callable[[str, FrameOutcome], None]
    finished: Callable[[str, tuple[Tracklet, ...]], None]
    failed: Callable[[BaseException], None]


class InferenceLoop:
    """Takes frames from the exchange until `drain` or `stop`; makes a camera's pipeline on its first frame."""

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
                self._work_on(*taken)
            elif self._draining.is_set():
                return

    def _work_on(self, camera_id: str, frame: Frame) -> None:
        pipeline = self._pipelines.get(camera_id)
        if pipeline is None:
            pipeline = self._pipelines[camera_id] = self._make_pipeline(camera_id, frame)
        self._events.worked(camera_id, pipeline.take(frame))
