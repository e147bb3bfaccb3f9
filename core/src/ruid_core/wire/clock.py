"""How far the node's clock is from the hub's, from probes and their replies (as in NTP, RFC 5905 section 8).

A reply gives offset = hub − (sent + returned) / 2 with an error of at most half the round trip. The reply with
the shortest round trip of the last few is believed, because a long one was held up somewhere on one way only.
"""

from collections import deque
from dataclasses import dataclass

_KEPT = 8


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Add `offset_s` to the node's time to get the hub's; the truth lies within ± `error_s`."""

    offset_s: float
    error_s: float


class ClockEstimator:
    """Keeps the last few probes and says the best offset; lives as long as one connection."""

    def __init__(self) -> None:
        self._probes: deque[ClockOffset] = deque(maxlen=_KEPT)

    def learn(self, *, sent_at_s: float, hub_at_s: float, returned_at_s: float) -> None:
        """Take in one reply; one that seems to return before it was sent is ignored."""
        round_trip_s = returned_at_s - sent_at_s
        if round_trip_s < 0:
            return
        self._probes.append(ClockOffset(hub_at_s - (sent_at_s + returned_at_s) / 2, round_trip_s / 2))

    @property
    def best(self) -> ClockOffset | None:
        """The offset with the smallest error, or None before the first reply."""
        return min(self._probes, key=lambda probe: probe.error_s, default=None)
