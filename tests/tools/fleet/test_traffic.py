"""What simulated nodes send is what the world's cameras saw."""

import numpy as np
import pytest

from ruid_core.wire.vectors import unpack_embeddings
from ruid_tools.fleet.traffic import passages_of
from ruid_tools.fleet.world import World, WorldSettings

WORLD = World(WorldSettings(cameras=3, people=20, hours=0.2, dim=32))


def test_every_track_of_every_camera_is_one_passage_in_order_of_its_end() -> None:
    passages = passages_of(WORLD)
    tracks = [{look.track for look in WORLD.looks() if look.camera == camera} for camera in range(3)]
    assert [{passage.track for passage in camera} for camera in passages] == tracks
    assert all(len(camera) == len(own) for camera, own in zip(passages, tracks, strict=True))
    for camera in passages:
        ends_s = [passage.at_s[-1] for passage in camera]
        assert ends_s == sorted(ends_s)


def test_a_passage_carries_the_best_of_its_looks() -> None:
    passage = max(passages_of(WORLD)[0], key=lambda each: len(each.at_s))
    looks = [look for look in WORLD.looks() if look.camera == 0 and look.track == passage.track]
    tracklet = passage.tracklet(track_id=7, ended_at_s=100.0, took_s=4.0)
    assert tracklet.qualities == tuple(sorted((look.quality for look in looks), reverse=True)[:5])
    rows = unpack_embeddings(tracklet.embeddings, dim=32)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-2)
    assert (tracklet.track_id, tracklet.started_at_s, tracklet.ended_at_s) == (7, 96.0, 100.0)
