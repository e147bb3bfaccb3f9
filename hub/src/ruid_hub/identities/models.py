"""Notices when a site's nodes have come to embed with another model."""

from collections import deque

LATEST = 64
LEAST = 8
SHARE = 0.75
"""Far from a half: where half of the nodes were updated and half were not, every change back would cost all names."""


class ModelWatch:
    """Which models the latest embeddings are of; give it all of them, those that are refused included."""

    def __init__(self) -> None:
        self._latest: deque[str] = deque(maxlen=LATEST)

    def notice(self, model_id: str) -> None:
        """Take one piece of evidence in."""
        self._latest.append(model_id)

    def has_become(self, model_id: str) -> bool:
        """Whether nearly all of the latest evidence, and not just a few pieces, is of this model."""
        pieces = self._latest.count(model_id)
        return pieces >= max(LEAST, SHARE * len(self._latest))
