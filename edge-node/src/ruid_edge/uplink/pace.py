"""How fast to send what waits: the hub's word, so that many nodes that come back together do not drown it."""

_BURST_S = 0.25


class Pace:
    """Lives as long as one connection; without a rate everything may go at once."""

    def __init__(self, items_per_s: float | None, *, now_s: float) -> None:
        self._items_per_s = items_per_s if items_per_s and items_per_s > 0 else None
        self._most = max(1.0, (self._items_per_s or 0.0) * _BURST_S)
        self._allowed = self._most
        self._at_s = now_s

    def allowed(self, *, now_s: float) -> float:
        """How many items may go now."""
        if self._items_per_s is None:
            return float("inf")
        gained = max(0.0, now_s - self._at_s) * self._items_per_s
        self._allowed, self._at_s = min(self._most, self._allowed + gained), now_s
        return self._allowed

    def sent(self, items: int) -> None:
        """Count what went."""
        self._allowed -= items

    @property
    def next_in_s(self) -> float:
        """When another item may go, from the last look on."""
        return max(0.0, (1.0 - self._allowed) / self._items_per_s) if self._items_per_s else 0.0
