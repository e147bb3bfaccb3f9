"""Every threshold of the tracker, by name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Thresholds of a `Tracker`; durations in seconds, lengths in body heights (box heights).

    The defaults are meant for every camera and frame rate.
    """

    sure_confidence: float = 0.6
    """From here on a detection may start a track, and chooses its track first."""
    faint_confidence: float = 0.1
    """Below this a detection is not looked at."""
    least_overlap_sure: float = 0.15
    """Least overlap (IoU) of a predicted box and a sure detection of the same person."""
    least_overlap_faint: float = 0.4
    """The same for a faint detection."""
    confirmed_after_s: float = 0.15
    """A track is reported once it has been seen twice over at least this long."""
    tentative_for_s: float = 0.5
    """A track that is not confirmed ends when it has not been seen for this long."""
    coasting_for_s: float = 3.0
    """A confirmed track ends when it has not been seen for this long."""
    faint_within_s: float = 1.0
    """Only tracks seen this recently take faint detections."""
    max_tracks: int = 256
    """Tracks followed at the same time, tentative ones included; surer detections are taken first."""
    position_noise: float = 0.05
    """Standard deviation of a detected box's centre."""
    size_noise: float = 0.1
    """Standard deviation of a detected box's width and height."""
    acceleration_noise: float = 0.3
    """Random change of velocity, body heights per second, over one second."""
    size_drift: float = 0.2
    """Random change of width and height over one second."""
    starting_speed: float = 1.5
    """Standard deviation of a new track's velocity, body heights per second."""
