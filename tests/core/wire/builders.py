"""Messages for tests, valid unless told otherwise."""

from typing import Any

import msgspec
import numpy as np

from ruid_core.wire import messages as wm
from ruid_core.wire.vectors import pack_embeddings

DIM = 8
NOW_S = 1_800_000_000.0
CAMERA = wm.CameraInfo("cam0", "Door", 640, 480)
EMBEDDING = np.eye(DIM, dtype=np.float32)[:1]


def hello(**changes: Any) -> wm.Hello:
    """A node with one camera."""
    plain = wm.Hello(
        protocol_major=wm.PROTOCOL_MAJOR,
        protocol_minor=wm.PROTOCOL_MINOR,
        node_id="node1",
        node_name="Entrance",
        boot_epoch=3,
        software_version="0.1.0",
        embedding_model_id="reid-1",
        embedding_dim=DIM,
        detector_model_id="accurate",
        cameras=(CAMERA,),
        sent_at_s=NOW_S,
    )
    return msgspec.structs.replace(plain, **changes)


def tracklet(**changes: Any) -> wm.Tracklet:
    """A tracklet with one embedding."""
    plain = wm.Tracklet(
        camera_id="cam0",
        track_id=7,
        part=0,
        final=False,
        started_at_s=NOW_S - 2,
        ended_at_s=NOW_S - 1,
        grabbed_at_s=NOW_S - 1,
        box_rel=(0.1, 0.2, 0.3, 0.4),
        frames=10,
        embedding_model_id="reid-1",
        embeddings=pack_embeddings(EMBEDDING),
        qualities=(0.75,),
        thumbnail_jpeg=b"\xff\xd8",
    )
    return msgspec.structs.replace(plain, **changes)


def live(**changes: Any) -> wm.Live:
    """One person in view."""
    track = wm.LiveTrack(7, (0.1, 0.2, 0.3, 0.4), 0.9, NOW_S - 2)
    return msgspec.structs.replace(wm.Live("cam0", NOW_S, NOW_S, (track,)), **changes)


def health(**changes: Any) -> wm.Health:
    """A healthy node."""
    camera = wm.CameraHealth(
        "cam0", True, 10.0, NOW_S, 100, 50, 5, {"inference_busy": 2}, (wm.StageTime("detect", 9.0, 12.0),)
    )
    plain = wm.Health(NOW_S, 60.0, (camera,), 3, 4096, {"frames": 1}, {"uplink_connections": 1}, 55.0, 180.0, 61.5)
    return msgspec.structs.replace(plain, **changes)
