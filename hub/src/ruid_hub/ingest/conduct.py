"""How much a node may say, and what becomes of one that keeps talking nonsense.

Too much is no offence: the hub reads on when it is due again, and TCP slows the node down. Nonsense is: a connection
that the session has closed for abuse counts, and a node that has collected a few of those is kept out for a while.
"""

from collections import OrderedDict

MESSAGES_PER_S = 400.0
MESSAGES_AT_ONCE = 1000.0
BYTES_PER_S = 4e6
BYTES_AT_ONCE = 16e6
OFFENCES = 3
OFFENCES_WITHIN_S = 600.0
KEPT_OUT_S = 60.0
_NODES = 1000


class Allowance:
    """What one connection may still say; lives as long as the connection."""

    def __init__(self, *, now_s: float) -> None:
        self._messages = MESSAGES_AT_ONCE
        self._bytes = BYTES_AT_ONCE
        self._at_s = now_s

    def spend(self, size: int, *, now_s: float) -> float:
        """Take one message off; return for how long to read nothing (seconds), 0 almost always."""
        passed_s = max(0.0, now_s - self._at_s)
        self._at_s = now_s
        self._messages = min(MESSAGES_AT_ONCE, self._messages + passed_s * MESSAGES_PER_S) - 1
        self._bytes = min(BYTES_AT_ONCE, self._bytes + passed_s * BYTES_PER_S) - size
        return max(0.0, -self._messages / MESSAGES_PER_S, -self._bytes / BYTES_PER_S)


class Conduct:
    """Which nodes are kept out for now; bounded, the nodes longest without an offence are forgotten first."""

    def __init__(self) -> None:
        self._offences: OrderedDict[str, tuple[float, ...]] = OrderedDict()

    def offended(self, node_id: str, *, now_s: float) -> None:
        """A connection of this node was closed for abuse."""
        recent = (at_s for at_s in self._offences.pop(node_id, ()) if now_s - at_s < OFFENCES_WITHIN_S)
        self._offences[node_id] = (*recent, now_s)[-OFFENCES:]
        while len(self._offences) > _NODES:
            self._offences.popitem(last=False)

    def kept_out_s(self, node_id: str, *, now_s: float) -> float:
        """For how long this node is still kept out; 0 for everybody who behaves."""
        offences = self._offences.get(node_id, ())
        if len(offences) < OFFENCES or now_s - offences[0] > OFFENCES_WITHIN_S:
            return 0.0
        return max(0.0, offences[-1] + KEPT_OUT_S - now_s)
