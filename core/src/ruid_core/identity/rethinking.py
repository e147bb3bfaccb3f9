"""A consolidation in steps: thought over from a snapshot while observations go on, adopted at once at its end."""

from dataclasses import dataclass

import numpy as np

from ruid_core.identity.arrays import Ints
from ruid_core.identity.calibration import Calibration
from ruid_core.identity.consolidation import names_for_groups
from ruid_core.identity.estimate import Links, measure_links
from ruid_core.identity.gallery import Gallery, Prepared
from ruid_core.identity.projection import Projection, learn_projection
from ruid_core.identity.regrouping import cameras_of_owners, conflicts, joined, likeness_of_halves, project, regroup
from ruid_core.identity.settings import IdentitySettings
from ruid_core.identity.snapshot import Snapshot, take_snapshot
from ruid_core.identity.steps import Steps
from ruid_core.identity.transit import Sighted, Timing, TransitTimes, lean_of_links, lean_on, learn_transits

NAMED_WEIGHT = 1e6  # whom an operator named keeps the id, however few the tracks


@dataclass(frozen=True, slots=True, eq=False)
class Thought:
    """What a consolidation came to: `groups` (N,) of the snapshot's nodes, and the name each group takes.

    `chosen` (G,) are the rows that identities had at the snapshot, -1 for somebody new.
    """

    projection: Projection
    prepared: Prepared
    calibration: Calibration
    groups: Ints
    chosen: Ints
    links: Links
    transits: TransitTimes


class Rethinking:
    """A consolidation under way. Take steps until one says that it is ready, then let the engine adopt it.

    Between the steps the engine may observe, and operators may correct: what changed since keeps its newer answer.
    """

    def __init__(self, gallery: Gallery, timing: Timing, *, settings: IdentitySettings, camera_count: int) -> None:
        most_archives = 2 * settings.most_tracks - len(gallery.tracks)
        self.snapshot = take_snapshot(gallery, most_archives=most_archives)
        self._steps = _think(gallery, self.snapshot, timing, settings, camera_count)
        self._thought: Thought | None = None

    @property
    def thought(self) -> Thought | None:
        """What it came to; None before it is ready."""
        return self._thought

    def step(self, work: int) -> bool:
        """Do about so much work, in elements touched (a million takes one to three milliseconds); whether ready."""
        done = 0
        while self._thought is None and done < work:
            try:
                done += next(self._steps)
            except StopIteration as ended:
                self._thought = ended.value
        return self._thought is not None


def _think(
    gallery: Gallery, snapshot: Snapshot, timing: Timing, settings: IdentitySettings, camera_count: int
) -> Steps[Thought]:
    """Of the gallery only archives are read, which it marks where they change."""
    tracks = len(snapshot.tracks)
    sighted = Sighted(timing.cameras, snapshot.started_s, snapshot.until_s)
    projection = yield from learn_projection(
        snapshot.totals, snapshot.crop_weights, snapshot.cameras, snapshot.identities[:tracks],
        priors=settings.projection, camera_count=camera_count,
    )  # fmt: skip
    vectors = yield from project(snapshot, projection)
    apart = yield from conflicts(snapshot, vectors)
    merged = yield from joined(vectors, snapshot.weights, apart, snapshot.owners)
    same = yield from likeness_of_halves(snapshot, projection)
    transits = yield from learn_transits(
        sighted, snapshot.identities[:tracks], vectors[:tracks], timing.calibration,
        camera_count=camera_count, priors=settings.transit,
    )  # fmt: skip
    lean = yield from lean_on(transits, sighted, snapshot.owners, timing.calibration.scale)
    cameras = cameras_of_owners(snapshot.owners, snapshot.cameras)
    regrouping = yield from regroup(*merged, lean, cameras, same, settings.calibration)
    groups, price = regrouping.groups[snapshot.owners], regrouping.calibration.price
    named = np.isin(snapshot.identities, list(snapshot.labels))
    chosen = names_for_groups(groups, snapshot.identities, np.where(named, NAMED_WEIGHT, 1.0) * snapshot.weights)
    yield 512 * len(groups)
    helped = yield from lean_of_links(lean, snapshot.owners[:tracks], groups[:tracks], snapshot.cameras)
    links = yield from measure_links(vectors[:tracks], groups[:tracks], snapshot.cameras, price - helped)
    prepared = yield from gallery.prepare(projection, snapshot.tracks, vectors[:tracks], epoch=snapshot.epoch)
    return Thought(projection, prepared, regrouping.calibration, groups, chosen, links, transits)
