"""What is in force at a camera, and the hub's wishes judged against it.

`find_fault` is pure: it names the field of a wish that cannot be met and the reason. `rules_from` puts a wish without
fault over the node's own rules. A mask that the node's owner set stays, whatever the hub says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ruid_core.geometry.lines import half_turned
from ruid_core.geometry.polygons import area, crosses_itself
from ruid_core.tracking import Line, Zone
from ruid_core.wire import messages as wm
from ruid_edge.pipeline import CameraRules, ThumbnailPolicy

_MOST_PLACES = 32
_MOST_CORNERS = 64
_LEAST_AREA = 1e-4
_LEAST_LENGTH = 0.01
_LONGEST_NAME = 80
_FRAME_RATES_FPS = (0.2, 120.0)
_CONFIDENCES = (0.05, 0.95)

Polygon = tuple[wm.Point, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a configuration is refused: `field` is a path into it, such as `cameras[0].zones[1].points_rel`."""

    field: str
    reason: str


def find_fault(cameras: Sequence[wm.CameraConfig], *, camera_ids: Sequence[str]) -> Fault | None:
    """Return the first thing in a configuration that this node cannot do, None where it can do all of it."""
    known = set(camera_ids)
    for index, camera in enumerate(cameras):
        place = f"cameras[{index}]"
        if camera.camera_id not in known:
            reason = (
                f"there is no camera '{camera.camera_id}' (or it is named twice); there are {', '.join(camera_ids)}"
            )
            return Fault(f"{place}.camera_id", reason)
        known.discard(camera.camera_id)
        fault = next(_faults(camera), None)
        if fault is not None:
            return Fault(f"{place}.{fault.field}", fault.reason)
    return None


def rules_from(config: wm.CameraConfig, own: CameraRules) -> CameraRules:
    """Return the node's own rules with a configuration over them; it must be without fault."""
    if config.upside_down not in (None, own.upside_down):
        own = turned(own)
    return replace(
        own,
        thumbnails=own.thumbnails if config.thumbnails is None else ThumbnailPolicy(config.thumbnails),
        frame_rate_fps=own.frame_rate_fps if config.frame_rate_fps is None else config.frame_rate_fps,
        detection_confidence=(
            own.detection_confidence if config.detection_confidence is None else config.detection_confidence
        ),
        masks_rel=own.masks_rel + config.masks_rel,
        zones=tuple(Zone(zone.zone_id, zone.points_rel) for zone in config.zones) or own.zones,
        lines=tuple(Line(line.line_id, line.start_rel, line.end_rel) for line in config.lines) or own.lines,
    )


def turned(rules: CameraRules) -> CameraRules:
    """Return the rules for the picture turned by half a turn: its masks, zones and lines go with what they lie on."""
    return replace(
        rules,
        upside_down=not rules.upside_down,
        masks_rel=tuple(half_turned(*mask) for mask in rules.masks_rel),
        zones=tuple(Zone(zone.zone_id, half_turned(*zone.corners_rel)) for zone in rules.zones),
        lines=tuple(Line(line.line_id, *half_turned(line.start_rel, line.end_rel)) for line in rules.lines),
    )


def _faults(camera: wm.CameraConfig) -> Iterator[Fault]:
    yield from _name_faults(camera)
    yield from _number_faults("frame_rate_fps", camera.frame_rate_fps, _FRAME_RATES_FPS)
    yield from _number_faults("detection_confidence", camera.detection_confidence, _CONFIDENCES)
    policies = [policy.value for policy in ThumbnailPolicy]
    if camera.thumbnails is not None and camera.thumbnails not in policies:
        yield Fault("thumbnails", f"'{camera.thumbnails}' is none of {', '.join(policies)}")
    yield from _count_faults(camera)
    for index, mask in enumerate(camera.masks_rel):
        yield from _polygon_faults(f"masks_rel[{index}]", mask)
    for index, zone in enumerate(camera.zones):
        yield from _polygon_faults(f"zones[{index}].points_rel", zone.points_rel)
    for index, line in enumerate(camera.lines):
        yield from _line_faults(f"lines[{index}]", line)


def _name_faults(camera: wm.CameraConfig) -> Iterator[Fault]:
    if camera.name is not None and not (0 < len(camera.name) <= _LONGEST_NAME and camera.name.isprintable()):
        yield Fault("name", f"it must be 1 to {_LONGEST_NAME} printable characters")


def _number_faults(field: str, value: float | None, limits: tuple[float, float]) -> Iterator[Fault]:
    if value is not None and not limits[0] <= value <= limits[1]:
        yield Fault(field, f"{value:g} is not between {limits[0]:g} and {limits[1]:g}")


def _count_faults(camera: wm.CameraConfig) -> Iterator[Fault]:
    for field, count in (("masks_rel", camera.masks_rel), ("zones", camera.zones), ("lines", camera.lines)):
        if len(count) > _MOST_PLACES:
            yield Fault(field, f"{len(count)} are too many: at most {_MOST_PLACES}")
    ids = {"zones": [zone.zone_id for zone in camera.zones], "lines": [line.line_id for line in camera.lines]}
    for field, named in ids.items():
        if len(set(named)) < len(named) or not all(named):
            yield Fault(field, "each needs an id of its own")


def _polygon_faults(field: str, corners_rel: Polygon) -> Iterator[Fault]:
    if not 3 <= len(corners_rel) <= _MOST_CORNERS:
        yield Fault(field, f"{len(corners_rel)} corners: a polygon has 3 to {_MOST_CORNERS}")
        return
    yield from _point_faults(field, corners_rel)
    polygon = np.array(corners_rel, np.float64)
    if crosses_itself(polygon):
        yield Fault(field, "its edges cross or touch: nobody could say what is inside")
    elif area(polygon) < _LEAST_AREA:
        yield Fault(field, "it encloses nothing")


def _line_faults(field: str, line: wm.Line) -> Iterator[Fault]:
    yield from _point_faults(field, (line.start_rel, line.end_rel))
    if np.hypot(line.end_rel[0] - line.start_rel[0], line.end_rel[1] - line.start_rel[1]) < _LEAST_LENGTH:
        yield Fault(field, "its start and its end are in the same place")


def _point_faults(field: str, points: Polygon) -> Iterator[Fault]:
    outside = [point for point in points if not (0 <= point[0] <= 1 and 0 <= point[1] <= 1)]
    if outside:
        x, y = outside[0]
        yield Fault(field, f"({x:g}, {y:g}) is outside the picture: coordinates are fractions from 0 to 1")
