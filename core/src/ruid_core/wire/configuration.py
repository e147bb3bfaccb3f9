"""Can a camera be set like this? The hub asks before it sends, the node before it applies."""

import math
from collections.abc import Collection, Iterable, Sequence

from ruid_core.wire.errors import InvalidConfiguration
from ruid_core.wire.messages import CameraConfig, Line, Point, Zone

MAX_SHAPES = 32
MAX_POINTS = 64
MAX_NAME_CHARS = 80
FRAME_RATES_FPS = (0.2, 60.0)
THUMBNAIL_POLICIES = ("off", "blurred", "on")
_SMALLEST_AREA_REL = 1e-4


def check_configuration(cameras: Sequence[CameraConfig], *, known: Collection[str]) -> None:
    """Raise `InvalidConfiguration`, which names the field and the reason, where the cameras cannot be set so.

    `known` are the camera_ids of the node that is meant.
    """
    identifiers = [camera.camera_id for camera in cameras]
    _require(len(set(identifiers)) == len(identifiers), "cameras", "a camera is set twice")
    for camera in cameras:
        _require(camera.camera_id in known, "camera_id", f"the node has no camera '{camera.camera_id[:100]}'")
        check_camera_config(camera)


def check_camera_config(camera: CameraConfig) -> None:
    """Raise `InvalidConfiguration` where the values alone make no sense, whatever the camera."""
    if camera.name is not None:
        _check_name(camera.name, "name")
    if camera.frame_rate_fps is not None:
        low, high = FRAME_RATES_FPS
        _require(low <= camera.frame_rate_fps <= high, "frame_rate_fps", f"must lie between {low} and {high}")
    if camera.detection_confidence is not None:
        _require(0.01 <= camera.detection_confidence <= 0.99, "detection_confidence", "must lie between 0.01 and 0.99")
    allowed = (None, *THUMBNAIL_POLICIES)
    _require(camera.thumbnails in allowed, "thumbnails", "must be off, blurred or on")
    _check_masks(camera.masks_rel)
    _check_zones(camera.zones)
    _check_lines(camera.lines)


def _check_masks(masks_rel: Sequence[Sequence[Point]]) -> None:
    _require(len(masks_rel) <= MAX_SHAPES, "masks_rel", f"there may be {MAX_SHAPES} masks at most")
    for index, points_rel in enumerate(masks_rel):
        _check_polygon(points_rel, f"masks_rel[{index}]")


def _check_zones(zones: Sequence[Zone]) -> None:
    _require(len(zones) <= MAX_SHAPES, "zones", f"there may be {MAX_SHAPES} zones at most")
    _check_unique((zone.zone_id for zone in zones), "zones", "zone_id")
    for index, zone in enumerate(zones):
        _check_name(zone.zone_id, f"zones[{index}].zone_id")
        _check_name(zone.name, f"zones[{index}].name")
        _check_polygon(zone.points_rel, f"zones[{index}].points_rel")


def _check_lines(lines: Sequence[Line]) -> None:
    _require(len(lines) <= MAX_SHAPES, "lines", f"there may be {MAX_SHAPES} lines at most")
    _check_unique((line.line_id for line in lines), "lines", "line_id")
    for index, line in enumerate(lines):
        _check_name(line.line_id, f"lines[{index}].line_id")
        _check_name(line.name, f"lines[{index}].name")
        _check_points((line.start_rel, line.end_rel), f"lines[{index}]")
        _require(
            math.dist(line.start_rel, line.end_rel) > 0.01, f"lines[{index}]", "is shorter than 1 % of the picture"
        )


def _check_polygon(points_rel: Sequence[Point], field: str) -> None:
    _require(3 <= len(points_rel) <= MAX_POINTS, field, f"needs 3 to {MAX_POINTS} points")
    _check_points(points_rel, field)
    _require(abs(_area(points_rel)) >= _SMALLEST_AREA_REL, field, "encloses nothing")


def _check_points(points_rel: Iterable[Point], field: str) -> None:
    inside = all(0 <= x <= 1 and 0 <= y <= 1 for x, y in points_rel)
    _require(inside, field, "a point lies outside the picture (0 to 1)")


def _area(points_rel: Sequence[Point]) -> float:
    """The signed area by the shoelace formula."""
    following = (*points_rel[1:], points_rel[0])
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points_rel, following, strict=True)) / 2


def _check_name(text: str, field: str) -> None:
    _require(0 < len(text) <= MAX_NAME_CHARS, field, f"must have 1 to {MAX_NAME_CHARS} characters")
    _require(text.isprintable(), field, "holds characters that cannot be printed")


def _check_unique(identifiers: Iterable[str], field: str, identifier: str) -> None:
    listed = list(identifiers)
    _require(len(set(listed)) == len(listed), field, f"two have the same {identifier}")


def _require(holds: bool, field: str, reason: str) -> None:  # noqa: FBT001 - a guard reads best as a condition
    if not holds:
        raise InvalidConfiguration(field, reason)
