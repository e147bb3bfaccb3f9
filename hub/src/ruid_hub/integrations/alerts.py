"""What is worth telling somebody who is not looking: a camera that is down, a gap, somebody on the watch list.

Pure: a view of the site and the time go in, alerts come out. Each alert of one kind about one subject is raised once
in a dedup window, however often its cause comes and goes.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from ruid_hub.site import CameraState, CameraView, PersonCard, SiteView

DOWN_AFTER_S = 30.0
"""A camera that is away for less than this is a hiccup, not news."""
SUBJECTS = 5000


class AlertKind(StrEnum):
    """What happened."""

    CAMERA_DOWN = "camera_down"
    CAMERA_UP = "camera_up"
    GAP = "gap"
    WATCH_LIST = "watch_list"
    TEST = "test"
    """Somebody wants to know whether alerts arrive."""


@dataclass(frozen=True, slots=True)
class Alert:
    """`subject` is a camera (`node_id/camera_id`) or an identity_id; `title` and `text` are for people."""

    kind: AlertKind
    subject: str
    at_s: float
    title: str
    text: str


@dataclass(slots=True)
class AlertRules:
    """Remembers what was told. `watch_list` are names: whoever is called so, or so and something more, is on it."""

    watch_list: tuple[str, ...] = ()
    dedup_s: float = 600.0
    started: bool = False
    down: set[str] = field(default_factory=set[str])
    gaps: dict[str, float] = field(default_factory=dict[str, float])
    told_at_s: OrderedDict[tuple[AlertKind, str], float] = field(
        default_factory=OrderedDict[tuple[AlertKind, str], float]
    )

    def alerts(self, view: SiteView, at_s: float) -> list[Alert]:
        """What is new since the last view; nothing for the gaps that were there at the first."""
        raised = [
            *self._cameras(view.cameras, at_s),
            *self._gaps(view.cameras, at_s),
            *self._watched(view.people, at_s),
        ]
        self.started = True
        return [alert for alert in raised if self._is_news(alert)]

    def _cameras(self, cameras: Iterable[CameraView], at_s: float) -> Iterator[Alert]:
        for camera in cameras:
            away_s = at_s - (at_s if camera.since_s is None else camera.since_s)
            if camera.state is CameraState.DOWN and away_s >= DOWN_AFTER_S and camera.camera not in self.down:
                self.down.add(camera.camera)
                text = f"{camera.name} has given no picture for {away_s:.0f} s: {camera.reason or 'no reason given'}."
                yield Alert(AlertKind.CAMERA_DOWN, camera.camera, at_s, f"Camera down: {camera.name}", text)
            elif camera.state is CameraState.UP and camera.camera in self.down:
                self.down.discard(camera.camera)
                self.told_at_s.pop((AlertKind.CAMERA_DOWN, camera.camera), None)
                yield Alert(AlertKind.CAMERA_UP, camera.camera, at_s, f"Camera up: {camera.name}", "It sees again.")

    def _gaps(self, cameras: Iterable[CameraView], at_s: float) -> Iterator[Alert]:
        for camera in cameras:
            gap = camera.last_gap
            if gap is None or self.gaps.get(camera.camera, 0.0) >= gap.to_s:
                continue
            self.gaps[camera.camera] = gap.to_s
            if self.started and gap.to_s - gap.from_s >= DOWN_AFTER_S:
                text = f"{camera.name} did not see for {gap.to_s - gap.from_s:.0f} s: {gap.reason}."
                yield Alert(AlertKind.GAP, camera.camera, at_s, f"Gap: {camera.name}", text)

    def _watched(self, people: Iterable[PersonCard], at_s: float) -> Iterator[Alert]:
        for person in people:
            if person.present and any(_is_called(person.label, name) for name in self.watch_list):
                text = f"{person.label} was seen by {person.last_camera}."
                yield Alert(AlertKind.WATCH_LIST, person.identity_id, at_s, f"Seen: {person.label}", text)

    def _is_news(self, alert: Alert) -> bool:
        key = (alert.kind, alert.subject)
        last_s = self.told_at_s.get(key)
        # Whoever stays is told once: the window begins anew while the cause goes on.
        self.told_at_s[key] = alert.at_s
        self.told_at_s.move_to_end(key)
        if len(self.told_at_s) > SUBJECTS:
            self.told_at_s.popitem(last=False)
        return last_s is None or alert.at_s - last_s >= self.dedup_s


def _is_called(label: str, name: str) -> bool:
    label, name = label.casefold(), name.casefold()
    return label == name or label.startswith(f"{name} ")
