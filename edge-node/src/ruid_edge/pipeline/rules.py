"""What is in force at a camera."""

from dataclasses import dataclass

from ruid_core.geometry.lines import Point
from ruid_core.tracking import Line, Zone
from ruid_edge.pipeline.thumbnails import ThumbnailPolicy


@dataclass(frozen=True, slots=True)
class CameraRules:
    """What holds for a camera; corners and ends in fractions of the picture.

    `masks_rel` are polygons that no model, crop, thumbnail or still may show. `detection_confidence` is how sure the
    detector must be for somebody new; None is the tracker's default. `frame_rate_fps` bounds how many frames are
    worked on; None is all of them. Pictures of a camera that hangs `upside_down` are turned by half a turn before
    anything else; coordinates are those of the turned picture.
    """

    thumbnails: ThumbnailPolicy = ThumbnailPolicy.BLURRED
    frame_rate_fps: float | None = None
    detection_confidence: float | None = None
    masks_rel: tuple[tuple[Point, ...], ...] = ()
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    upside_down: bool = False
