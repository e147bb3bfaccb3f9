"""How long to wait before the next attempt to connect: soon for the first ones, and never in step with other nodes.

Decorrelated jitter: each wait is drawn between the shortest one and three times the last, so nodes that lost the hub
at one moment come back spread out. An attempt that nobody answered cost the hub nothing, because it is not there
yet: the waits stay short, so that a hub that starts again is found at once. One that it answered and that failed all
the same (it is full, or has no time) may wait longer. A no stands until a person changes it: the node asks again after
half a minute, and then less and less often.
"""

from numpy.random import Generator

SHORTEST_S = 0.1
LONGEST_UNANSWERED_S = 2.0
LONGEST_S = 10.0
FIRST_REFUSED_S = 30.0
LONGEST_REFUSED_S = 300.0
_GROWTH = 3.0


class Backoff:
    """The waits of one node; `reset` once it is connected."""

    def __init__(self, draw: Generator) -> None:
        self._draw = draw
        self.reset()

    def reset(self) -> None:
        """Begin again with short waits."""
        self._last_s = SHORTEST_S
        self._refused_s = FIRST_REFUSED_S

    def next_s(self, *, answered: bool) -> float:
        """How long to wait now (seconds); `answered` where the hub was there."""
        longest_s = LONGEST_S if answered else LONGEST_UNANSWERED_S
        self._last_s = min(longest_s, self._draw.uniform(SHORTEST_S, _GROWTH * self._last_s))
        return self._last_s

    def refused_s(self) -> float:
        """How long to wait after the hub has said no (seconds)."""
        wait_s, self._refused_s = self._refused_s, min(LONGEST_REFUSED_S, 2 * self._refused_s)
        return wait_s
