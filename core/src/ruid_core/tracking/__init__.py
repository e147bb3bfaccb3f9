"""Detections of one camera become tracks; tracks cross lines and stay in zones."""

from ruid_core.tracking.errors import TrackingError
from ruid_core.tracking.line_watch import Crossing, Line, LineWatch
from ruid_core.tracking.settings import TrackerSettings
from ruid_core.tracking.tracker import Track, Tracker, TrackerStep
from ruid_core.tracking.zone_watch import Foot, Stay, Zone, ZoneWatch

__all__ = [
    "Crossing",
    "Foot",
    "Line",
    "LineWatch",
    "Stay",
    "Track",
    "Tracker",
    "TrackerSettings",
    "TrackerStep",
    "TrackingError",
    "Zone",
    "ZoneWatch",
]
