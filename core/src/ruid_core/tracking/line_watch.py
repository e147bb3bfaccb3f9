"""Who crosses which line, which way, and when: hysteresis against somebody who stands on it.

A track is on a side of a line once its foot point is clearly there (a margin in body heights). It has crossed when it
comes clearly to the other side and its path met the line between the line's ends; the time is when it met it last.
Somebody who walks round an end has changed sides and crossed nothing. A path begins where the track was seen first,
also when the line lay on the steps before it was told.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ruid_core.geometry.lines import Point, meeting, side
from ruid_core.tracking.zone_watch import Foot


@dataclass(frozen=True, slots=True)
class Line:
    """From start to end, in fractions of the picture; who goes from its left to its right goes in."""

    line_id: str
    start_rel: Point
    end_rel: Point


@dataclass(frozen=True, slots=True)
class Crossing:
    """`direction` is 1 for in and -1 for out."""

    line_id: str
    track_id: int
    direction: int
    at_s: float


@dataclass(frozen=True, slots=True)
class LineSettings:
    """`margin` in body heights: the foot of a box wavers by about half of it."""

    margin: float = 0.08


@dataclass(slots=True)
class _Approach:
    """One track and one line: the side it is clearly on (0: none yet), and where its path met the line last."""

    at_px: Point
    at_s: float
    side: int = 0
    met_at_s: float = 0.0
    met_between_ends: bool = False


class LineWatch:
    """Watches the lines of one camera; lives until they change, holds a record for each live track and line."""

    def __init__(
        self, lines: Sequence[Line], *, width_px: int, height_px: int, settings: LineSettings | None = None
    ) -> None:
        self._settings = settings or LineSettings()
        self._ends_px = {
            line.line_id: (
                (line.start_rel[0] * width_px, line.start_rel[1] * height_px),
                (line.end_rel[0] * width_px, line.end_rel[1] * height_px),
            )
            for line in lines
        }
        self._approaches: dict[int, dict[str, _Approach]] = {}
        self._since_s = math.inf

    def see(self, feet: Sequence[Foot], *, at_s: float) -> tuple[Crossing, ...]:
        """Take in a frame; return the crossings that are now certain."""
        self._since_s = min(self._since_s, at_s)
        steps = (self._step(foot, line_id, at_s) for foot in feet for line_id in self._ends_px)
        return tuple(crossing for crossing in steps if crossing is not None)

    def end(self, track_ids: Iterable[int]) -> None:
        """Forget tracks that have ended."""
        for track_id in track_ids:
            self._approaches.pop(track_id, None)

    def hand_over(self, track_id: int, to: int) -> None:
        """What was followed as one track goes on as another; one that is known goes on from where it was itself."""
        self._approaches.setdefault(to, self._approaches.pop(track_id, {}))

    def _step(self, foot: Foot, line_id: str, at_s: float) -> Crossing | None:
        start, end = self._ends_px[line_id]
        approaches = self._approaches.setdefault(foot.track_id, {})
        approach = approaches.setdefault(line_id, self._begin(foot, line_id, at_s))
        met = meeting(approach.at_px, foot.at_px, start=start, end=end)
        if met is not None:
            approach.met_at_s = approach.at_s + met.share * (at_s - approach.at_s)
            approach.met_between_ends = met.between_ends
        approach.at_px, approach.at_s = foot.at_px, at_s
        return self._arrive(approach, self._side(foot.at_px, foot, line_id), line_id, foot.track_id)

    def _begin(self, foot: Foot, line_id: str, at_s: float) -> _Approach:
        """Return where the path begins; nobody has crossed a line before it was there."""
        if foot.began_px is None or foot.began_at_s < self._since_s:
            return _Approach(foot.at_px, at_s)
        return _Approach(foot.began_px, foot.began_at_s, self._side(foot.began_px, foot, line_id))

    def _side(self, point_px: Point, foot: Foot, line_id: str) -> int:
        """Return 1 clearly to the line's right, -1 clearly to its left, and 0 in between."""
        start, end = self._ends_px[line_id]
        distance_px = side(point_px, start=start, end=end)
        if abs(distance_px) < self._settings.margin * foot.height_px:
            return 0
        return 1 if distance_px > 0 else -1

    def _arrive(self, approach: _Approach, now_on: int, line_id: str, track_id: int) -> Crossing | None:
        came_from, approach.side = approach.side, now_on or approach.side
        if now_on == 0 or came_from != -now_on or not approach.met_between_ends:
            return None
        return Crossing(line_id, track_id, now_on, approach.met_at_s)
