"""Every threshold of the tracker, by name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Thresholds of a `Tracker`: durations in seconds, lengths in body heights (heights of the person's box).

    The defaults are meant for every camera and every frame rate; `docs/tracking.md` says how they were chosen.
    """

    sure_confidence: float = 0.6
    """From here on a detection may start a track, and chooses its track before the fainter ones."""
    faint_confidence: float = 0.1
    """Below this a detection is not looked at."""
    faint_within_s: float = 1.0
    """A faint detection only continues a track that was seen this recently."""

    box_margin: float = 0.3
    """Boxes are compared with this share of their width and height added on each side."""
    shape_weight: float = 0.55
    """Cost of comparing boxes whose heights differ by a factor of e; sharing no area at all costs 1."""
    sure_cost_limit: float = 0.9
    """Dearest pair of a track and a sure detection."""
    faint_cost_limit: float = 0.5
    """Dearest pair of a track and a faint detection."""
    repeat_overlap: float = 0.3
    """A sure detection that shares this much with one already given to a track does not start another."""

    confirmed_after_s: float = 0.15
    """A new track is reported once it has been seen for this long (and twice at least), and is either ..."""
    confirming_confidence: float = 0.65
    """... as sure as this on average, or ..."""
    confirming_walk: float = 0.5
    """... this far from where it began: furniture that resembles a person is never sure and never walks."""
    tentative_for_s: float = 0.5
    """A track not confirmed ends when it has not been seen for this long."""
    coasting_for_s: float = 3.0
    """A confirmed track ends when it has not been seen for this long."""
    reunion_reach: float = 1.5
    """A new track may be somebody hidden who was last seen this near, ..."""
    reunion_height: float = 0.25
    """... and whose height differs by less than a factor of e to this power."""
    max_tracks: int = 256
    """Tracks followed at the same time, those not confirmed included; the surest detections come in first."""

    position_noise: float = 0.05
    """Standard deviation of a detected box's centre."""
    size_noise: float = 0.1
    """Standard deviation of a detected box's width and height."""
    misfit_noise: float = 8.0
    """Noise variance grows by this factor for a box e times as wide or high as expected: cut off, or two people."""
    acceleration_noise: float = 0.3
    """Random change of velocity over one second, body heights per second."""
    size_drift: float = 0.05
    """Random change of width and height over one second."""
    starting_speed: float = 1.5
    """Standard deviation of a new track's velocity, body heights per second."""
