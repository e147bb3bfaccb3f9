"""Detections of one camera become tracks."""

from ruid_core.tracking.errors import TrackingError
from ruid_core.tracking.settings import TrackerSettings
from ruid_core.tracking.tracker import Track, Tracker, TrackerStep

__all__ = ["Track", "Tracker", "TrackerSettings", "TrackerStep", "TrackingError"]
