"""How hard the node has it, and what it gives up for that: the shell around `pipeline.adaptation`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ruid_edge.health.machine import Machine
from ruid_edge.pipeline.adaptation import Effort, Load, Strain, adapt, effort_of, steps_of
from ruid_edge.report import Camera

_OWED_FPS = 12.0
"""A camera is owed so many frames a second, or all of its own where it gives fewer."""
_SHORT_BELOW = 0.9


@dataclass(frozen=True, slots=True)
class _Mark:
    """What had been counted at a look."""

    at_s: float
    busy_s: float
    worked: Mapping[str, int]
    replaced: Mapping[str, int]


class Pressure:
    """Written by the node's event loop; `effort` may be asked by any thread."""

    def __init__(self, machine: Machine, cameras: Mapping[str, Camera], *, busy_s: Callable[[], float]) -> None:
        self._machine = machine
        self._cameras = cameras
        self._busy_s = busy_s
        self._strain = Strain()
        self._mark: _Mark | None = None

    def effort(self) -> Effort:
        """Return how much work a frame may be."""
        return effort_of(self._strain)

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the steps taken."""
        return steps_of(self._strain)

    def look(self, *, now_s: float, throttled: bool) -> tuple[dict[str, object], ...]:
        """Look at the load since the last call; return what to tell, where the steps have changed."""
        before, self._mark = self._mark, self._count(now_s)
        if before is None or now_s <= before.at_s:
            return ()
        load = Load(
            busy=(self._mark.busy_s - before.busy_s) / (now_s - before.at_s),
            keeps_up=all(_keeps_up(before, self._mark, camera_id) for camera_id in self._cameras),
            temperature_c=self._machine.temperature_c(),
            throttled=throttled,
        )
        old, self._strain = self._strain, adapt(self._strain, load, at_s=now_s)
        if old.level == self._strain.level:
            return ()
        return ({"steps": self.steps, "busy": round(load.busy, 2), "temperature_c": load.temperature_c},)

    def _count(self, now_s: float) -> _Mark:
        counts = {camera_id: camera.tally.counts(now_s=now_s) for camera_id, camera in self._cameras.items()}
        return _Mark(
            now_s,
            self._busy_s(),
            {camera_id: count.frames for camera_id, count in counts.items()},
            {camera_id: count.drops.get("inference_busy", 0) for camera_id, count in counts.items()},
        )


def _keeps_up(before: _Mark, after: _Mark, camera_id: str) -> bool:
    """Return whether a camera got what it is owed: a frame more or less in a second is nothing."""
    span_s = after.at_s - before.at_s
    worked = after.worked[camera_id] - before.worked[camera_id]
    offered = worked + after.replaced[camera_id] - before.replaced[camera_id]
    return worked + 1 >= _SHORT_BELOW * min(offered, _OWED_FPS * span_s)
