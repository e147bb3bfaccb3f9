"""Time runs forwards within one camera; a clock that was wrong is forgiven, but not believed about ways."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ruid_core.identity.errors import TimeWentBackwards

BELIEVED_AFTER = 5


@dataclass(slots=True)
class CameraClocks:
    """The latest time of every camera, how often in a row it has been contradicted, and who is out of step.

    Evidence more than `tolerance_s` older than the camera's latest is refused. A camera whose clock jumped ahead
    and came back would then be refused until the time that it had jumped to; so after `BELIEVED_AFTER` refusals
    that agree with one another the new time is believed.

    A step forward of more than `tolerance_s` may be a quiet hour or a jump of the clock. It was a jump if another
    camera then speaks of a time within the step, or the camera itself goes back. A camera that jumped, forwards or
    backwards, is out of step until it agrees with another to within `tolerance_s`.
    """

    tolerance_s: float
    latest_s: dict[str, float] = field(default_factory=dict[str, float])
    doubts: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])
    steps_s: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    out_of_step: set[str] = field(default_factory=set[str])

    def check(self, camera: str, at_s: float) -> None:
        """Raise `TimeWentBackwards` where the time is too old to be true."""
        latest_s = self.latest_s.get(camera, at_s)
        if at_s >= latest_s - self.tolerance_s:
            return
        refusals, doubted_s = self.doubts.get(camera, (0, at_s))
        agrees = abs(at_s - doubted_s) <= self.tolerance_s
        self.doubts[camera] = (refusals + 1 if agrees else 1, at_s)
        if self.doubts[camera][0] <= BELIEVED_AFTER:
            raise TimeWentBackwards(camera, latest_s, at_s)

    def advance(self, camera: str, at_s: float) -> tuple[tuple[str, float], ...]:
        """The camera has been heard, at a time that was checked.

        Returns what that shows to have been jumps: the camera, and from when on its times are not true.
        """
        latest_s = self.latest_s.get(camera, at_s)
        goes_back = at_s < latest_s - self.tolerance_s
        self.latest_s[camera] = at_s if goes_back else max(latest_s, at_s)
        self.doubts.pop(camera, None)
        if goes_back:
            return self._gone_back(camera)
        if at_s > latest_s + self.tolerance_s:
            self.steps_s.setdefault(camera, (latest_s, at_s))
        if camera in self.out_of_step and not self._agrees(camera):
            return ()
        self.out_of_step.discard(camera)
        return tuple(self._judge_steps(camera, at_s))

    def _gone_back(self, camera: str) -> tuple[tuple[str, float], ...]:
        """Its last step forward was a jump, if there was one; and whether it is right now, the others know."""
        step = self.steps_s.pop(camera, None)
        self.out_of_step.discard(camera)
        if not self._agrees(camera):
            self.out_of_step.add(camera)
        return () if step is None else ((camera, step[1]),)

    def _agrees(self, camera: str) -> bool:
        others = self.latest_s.keys() - self.out_of_step - {camera}
        return any(abs(self.latest_s[other] - self.latest_s[camera]) <= self.tolerance_s for other in others)

    def _judge_steps(self, camera: str, at_s: float) -> Iterator[tuple[str, float]]:
        """What this camera's time says about the steps of others: true, a jump, or nothing."""
        for other, (from_s, to_s) in [*self.steps_s.items()]:
            if other == camera or at_s <= from_s:
                continue
            del self.steps_s[other]
            if at_s < to_s - self.tolerance_s:
                self.out_of_step.add(other)
                yield other, to_s
