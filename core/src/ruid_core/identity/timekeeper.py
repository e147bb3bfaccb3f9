"""What time says about a track: whose clocks to believe, and how the way from each person's nearest sighting fits."""

from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

import numpy as np

from ruid_core.identity.arrays import Ints
from ruid_core.identity.clocks import CameraClocks
from ruid_core.identity.gallery import Tracks
from ruid_core.identity.transit import Sighted, TransitTimes

NO_CAMERA = -1


class Way(NamedTuple):
    """From somebody's nearest sighting to a track: what it speaks for "the same" in log-odds, how long, from where."""

    log_odds: float
    gap_s: float
    camera: int


NO_WAY_KNOWN = Way(0.0, inf, NO_CAMERA)


@dataclass(slots=True)
class Timekeeper:
    """Owns the cameras' clocks and what was learned of the ways between them."""

    clocks: CameraClocks
    transits: TransitTimes = field(default_factory=TransitTimes.unknown)
    untimed: set[str] = field(default_factory=set[str])

    def hear(self, camera: str, track: str, at_s: float, tracks: Tracks, cameras: dict[str, int]) -> None:
        """A track has been seen, at a time that was checked."""
        for jumped, since_s in self.clocks.advance(camera, at_s):
            since = (tracks.cameras == cameras[jumped]) & (tracks.at_s >= since_s)
            self.untimed.update(tracks.names[row] for row in np.flatnonzero(since).tolist())
        if camera in self.clocks.out_of_step:
            self.untimed.add(track)

    def believed(self, tracks: Tracks, rows: Ints) -> Ints:
        """The cameras (N,) of tracks, -1 where their clock was not right. Forgets about tracks that are gone."""
        self.untimed &= tracks.rows.keys()
        cameras = tracks.cameras[rows].copy()
        if self.untimed:
            cameras[np.isin(rows, [tracks.rows[track] for track in self.untimed])] = NO_CAMERA
        return cameras

    def ways(self, tracks: Tracks, row: int, identities: list[int]) -> list[Way]:
        """How each of the identities' nearest sighting lies to a track; the impossible has minus infinity."""
        if not self.transits or tracks.names[row] in self.untimed:
            return [NO_WAY_KNOWN] * len(identities)
        sought = np.zeros(len(tracks.identities), np.bool_)
        for identity in identities:
            sought |= tracks.identities == identity
        sought[row] = False
        rows = np.flatnonzero(sought)
        sighted = Sighted(self.believed(tracks, rows), tracks.started_s[rows], tracks.at_s[rows])
        own = slice(row, row + 1)
        one = Sighted(tracks.cameras[own], tracks.started_s[own], tracks.at_s[own])
        log_odds, gaps_s = (of_one[0] for of_one in self.transits.between(one, sighted))
        whose, impossible = tracks.identities[rows], log_odds == -inf
        ways = [NO_WAY_KNOWN] * len(identities)
        for slot, identity in enumerate(identities):
            theirs = np.flatnonzero(whose == identity)
            if len(theirs):
                nearest = int(theirs[gaps_s[theirs].argmin()])
                speaks = -inf if impossible[theirs].any() else float(log_odds[nearest])
                ways[slot] = Way(speaks, float(gaps_s[nearest]), int(sighted.cameras[nearest]))
        return ways
