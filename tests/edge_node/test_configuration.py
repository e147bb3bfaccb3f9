"""A configuration is on trial until the node has been well for a while."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.wire.builders import camera_config
from ruid_core.wire import messages as wm
from ruid_edge.configuration import TRIAL_S, ConfigurationKeeper

GOOD, BETTER = (camera_config(name="good"),), (camera_config(name="better"),)


@dataclass(frozen=True)
class Fault:
    field: str
    reason: str


class Node:
    """What is in force, and what the node cannot do."""

    def __init__(self, folder: Path) -> None:
        self.in_force: Sequence[wm.CameraConfig] = ()
        self.impossible: set[str | None] = set()
        self.keeper = ConfigurationKeeper(folder, apply=self.apply)

    def apply(self, cameras: Sequence[wm.CameraConfig]) -> Fault | None:
        if any(camera.name in self.impossible for camera in cameras):
            return Fault("cameras[0].name", "it cannot be")
        self.in_force = cameras
        return None


def settled(folder: Path) -> Node:
    """A node whose first configuration has proved good."""
    node = Node(folder)
    assert node.keeper.restore(now_s=0) is None
    assert node.keeper.take(wm.Configure(1, GOOD), now_s=0).accepted
    assert node.keeper.look(trouble="", now_s=TRIAL_S) is None
    return node


def test_what_proved_good_is_in_force_after_a_restart(tmp_path: Path) -> None:
    settled(tmp_path)
    again = Node(tmp_path)
    assert again.keeper.restore(now_s=0) is None
    assert (again.keeper.revision, again.in_force) == (1, GOOD)


def test_what_harms_the_node_is_taken_back_and_told(tmp_path: Path) -> None:
    node = settled(tmp_path)
    assert node.keeper.take(wm.Configure(2, BETTER), now_s=30) == wm.Configured(2, accepted=True)
    assert (node.keeper.revision, node.in_force) == (2, BETTER)
    told = node.keeper.look(trouble="a thread was stuck for 6 s", now_s=31)
    assert told == wm.Configured(2, accepted=False, reason="taken back: a thread was stuck for 6 s")
    assert (node.keeper.revision, node.in_force) == (1, GOOD)
    assert node.keeper.look(trouble="still ill", now_s=32) is None


def test_what_the_node_cannot_do_is_refused_with_its_field(tmp_path: Path) -> None:
    node = settled(tmp_path)
    node.impossible.add("better")
    answer = node.keeper.take(wm.Configure(2, BETTER), now_s=30)
    assert answer == wm.Configured(2, accepted=False, field="cameras[0].name", reason="it cannot be")
    assert (node.keeper.revision, node.in_force) == (1, GOOD)


def test_a_node_that_dies_twice_in_a_trial_gives_it_up(tmp_path: Path) -> None:
    settled(tmp_path).keeper.take(wm.Configure(2, BETTER), now_s=30)
    second = Node(tmp_path)
    assert second.keeper.restore(now_s=0) == wm.Configured(2, accepted=True)
    assert second.in_force == BETTER
    third = Node(tmp_path)
    told = third.keeper.restore(now_s=0)
    assert told is not None
    assert (told.revision, told.accepted) == (2, False)
    assert (third.keeper.revision, third.in_force) == (1, GOOD)


def test_a_node_that_is_stopped_in_health_keeps_what_was_on_trial(tmp_path: Path) -> None:
    node = settled(tmp_path)
    node.keeper.take(wm.Configure(2, BETTER), now_s=30)
    node.keeper.close()
    again = Node(tmp_path)
    assert again.keeper.restore(now_s=0) is None
    assert again.in_force == BETTER
    again.keeper.close()


def test_the_same_revision_again_changes_nothing(tmp_path: Path) -> None:
    node = settled(tmp_path)
    assert node.keeper.take(wm.Configure(1, BETTER), now_s=30).accepted
    assert node.in_force == GOOD


def test_what_fits_the_cameras_no_more_is_left_out(tmp_path: Path) -> None:
    settled(tmp_path)
    again = Node(tmp_path)
    again.impossible.add("good")
    assert again.keeper.restore(now_s=0) is None
    assert (again.keeper.revision, tuple(again.in_force)) == (0, ())


def test_a_damaged_file_is_as_if_there_were_none(tmp_path: Path) -> None:
    (tmp_path / "configuration.good").write_bytes(b"\xc1")
    node = Node(tmp_path)
    assert node.keeper.restore(now_s=0) is None
    assert node.keeper.revision == 0
