"""One camera's zones and lines, for one size of its picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from ruid_core.tracking import Crossing, Foot, LineWatch, Stay, Track, ZoneWatch
from ruid_edge.pipeline.rules import CameraRules


@dataclass(frozen=True, slots=True)
class PlaceStep:
    """What happened at the zones and lines in one frame."""

    crossings: tuple[Crossing, ...] = ()
    stays: tuple[Stay, ...] = ()


class Places:
    """Lives until the zones or lines change, or the picture's size does."""

    def __init__(self, rules: CameraRules, *, width_px: int, height_px: int) -> None:
        self._zones = ZoneWatch(rules.zones, width_px=width_px, height_px=height_px)
        self._lines = LineWatch(rules.lines, width_px=width_px, height_px=height_px)

    def see(self, seen: Sequence[Track], *, ended_track_ids: Sequence[int], at_s: float) -> PlaceStep:
        """Take in the tracks that are seen in this frame, and those that ended with it."""
        feet = [_foot(track) for track in seen]
        crossings = self._lines.see(feet, at_s=at_s)
        stays = self._zones.see(feet, at_s=at_s)
        self._lines.end(ended_track_ids)
        return PlaceStep(crossings, stays + self._zones.end(ended_track_ids))

    def hand_over(self, track_id: int, to: int) -> tuple[Stay, ...]:
        """Go on with a track as another, who stays anew in zones; return the stays that end."""
        self._lines.hand_over(track_id, to)
        return self._zones.end((track_id,))

    def zones_of(self, track_id: int) -> tuple[str, ...]:
        """Return the zones that a track is in."""
        return self._zones.zones_of(track_id)

    def finish(self) -> tuple[Stay, ...]:
        """End every stay."""
        return self._zones.finish()


def _foot(track: Track) -> Foot:
    height_px = track.box_xyxy_px[3] - track.box_xyxy_px[1]
    return Foot(track.track_id, track.foot_xy_px, height_px, track.began_foot_xy_px, track.started_at_s)
