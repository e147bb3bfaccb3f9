"""The load is judged from what was counted, and the steps follow."""

from dataclasses import dataclass

import pytest

from ruid_edge.capture import make_source
from ruid_edge.capture.recordings import Playback
from ruid_edge.health.machine import Machine
from ruid_edge.pressure import Pressure
from ruid_edge.report import Camera
from ruid_edge.settings import CameraSettings


@dataclass
class Node:
    """A camera whose frames a test counts, a second at a time."""

    busy_s: float = 0.0
    now_s: float = 0.0

    def __post_init__(self) -> None:
        source = make_source("0", Playback(), on_unreadable=lambda path: None)
        self.camera = Camera(CameraSettings("cam0", "door", "0"), source)
        machine = Machine()
        machine.temperature_c = lambda: self.temperature_c  # type: ignore[method-assign]
        self.temperature_c: float | None = None
        self.pressure = Pressure(machine, {"cam0": self.camera}, busy_s=lambda: self.busy_s)

    def second(self, *, worked: int, replaced: int, busy: float, throttled: bool = False) -> bool:
        """Return whether there was anything to tell."""
        for number in range(worked + replaced):
            self.camera.tally.captured(grabbed_at_s=self.now_s, replaced=number < replaced)
        for _ in range(worked):
            self.camera.tally.worked(at_s=self.now_s, detections=0)
        self.now_s += 1
        self.busy_s += busy
        return bool(self.pressure.look(now_s=self.now_s, throttled=throttled))


def test_a_node_that_gives_a_camera_less_than_it_owes_takes_a_step_and_says_so() -> None:
    node = Node()
    told = [node.second(worked=5, replaced=25, busy=1.0) for _ in range(7)]
    assert told.count(True) == 1
    assert node.pressure.steps == ("embeddings_halved",)
    assert node.pressure.effort().embed_slower == 2


@pytest.mark.parametrize(("worked", "replaced"), [(15, 15), (5, 0), (12, 18)])
def test_enough_frames_or_all_that_there_are_is_no_strain(worked: int, replaced: int) -> None:
    node = Node()
    assert not any(node.second(worked=worked, replaced=replaced, busy=0.9) for _ in range(20))


def test_a_throttled_processor_is_strain() -> None:
    node = Node()
    assert any(node.second(worked=10, replaced=0, busy=0.2, throttled=True) for _ in range(7))


def test_heat_is_strain_and_steps_come_back_when_it_has_gone() -> None:
    node = Node()
    node.temperature_c = 85.0
    assert any(node.second(worked=10, replaced=0, busy=0.2) for _ in range(7))
    node.temperature_c = 60.0
    assert any(node.second(worked=10, replaced=0, busy=0.2) for _ in range(30))
    assert node.pressure.steps == ()


def test_a_clock_that_stands_still_is_no_reason() -> None:
    node = Node()
    node.second(worked=1, replaced=0, busy=0.5)
    assert node.pressure.look(now_s=node.now_s, throttled=False) == ()
