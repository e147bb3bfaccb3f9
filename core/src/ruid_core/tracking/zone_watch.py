"""Who is in which zone: a person is where the foot point is, and the edge of a zone does not flicker.

Somebody enters a zone by standing clearly inside (deeper than a margin in body heights) or by staying inside for a
moment, and leaves it the same way. Only people who are seen move; the unseen stay where they were last seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ruid_core.geometry.lines import Point
from ruid_core.geometry.polygons import depths


@dataclass(frozen=True, slots=True)
class Zone:
    """A polygon of at least three corners, in fractions of the picture's width and height."""

    zone_id: str
    corners_rel: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Foot:
    """Where somebody who is seen in this frame stands, and how tall the box above is, in pixels.

    `began_px` and `began_at_s` say where and when the track was seen first, which is before it was sure enough to be
    told; None where that is not known.
    """

    track_id: int
    at_px: Point
    height_px: float
    began_px: Point | None = None
    began_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay in a zone; `stay` counts a track's stays in that zone from 0. Unless `final`, it still goes on."""

    zone_id: str
    track_id: int
    stay: int
    entered_at_s: float
    left_at_s: float
    final: bool


@dataclass(frozen=True, slots=True)
class ZoneSettings:
    """`margin` in body heights; a stay that goes on is told again every `tell_every_s`."""

    margin: float = 0.1
    settled_after_s: float = 0.6
    tell_every_s: float = 10.0


@dataclass(slots=True)
class _Presence:
    """One track and one zone: `turned_at_s` is since when the foot point contradicts `inside`."""

    inside: bool = False
    turned_at_s: float | None = None
    entered_at_s: float = 0.0
    seen_at_s: float = 0.0
    told_at_s: float = 0.0
    stays: int = 0


class ZoneWatch:
    """Watches the zones of one camera; lives until they change, holds a record for each live track and zone."""

    def __init__(
        self, zones: Sequence[Zone], *, width_px: int, height_px: int, settings: ZoneSettings | None = None
    ) -> None:
        self._settings = settings or ZoneSettings()
        size_px = np.array([width_px, height_px], np.float64)
        self._size_px = size_px
        self._polygons = {zone.zone_id: np.array(zone.corners_rel, np.float64) * size_px for zone in zones}
        self._presences: dict[int, dict[str, _Presence]] = {}

    def see(self, feet: Sequence[Foot], *, at_s: float) -> tuple[Stay, ...]:
        """Take in a frame; return the stays that began, ended, or are due to be told again."""
        if not (feet and self._polygons):
            return ()
        # A box that the picture's lower edge cuts off has its foot on that edge; zones reach up to it.
        points = np.clip([foot.at_px for foot in feet], 0.25, self._size_px - 0.25)
        told: list[Stay] = []
        for zone_id, polygon in self._polygons.items():
            for foot, depth_px in zip(feet, depths(polygon, points).tolist(), strict=True):
                presence = self._presences.setdefault(foot.track_id, {}).setdefault(zone_id, _Presence())
                told += self._step(presence, zone_id, foot, depth_px, at_s)
        return tuple(told)

    def end(self, track_ids: Iterable[int]) -> tuple[Stay, ...]:
        """Forget tracks that have ended; return the stays that end with them, when they were last seen."""
        return tuple(
            _stay(zone_id, track_id, presence, presence.seen_at_s, final=True)
            for track_id in track_ids
            for zone_id, presence in self._presences.pop(track_id, {}).items()
            if presence.inside
        )

    def finish(self) -> tuple[Stay, ...]:
        """End every stay."""
        return self.end(tuple(self._presences))

    def zones_of(self, track_id: int) -> tuple[str, ...]:
        """Return the zones that a track is in."""
        presences = self._presences.get(track_id, {})
        return tuple(zone_id for zone_id, presence in presences.items() if presence.inside)

    def _step(self, presence: _Presence, zone_id: str, foot: Foot, depth_px: float, at_s: float) -> list[Stay]:
        presence.seen_at_s = at_s
        if (depth_px >= 0) == presence.inside:
            presence.turned_at_s = None
            return self._tell_again(presence, zone_id, foot.track_id, at_s)
        if presence.turned_at_s is None:
            presence.turned_at_s = at_s
        clear = abs(depth_px) >= self._settings.margin * foot.height_px
        if not (clear or at_s - presence.turned_at_s >= self._settings.settled_after_s):
            return []
        turned_at_s, presence.turned_at_s = presence.turned_at_s, None
        presence.inside = not presence.inside
        if presence.inside:
            presence.entered_at_s, presence.told_at_s = turned_at_s, at_s
            return [_stay(zone_id, foot.track_id, presence, at_s, final=False)]
        left = _stay(zone_id, foot.track_id, presence, turned_at_s, final=True)
        presence.stays += 1
        return [left]

    def _tell_again(self, presence: _Presence, zone_id: str, track_id: int, at_s: float) -> list[Stay]:
        if not presence.inside or at_s - presence.told_at_s < self._settings.tell_every_s:
            return []
        presence.told_at_s = at_s
        return [_stay(zone_id, track_id, presence, at_s, final=False)]


def _stay(zone_id: str, track_id: int, presence: _Presence, left_at_s: float, *, final: bool) -> Stay:
    return Stay(zone_id, track_id, presence.stays, presence.entered_at_s, left_at_s, final)
