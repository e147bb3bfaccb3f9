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


def crossing(**changes: Any) -> wm.Crossing:
    """Somebody goes in."""
    return msgspec.structs.replace(wm.Crossing("cam0", "door", 7, 1, NOW_S - 1), **changes)


def stay(**changes: Any) -> wm.ZoneStay:
    """Somebody was in a zone for four seconds."""
    return msgspec.structs.replace(wm.ZoneStay("cam0", "z1", 7, 0, NOW_S - 5, NOW_S - 1, True), **changes)


def still(**changes: Any) -> wm.Still:
    """A picture of the camera."""
    return msgspec.structs.replace(wm.Still("cam0", NOW_S, b"\xff\xd8\xff\xd9"), **changes)


def person_found(**changes: Any) -> wm.PersonFound:
    """Somebody in a picture."""
    plain = wm.PersonFound((0.1, 0.2, 0.3, 0.4), 0.75, pack_embeddings(EMBEDDING), b"\xff\xd8")
    return msgspec.structs.replace(plain, **changes)


def examined(**changes: Any) -> wm.Examined:
    """One person is in the picture."""
    return msgspec.structs.replace(wm.Examined(7, "reid-1", (person_found(),)), **changes)


def camera_config(**changes: Any) -> wm.CameraConfig:
    """Every setting of a camera."""
    triangle = ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))
    plain = wm.CameraConfig(
        camera_id="cam0",
        name="Front door",
        frame_rate_fps=8.0,
        detection_confidence=0.4,
        thumbnails="blurred",
        masks_rel=(((0.0, 0.0), (0.2, 0.0), (0.0, 0.2)),),
        zones=(wm.Zone("z1", "Counter", triangle),),
        lines=(wm.Line("door", "Door", (0.2, 0.8), (0.8, 0.8)),),
        upside_down=True,
    )
    return msgspec.structs.replace(plain, **changes)


def camera_health(**changes: Any) -> wm.CameraHealth:
    """A healthy camera."""
    plain = wm.CameraHealth(
        "cam0", True, 10.0, NOW_S, 100, 50, 5, {"inference_busy": 2}, (wm.StageTime("detect", 9.0, 12.0),)
    )
    return msgspec.structs.replace(plain, **changes)


def health(**changes: Any) -> wm.Health:
    """A healthy node."""
    plain = wm.Health(
        NOW_S, 60.0, (camera_health(),), 3, 4096, {"frames": 1}, {"uplink_connections": 1}, 55.0, 180.0, 61.5
    )
    return msgspec.structs.replace(plain, **changes)
