"""What can be wrong with the numbers given to a tracker."""


class TrackingError(ValueError):
    """The detections or the time given to a tracker cannot be used; the tracker is as it was before the call."""
