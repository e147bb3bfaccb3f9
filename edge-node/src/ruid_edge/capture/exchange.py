"""Where capture threads leave frames and the inference thread finds them.

Each camera has room for one waiting frame: a newer one takes its place (and that is counted), because an old
picture is worth nothing live. A recording that must not lose any waits for its place instead.
"""

import threading

from ruid_edge.capture.frames import Frame


class FrameExchange:
    """One waiting frame per camera; cameras are served in turn."""

    def __init__(self, camera_ids: tuple[str, ...]) -> None:
        self._condition = threading.Condition()
        self._waiting: dict[str, Frame] = {}
        self._order = list(camera_ids)
        self._closed = False

    def offer(self, camera_id: str, frame: Frame) -> bool:
        """Leave the newest frame; return True where it took the place of one that nobody looked at."""
        with self._condition:
            replaced = camera_id in self._waiting
            self._waiting[camera_id] = frame
            self._condition.notify_all()
        return replaced

    def deliver(self, camera_id: str, frame: Frame) -> None:
        """Leave a frame once the one before it was taken; return at once after `close`."""
        with self._condition:
            self._condition.wait_for(lambda: camera_id not in self._waiting or self._closed)
            self._waiting[camera_id] = frame
            self._condition.notify_all()

    def take(self, *, timeout_s: float) -> tuple[str, Frame] | None:
        """Return the next camera's frame, None when none came in time."""
        with self._condition:
            if not self._condition.wait_for(lambda: bool(self._waiting), timeout_s):
                return None
            camera_id = next(camera_id for camera_id in self._order if camera_id in self._waiting)
            self._order.remove(camera_id)
            self._order.append(camera_id)
            self._condition.notify_all()
            return camera_id, self._waiting.pop(camera_id)

    @property
    def waiting(self) -> int:
        """How many frames wait now."""
        return len(self._waiting)

    def close(self) -> None:
        """Wake whoever waits for a place."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
