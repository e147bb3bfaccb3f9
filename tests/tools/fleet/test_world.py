"""A synthetic world is what it says it is."""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ruid_tools.evaluation.identity import eval_identity
from ruid_tools.evaluation.identity_streams import load_stream
from ruid_tools.fleet.command import FleetUsageError, simulate
from ruid_tools.fleet.stream import stream_of
from ruid_tools.fleet.world import MOST_LOOKS, World, WorldSettings

SMALL = WorldSettings(cameras=4, people=30, hours=0.2, dim=64)


def test_the_same_seed_gives_the_same_world_and_another_another() -> None:
    first, again = (stream_of(World(SMALL), name="w") for _ in range(2))
    other = stream_of(World(WorldSettings(cameras=4, people=30, hours=0.2, dim=64, seed=1)), name="w")
    assert np.array_equal(first.embeddings, again.embeddings)
    assert first.t_s.tolist() == again.t_s.tolist() != other.t_s.tolist()


def test_everybody_is_seen_in_order_of_time_on_tracks_of_their_own() -> None:
    owners: dict[tuple[int, int], set[int]] = defaultdict(set)
    looks = list(World(SMALL).looks())
    for look in looks:
        owners[look.camera, look.track].add(look.person)
        assert np.linalg.norm(look.embedding) == pytest.approx(1.0, abs=1e-5)
    assert {look.person for look in looks} == set(range(30))
    assert all(len(people) == 1 for people in owners.values())
    assert [look.at_s for look in looks] == sorted(look.at_s for look in looks)


def test_nobody_is_in_two_places_at_once() -> None:
    stays: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for stay in World(SMALL).stays:
        stays[stay.person].append((stay.from_s, stay.to_s))
    for spans in stays.values():
        ordered = sorted(spans)
        assert all(before[1] < after[0] for before, after in pairwise(ordered))


def test_what_makes_it_hard_can_be_turned_up() -> None:
    easy = WorldSettings(people=40, dim=64, look_alikes=0, bad_crops=0, occlusions=0, lost_tracks=0, clock_error_s=0)
    hard = WorldSettings(people=40, dim=64, look_alikes=0.5, bad_crops=0.3, occlusions=0.3, lost_tracks=1.0)
    worlds = World(easy), World(hard)
    alike = [float((world.faces @ world.faces.T - np.eye(40)).max()) for world in worlds]
    tracks = [len({(look.camera, look.track) for look in world.looks()}) for world in worlds]
    poor = [sum(look.quality < 0.3 for look in world.looks()) for world in worlds]
    assert alike[1] > 0.55 > alike[0]
    assert tracks[0] < tracks[1]
    assert poor[0] == 0 < poor[1]
    assert not worlds[0].clock_errors_s.any()
    assert worlds[1].clock_errors_s.any()


def test_one_camera_is_a_world_too() -> None:
    world = World(WorldSettings(cameras=1, people=3, dim=16, hours=0.1))
    assert {stay.camera for stay in world.stays} == {0}
    assert max(np.bincount([look.track for look in world.looks()])) <= MOST_LOOKS


def test_a_world_can_be_written_and_told_apart_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "world.npz"
    simulate(out=out, cameras=3, people=25, hours=0.3)
    assert "of 25 people by 3 cameras" in capsys.readouterr().out
    report = eval_identity(load_stream(out))
    assert report.identities_true == 25
    assert report.final.bcubed_f1 > 0.7


def test_a_world_without_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FleetUsageError, match="--people"):
        simulate(out=tmp_path / "world.npz", people=0)


@pytest.mark.parametrize("hub", ["", "wss://localhost:8765"])
def test_a_world_goes_either_to_a_file_or_to_a_hub(tmp_path: Path, hub: str) -> None:
    with pytest.raises(FleetUsageError, match="either --out"):
        simulate(out=tmp_path / "world.npz" if hub else None, hub=hub)
