"""One consolidation: what the gallery holds, regrouped under the constraints at the price that fits.

The price and the groups depend on one another (a price makes groups, the groups say which pairs are strangers,
the strangers make a price), so the two are settled in turn until they agree.
"""

from dataclasses import dataclass

import numpy as np

from ruid_core.identity.arrays import F32, F64, Flags, Ints, unit_rows
from ruid_core.identity.calibration import LEAST_SCALE, Calibration, CalibrationPriors, FreeLabels, calibrate
from ruid_core.identity.consolidation import cut, joins
from ruid_core.identity.constraints import overlapping, spans_conflicts
from ruid_core.identity.gallery import Gallery, Tracks
from ruid_core.identity.projection import Projection

SAMPLED_NODES = 512
MOST_ROUNDS = 8
SETTLED = 0.003
FREE_LABEL_PRIOR = 0.7
FREE_LABEL_PRIOR_TRACKS = 4
HIGHEST_START_SPREADS = 4.5


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """What is regrouped: every track, and every archive as one. `tracks` (T,) and `archives` (A,) are rows.

    `vectors` (T + A, D) are mean vectors, `weights` (T + A,) the tracks behind each, `identities` (T + A,) the
    present rows.
    """

    tracks: Ints
    archives: Ints
    vectors: F32
    weights: F64
    identities: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Regrouping:
    """`groups` (N,) of the nodes, and the calibration that they agree with."""

    groups: Ints
    calibration: Calibration


def gather(gallery: Gallery, *, most_archives: int) -> Nodes:
    """All tracks, and archives: of the identities that have tracks, then of those seen last."""
    tracks, identities = gallery.tracks, gallery.identities
    rows, archived = tracks.used(), gallery.archived()
    without_tracks = identities.counts[archived] == identities.archive_counts[archived]
    archived = archived[np.lexsort((-identities.seen_s[archived], without_tracks))][:most_archives]
    counts = identities.archive_counts[archived]
    return Nodes(
        rows,
        archived,
        np.concatenate([tracks.vectors[rows], identities.archive_sums[archived] / counts[:, None]]),
        np.concatenate([np.ones(len(rows)), counts.astype(np.float64)]),
        np.concatenate([tracks.identities[rows], archived]),
    )


def regroup(gallery: Gallery, nodes: Nodes, apart: Flags, priors: CalibrationPriors) -> Regrouping:
    """Group the nodes anew, never joining who is `apart` (N, N); nothing in the gallery changes."""
    similarities = nodes.vectors @ nodes.vectors.T
    count = len(similarities)
    sample = np.linspace(0, count - 1, min(count, SAMPLED_NODES)).astype(np.int64)
    sampled = similarities[sample]
    mean, spread = float(sampled.mean()), float(sampled.std())
    labels = free_labels(gallery.tracks, gallery.projection, mean)
    price = min(mean + HIGHEST_START_SPREADS * spread, labels.between(priors.largest_share))
    pairs, heights = joins(similarities, apart, nodes.weights, mean)
    calibration = Calibration(price, LEAST_SCALE)
    for _ in range(MOST_ROUNDS):
        groups = cut(count, pairs, heights, calibration.price)
        strangers = sampled[groups[sample][:, None] != groups[None]]
        before, calibration = calibration, calibrate(strangers, int(groups.max()) + 1, labels, priors)
        if abs(calibration.price - before.price) < SETTLED:
            break
    return Regrouping(cut(count, pairs, heights, calibration.price), calibration)


def recalibrate(gallery: Gallery, nodes: Nodes, priors: CalibrationPriors) -> Calibration:
    """The calibration that fits the present groups, at a fraction of the cost of regrouping: for a restart."""
    count = len(nodes.vectors)
    sample = np.linspace(0, count - 1, min(count, SAMPLED_NODES)).astype(np.int64)
    sampled = nodes.vectors[sample] @ nodes.vectors.T
    labels = free_labels(gallery.tracks, gallery.projection, float(sampled.mean()))
    strangers = sampled[nodes.identities[sample][:, None] != nodes.identities]
    return calibrate(strangers, len(np.unique(nodes.identities)), labels, priors)


def conflicts(gallery: Gallery, nodes: Nodes) -> Flags:
    """Which nodes cannot be the same person: (N, N)."""
    tracks, rows = gallery.tracks, nodes.tracks
    until_s = tracks.at_s[rows]
    apart = np.zeros((len(nodes.weights),) * 2, np.bool_)
    apart[: len(rows), : len(rows)] = overlapping(tracks.cameras[rows], tracks.started_s[rows], until_s)
    spans_conflicts(
        apart, gallery.spans, nodes.archives.tolist(), tracks.cameras[rows], tracks.started_s[rows], until_s
    )
    return apart


def free_labels(tracks: Tracks, projection: Projection, different: float) -> FreeLabels:
    """How alike the two halves (every other crop) of one track look, which are one person for certain."""
    rows = tracks.used()
    rows = rows[tracks.crops[rows] > 1]
    odd, cameras = tracks.odd_totals[rows], tracks.cameras[rows]
    halves = [projection.project(unit_rows(half), cameras) for half in (odd, tracks.totals[rows] - odd)]
    alike = float(np.einsum("nd,nd->", *halves)) + FREE_LABEL_PRIOR * FREE_LABEL_PRIOR_TRACKS
    return FreeLabels(alike / (len(rows) + FREE_LABEL_PRIOR_TRACKS), different)
