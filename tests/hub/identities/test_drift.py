"""A camera that changes is noticed; one that does not is left alone."""

import numpy as np
from numpy.typing import NDArray

from ruid_core.identity import Evidence
from ruid_hub.identities import DriftAlarm, DriftKind, DriftWatch

GENERATOR = np.random.default_rng(3)
PEOPLE = GENERATOR.normal(size=(40, 32)).astype(np.float32)
CAST = 2.0 * GENERATOR.normal(size=32).astype(np.float32)


def _look(index: int, at_s: float, cast: NDArray[np.float32]) -> Evidence:
    row = PEOPLE[index // 4 % 40] + cast
    unit = (row / np.float32(np.linalg.norm(row)))[None]
    return Evidence("a", f"track {index // 4}", index % 4, at_s, at_s, unit, np.ones(1, np.float32), "m")


def _alarms(watch: DriftWatch, *, first: int, looks: int, step_s: float, cast: NDArray[np.float32]) -> list[DriftAlarm]:
    return [
        alarm for index in range(first, first + looks) for alarm in watch.notice(_look(index, index * step_s, cast))
    ]


def test_an_unchanged_camera_raises_no_alarm() -> None:
    assert _alarms(DriftWatch(), first=0, looks=2000, step_s=0.5, cast=CAST) == []


def test_another_light_is_an_alarm_of_appearance() -> None:
    watch = DriftWatch()
    _alarms(watch, first=0, looks=800, step_s=0.5, cast=CAST)
    alarms = _alarms(watch, first=800, looks=400, step_s=0.5, cast=-CAST)
    assert alarms
    assert alarms[0].kind is DriftKind.APPEARANCE
    assert alarms[0].now < alarms[0].before


def test_a_slower_camera_is_an_alarm_of_rate() -> None:
    watch = DriftWatch()
    _alarms(watch, first=0, looks=800, step_s=0.5, cast=CAST)
    alarms = _alarms(watch, first=800, looks=400, step_s=2.0, cast=CAST)
    assert {alarm.kind for alarm in alarms} == {DriftKind.RATE}
    assert alarms[0].camera == "a"


def test_cameras_and_tracks_are_bounded() -> None:
    watch = DriftWatch()
    for camera in range(1100):
        look = _look(0, float(camera), CAST)
        watch.notice(Evidence(str(camera), look.track, 0, look.at_s, look.at_s, look.embeddings, look.qualities, "m"))
    for index in range(0, 400, 4):
        watch.notice(_look(index, 2000.0 + index, CAST))
    assert _alarms(watch, first=0, looks=4, step_s=0.0, cast=CAST) == []
