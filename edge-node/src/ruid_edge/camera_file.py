"""A node's own masks, zones and lines, for use without a hub and for masks that no hub can take away.

A JSON file, a camera's name (or id) to what holds there; coordinates are fractions of the picture, y points down
(of the turned one, where the camera hangs upside down):

    {
      "door": {
        "masks": [[[0.8, 0.0], [1.0, 0.0], [1.0, 0.3], [0.8, 0.3]]],
        "zones": {"till": [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9], [0.1, 0.9]]},
        "lines": {"entrance": [[0.5, 1.0], [0.5, 0.0]]},
        "thumbnails": "off",
        "upside_down": true
      }
    }

A zone's or line's name is its id. Who crosses a line from its left to its right, seen from start to end, goes in.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from ruid_core.wire import messages as wm
from ruid_edge.camera_rules import find_fault, rules_from
from ruid_edge.errors import BadSettings
from ruid_edge.pipeline import CameraRules, ThumbnailPolicy
from ruid_edge.settings import CameraSettings, EdgeSettings

Point = tuple[float, float]


class CameraEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file says of one camera."""

    masks: tuple[tuple[Point, ...], ...] = ()
    zones: dict[str, tuple[Point, ...]] = {}
    lines: dict[str, tuple[Point, Point]] = {}
    thumbnails: str | None = None
    frame_rate_fps: float | None = None
    detection_confidence: float | None = None
    upside_down: bool = False


def own_rules(settings: EdgeSettings) -> dict[str, CameraRules]:
    """Return the node's own rules by camera id; raise `BadSettings` that names what is wrong in the file."""
    entries = _read(Path(settings.camera_file)) if settings.camera_file else {}
    basis = CameraRules(thumbnails=ThumbnailPolicy(settings.thumbnails))
    unknown = set(entries) - {name for camera in settings.cameras for name in (camera.name, camera.camera_id)}
    if unknown:
        raise BadSettings(f"RUID_CAMERA_FILE speaks of '{min(unknown)}', which is no camera of this node")
    return {camera.camera_id: _rules_of(camera, entries, basis) for camera in settings.cameras}


def _read(path: Path) -> dict[str, CameraEntry]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, CameraEntry])
    except (OSError, msgspec.DecodeError) as error:
        raise BadSettings(f"RUID_CAMERA_FILE '{path}' cannot be used: {error}") from error


def _rules_of(camera: CameraSettings, entries: Mapping[str, CameraEntry], basis: CameraRules) -> CameraRules:
    entry = entries.get(camera.name) or entries.get(camera.camera_id) or CameraEntry()
    config = wm.CameraConfig(
        camera.camera_id,
        frame_rate_fps=entry.frame_rate_fps,
        detection_confidence=entry.detection_confidence,
        thumbnails=entry.thumbnails,
        masks_rel=entry.masks,
        zones=tuple(wm.Zone(name, name, corners) for name, corners in entry.zones.items()),
        lines=tuple(wm.Line(name, name, start, end) for name, (start, end) in entry.lines.items()),
    )
    fault = find_fault([config], camera_ids=[camera.camera_id])
    if fault is not None:
        place = fault.field.removeprefix("cameras[0].")
        raise BadSettings(f"RUID_CAMERA_FILE, camera '{camera.name}', {place}: {fault.reason}")
    return rules_from(config, replace(basis, upside_down=entry.upside_down))
