"""One consolidation: what a snapshot holds, regrouped under the constraints at the price that fits.

The price and the groups depend on one another (a price makes groups, the groups say which pairs are strangers,
the strangers make a price), so the two are settled in turn until they agree.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ruid_core.identity.arrays import F32, F64, Flags, Ints, group_sums, unit_rows
from ruid_core.identity.calibration import (
    BINS,
    LEAST_SCALE,
    Calibration,
    CalibrationPriors,
    FreeLabels,
    Histogram,
    binned,
    calibrate,
    first_price,
    least_price,
)
from ruid_core.identity.consolidation import affinities, cut, joins
from ruid_core.identity.fellows import Fellows
from ruid_core.identity.projection import Projection
from ruid_core.identity.snapshot import Sightings, Snapshot, sightings
from ruid_core.identity.steps import IN_PRODUCT, Steps, blocks

SAMPLED_NODES = 512
MOST_ROUNDS = 8
SETTLED = 0.003
FREE_LABEL_PRIOR = 0.7
FREE_LABEL_PRIOR_TRACKS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Regrouping:
    """`groups` (N,) of the nodes, and the calibration that they agree with."""

    groups: Ints
    calibration: Calibration


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Similarities of some nodes, `rows` (S,), with all N: their `bins` (S, N), and their mean."""

    rows: Ints
    bins: NDArray[np.uint16]
    everybody: Histogram
    mean: float


