"""Which tracks may be no more than a piece of somebody who is followed anyway.

Nobody comes into being in the middle of a picture. Whoever is first seen there right beside others came out from
behind them, or is the rest of a track that went over to somebody else. If such a track is over within seconds and did
not leave by the picture's edge, it says nothing about how many people there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import hypot

from ruid_core.tracking.tracker import Track

Box = tuple[float, float, float, float]

_PROVEN_AFTER_S = 3.0
"""Who is seen for so long is somebody; docs/tracking.md has figures."""
_BESIDE = 1.0
"""A new track is beside others whose middles are within so many of its heights."""
_EDGE = 0.02
"""A box this near the picture's edge (of its width or height) may be somebody who comes in or leaves."""


@dataclass(frozen=True, slots=True)
class Fragments:
    """Watches the tracks of one camera, from their first frame until they are forgotten.

    `followed` are all of them, `unproven` those that may be pieces, with the time when each began.
    """

    width_px: int
    height_px: int
    followed: set[int]
    unproven: dict[int, float]

    @classmethod
    def of_picture(cls, *, width_px: int, height_px: int) -> "Fragments":
        """Watch pictures of one size."""
        return cls(width_px, height_px, set(), {})

    def see(self, tracks: Sequence[Track]) -> None:
        """Take in one frame's tracks, those that are hidden as well."""
        for track in tracks:
            inside = self._is_inside(track.box_xyxy_px)
            if track.track_id not in self.followed:
                self.followed.add(track.track_id)
                if inside and _is_beside_others(track, tracks):
                    self.unproven[track.track_id] = track.started_at_s
            elif track.track_id in self.unproven and track.detection_index >= 0:
                seen_for_s = track.last_seen_at_s - self.unproven[track.track_id]
                if not inside or seen_for_s >= _PROVEN_AFTER_S:
                    del self.unproven[track.track_id]

    def cut_off(self, track_id: int, *, since_s: float) -> None:
        """Take in the rest of a track that shows somebody else since a time, under its id from now on."""
        if track_id not in self.followed:
            self.followed.add(track_id)
            self.unproven[track_id] = since_s

    def forget(self, track_ids: Iterable[int]) -> None:
        """Drop what is known of tracks that have ended."""
        for track_id in track_ids:
            self.followed.discard(track_id)
            self.unproven.pop(track_id, None)

    def _is_inside(self, box_xyxy_px: Box) -> bool:
        left, top, right, bottom = box_xyxy_px
        across, down = _EDGE * self.width_px, _EDGE * self.height_px
        return left > across and right < self.width_px - across and top > down and bottom < self.height_px - down


def _is_beside_others(track: Track, tracks: Sequence[Track]) -> bool:
    others = (other.box_xyxy_px for other in tracks if other.track_id != track.track_id)
    return any(_heights_between(track.box_xyxy_px, box) <= _BESIDE for box in others)


def _heights_between(box: Box, other: Box) -> float:
    """How far apart the middles of two boxes are, in heights of the first."""
    across, down = box[0] + box[2] - other[0] - other[2], box[1] + box[3] - other[1] - other[3]
    return hypot(across, down) / 2 / (box[3] - box[1])
