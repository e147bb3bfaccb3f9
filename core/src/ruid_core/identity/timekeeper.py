"""What time says about a track: whose clocks to believe, and how the way from each person's nearest sighting fits."""

from dataclasses import dataclass, field
from itertools import starmap
from math import inf
from typing import NamedTuple

import numpy as np

from ruid_core.identity.arrays import Ints
from ruid_core.identity.clocks import CameraClocks
from ruid_core.identity.gallery import Tracks
from ruid_core.identity.transit import Seen, TransitTimes

NO_CAMERA = -1
MOST_ONE_BY_ONE = 48


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
        if len(rows) > MOST_ONE_BY_ONE:
            rows = self._nearest(tracks, row, rows)
        times = zip(
            *(values.tolist() for values in (self.believed(tracks, rows), tracks.started_s[rows], tracks.at_s[rows])),
            strict=True,
        )
        own = Seen(int(tracks.cameras[row]), float(tracks.started_s[row]), float(tracks.at_s[row]))
        found: dict[int, Way] = {}
        for identity, seen in zip(tracks.identities[rows].tolist(), starmap(Seen, times), strict=True):
            log_odds, gap_s = self.transits.of_two(own, seen)
            way = found.get(identity, NO_WAY_KNOWN)
            nearer = Way(log_odds, gap_s, seen.camera) if gap_s < way.gap_s else way
            found[identity] = nearer._replace(log_odds=-inf) if -inf in (log_odds, way.log_odds) else nearer
        return [found.get(identity, NO_WAY_KNOWN) for identity in identities]

    @staticmethod
    def _nearest(tracks: Tracks, row: int, rows: Ints) -> Ints:
        """The nearest in time to a track of `rows` (N,): only they have a say."""
        gaps_s = np.maximum(tracks.started_s[rows] - tracks.at_s[row], tracks.started_s[row] - tracks.at_s[rows])
        return np.sort(rows[np.argpartition(gaps_s, MOST_ONE_BY_ONE)[:MOST_ONE_BY_ONE]])