def project(snapshot: Snapshot, projection: Projection) -> Steps[F32]:
    """The vectors (N, D) of the nodes in the space of a projection."""
    count, dim = snapshot.totals.shape
    vectors = np.empty((len(snapshot.weights), dim), np.float32)
    each = dim * (8 + len(projection.axes) // IN_PRODUCT)
    for block in blocks(count, each):
        means = snapshot.totals[block] / snapshot.crop_weights[block, None]
        vectors[block] = projection.project(means, snapshot.cameras[block])
        yield (block.stop - block.start) * each
    for block in blocks(len(snapshot.archives), each):
        sums, counts = snapshot.archive_sums[block], snapshot.weights[count:][block].astype(np.float32)
        agreement = np.sqrt(np.einsum("nd,nd->n", sums, sums)) / counts
        whitened = projection.whiten(unit_rows(snapshot.archived[block]))
        vectors[count + block.start : count + block.stop] = whitened * agreement[:, None]
        yield (block.stop - block.start) * each
    return vectors


def conflicts(snapshot: Snapshot, vectors: F32) -> Steps[Flags]:
    """Which nodes cannot be the same person: (N, N)."""
    apart, seen = np.zeros((len(vectors),) * 2, np.bool_), sightings(snapshot)
    yield 64 * len(seen.nodes)
    for camera in np.unique(seen.cameras).tolist():
        yield from _seen_together(apart, seen, camera)
    np.fill_diagonal(apart, val=False)
    for left, right in snapshot.rifts:
        apart[np.ix_(left, right)] = apart[np.ix_(right, left)] = True
    _keep_labels_apart(apart, snapshot, vectors)
    yield len(vectors)
    return apart


def _seen_together(apart: Flags, seen: Sightings, camera: int) -> Steps[None]:
    own = np.flatnonzero(seen.cameras == camera)
    nodes, started_s, until_s = seen.nodes[own], seen.started_s[own], seen.until_s[own]
    for block in blocks(len(own), 16 * len(own)):
        overlap = started_s[block, None] <= until_s
        overlap &= started_s <= until_s[block, None]
        apart[np.ix_(nodes[block], nodes)] |= overlap
        yield 16 * overlap.size


def _keep_labels_apart(apart: Flags, snapshot: Snapshot, vectors: F32) -> None:
    """People with different names are never joined by themselves: the most typical node of each stands for it."""
    anchors: list[int] = []
    labels: list[str] = []
    for identity, label in snapshot.labels.items():
        own = np.flatnonzero(snapshot.identities == identity)
        if len(own):
            weighted = vectors[own] * snapshot.weights[own, None].astype(np.float32)
            anchors.append(int(own[(weighted @ weighted.sum(axis=0)).argmax()]))
            labels.append(label)
    different = np.array(labels)[:, None] != np.array(labels)[None]
    apart[np.ix_(anchors, anchors)] |= different


def joined(vectors: F32, weights: F64, apart: Flags, owners: Ints) -> Steps[tuple[F32, F64, Flags]]:
    """Vectors, weights and conflicts of the nodes, with those of one owner (N,) made one."""
    count = int(owners.max()) + 1
    if count == len(owners):
        return vectors, weights, apart
    firsts, sizes = np.unique(owners, return_index=True, return_counts=True)[1:]
    for owner in np.flatnonzero(sizes > 1).tolist():
        clash = apart[owners == owner].any(axis=0)
        apart[firsts[owner]] |= clash
        apart[:, firsts[owner]] |= clash
        yield int(sizes[owner] + 8) * len(owners)
    together = np.bincount(owners, weights).astype(np.float64)
    sums = group_sums(vectors * weights[:, None].astype(np.float32), owners, count)
    yield 4 * vectors.size
    merged = np.empty((count, count), np.bool_)
    for block in blocks(count, len(owners)):
        merged[block] = apart[firsts[block]][:, firsts]
        yield merged[block].size
    np.fill_diagonal(merged, val=False)
    return sums / together[:, None].astype(np.float32), together, merged


def cameras_of_owners(owners: Ints, cameras: Ints) -> Ints:
    """The camera of each owner (N,) that is one track of the first T, from `cameras` (T,); -1 for others."""
    seen = np.full(int(owners.max()) + 1, -1, np.int64)
    seen[owners[: len(cameras)]] = cameras
    seen[np.bincount(owners) > 1] = -1
    return seen


def regroup(
    vectors: F32, weights: F64, apart: Flags, lean: F32, cameras: Ints, same: float, priors: CalibrationPriors
) -> Steps[Regrouping]:
    """Group the nodes anew, never joining who is `apart` (N, N). `same` is how alike the crops of one track are.

    `lean` (N, N) is what speaks for two being one beside their looks, as a similarity. `cameras` (N,) has -1 for a
    node of more than one track.
    """
    sample = yield from _sample(vectors)
    labels = FreeLabels(same, sample.mean)
    price = first_price(sample.everybody, labels, priors)
    stop = max(sample.mean, min(price, same - priors.largest_drop))
    work = yield from affinities(vectors, apart)
    for block in blocks(len(work), len(work)):
        work[block] += lean[block]
        yield work[block].size
    pairs, heights = yield from joins(work, weights, stop)
    across = (yield from _pairs(sample, cut(len(vectors), pairs, heights, price), cameras))[1]
    floor = least_price(across, labels, price, priors)
    calibration = Calibration(price, LEAST_SCALE)
    for _ in range(MOST_ROUNDS):
        groups = cut(len(vectors), pairs, heights, calibration.price)
        yield 128 * len(vectors)
        strangers = (yield from _pairs(sample, groups, cameras))[0]
        before, calibration = calibration, calibrate(strangers, int(groups.max()) + 1, labels, priors, floor=floor)
        if abs(calibration.price - before.price) < SETTLED:
            break
    return Regrouping(cut(len(vectors), pairs, heights, calibration.price), calibration)


def recalibrate(
    vectors: F32, identities: Ints, cameras: Ints, same: float, priors: CalibrationPriors
) -> Steps[Calibration]:
    """The calibration that fits the present groups, at a fraction of the cost of regrouping: for a restart."""
    sample = yield from _sample(vectors)
    strangers, across = yield from _pairs(sample, identities, cameras)
    labels = FreeLabels(same, sample.mean)
    floor = least_price(across, labels, first_price(sample.everybody, labels, priors), priors)
    return calibrate(strangers, len(np.unique(identities)), labels, priors, floor=floor)


def _sample(vectors: F32) -> Steps[Sample]:
    count, dim = vectors.shape
    sampled = min(count, SAMPLED_NODES)
    rows: Ints = np.arange(sampled, dtype=np.int64) * (count - 1) // max(1, sampled - 1)
    bins = np.empty((len(rows), count), np.uint16)
    counts = np.zeros(BINS, np.int64)
    total = 0.0
    for block in blocks(len(rows), count * (4 + dim // IN_PRODUCT)):
        similarities = vectors[rows[block]] @ vectors.T
        total += float(similarities.sum(dtype=np.float64))
        bins[block] = binned(similarities)
        counts += np.bincount(bins[block].ravel(), minlength=BINS)
        yield similarities.size * (4 + dim // IN_PRODUCT)
    return Sample(rows, bins, Histogram(counts), total / bins.size)


def _pairs(sample: Sample, groups: Ints, cameras: Ints) -> Steps[tuple[Histogram, Histogram]]:
    """The similarities of the sample's pairs that are not in one group (N,), and of those linked across cameras (N,).

    A pair with a camera of -1 counts for neither side of a crossing.
    """
    counts, across = sample.everybody.counts.copy(), np.zeros(BINS, np.int64)
    fellows = Fellows.of(groups, sample.rows)
    for block in fellows.blocks():
        ones, others = fellows.pairs(block)
        linked = sample.bins[block][ones, others]
        counts -= np.bincount(linked, minlength=BINS)
        own = cameras[sample.rows[block]][ones]
        crossing = (own != cameras[others]) & (own >= 0) & (cameras[others] >= 0)
        across += np.bincount(linked[crossing], minlength=BINS)
        yield 8 * len(linked) + 2 * BINS
    return Histogram(counts), Histogram(across)


def likeness_of_halves(snapshot: Snapshot, projection: Projection) -> Steps[float]:
    """How alike the two halves (every other crop) of one track look, which are one person for certain."""
    count, dim = snapshot.odd_totals.shape
    alike = FREE_LABEL_PRIOR * FREE_LABEL_PRIOR_TRACKS
    each = 2 * dim * (8 + len(projection.axes) // IN_PRODUCT)
    for block in blocks(count, each):
        own, odd = snapshot.several[block], snapshot.odd_totals[block]
        cameras, halves = snapshot.cameras[own], (odd, snapshot.totals[own] - odd)
        halves = [projection.project(unit_rows(half), cameras) for half in halves]
        alike += float(np.einsum("nd,nd->", *halves))
        yield len(cameras) * each
    return alike / (count + FREE_LABEL_PRIOR_TRACKS)
