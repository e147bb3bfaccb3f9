"""Time runs forwards within one camera, and a clock that was wrong is forgiven."""

from dataclasses import dataclass, field

from ruid_core.identity.errors import TimeWentBackwards

BELIEVED_AFTER = 5


@dataclass(slots=True)
class CameraClocks:
    """The latest time of every camera, and how often in a row it has been contradicted.

    Evidence more than `tolerance_s` older than the camera's latest is refused. A camera whose clock jumped ahead
    and came back would then be refused until the time that it had jumped to; so after `BELIEVED_AFTER` refusals
    that agree with one another the new time is believed.
    """

    tolerance_s: float
    latest_s: dict[str, float] = field(default_factory=dict[str, float])
    doubts: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])

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
        self.latest_s[camera] = at_s

    def advance(self, camera: str, at_s: float) -> None:
        """The camera has been heard, at a time that was checked."""
        self.latest_s[camera] = max(self.latest_s.get(camera, at_s), at_s)
        self.doubts.pop(camera, None)
