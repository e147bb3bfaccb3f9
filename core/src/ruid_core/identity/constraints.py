"""Who cannot be the same person.

Two tracks of one camera that overlap in time are two people, for ever. A track that has been folded away leaves
its time behind with its identity, as one span per camera: wider than the truth at worst, so the rule holds.
"""

from dataclasses import dataclass, field

import numpy as np

from ruid_core.identity.arrays import F64, Flags, Ints


def overlapping(cameras: Ints, started_s: F64, until_s: F64) -> Flags:
    """Which of N tracks overlap in time in one camera: (N, N), false on the diagonal."""
    overlap = cameras[:, None] == cameras[None]
    overlap &= started_s[:, None] <= until_s[None]
    overlap &= started_s[None] <= until_s[:, None]
    np.fill_diagonal(overlap, val=False)
    return overlap


@dataclass(slots=True)
class ArchivedSpans:
    """From when to when each camera saw each identity's folded tracks."""

    spans_s: dict[int, dict[int, tuple[float, float]]] = field(
        default_factory=dict[int, dict[int, tuple[float, float]]]
    )
    until_s: dict[int, float] = field(default_factory=dict[int, float])

    def add(self, camera: int, identity: int, started_s: float, until_s: float) -> None:
        """Widen the span of an identity in a camera."""
        of_camera = self.spans_s.setdefault(camera, {})
        before = of_camera.get(identity, (started_s, until_s))
        of_camera[identity] = (min(before[0], started_s), max(before[1], until_s))
        self.until_s[camera] = max(self.until_s.get(camera, until_s), until_s)

    def of(self, identity: int) -> list[tuple[int, float, float]]:
        """Camera, start and end of every span of an identity."""
        return [(camera, *spans[identity]) for camera, spans in self.spans_s.items() if identity in spans]

    def drop(self, identity: int) -> None:
        """Forget an identity."""
        for spans in self.spans_s.values():
            spans.pop(identity, None)

    def overlaps(self, identity: int, camera: int, started_s: float, until_s: float) -> bool:
        """Whether the identity's span in the camera overlaps the given time."""
        span = self.spans_s.get(camera, {}).get(identity)
        return span is not None and span[0] <= until_s and started_s <= span[1]

    def overlapped(self, camera: int, started_s: float, until_s: float) -> list[int]:
        """Identities whose span in the camera overlaps the given time."""
        if started_s > self.until_s.get(camera, -np.inf):
            return []
        spans = self.spans_s[camera].items()
        return [identity for identity, (first_s, last_s) in spans if first_s <= until_s and started_s <= last_s]
