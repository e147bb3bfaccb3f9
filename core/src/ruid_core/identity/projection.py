"""From a camera's embeddings to a space where one similarity means the same everywhere.

Most of a camera's colour cast and viewpoint sits in its mean embedding, so that is taken away; what people of
the site have in common (work clothes, winter coats) makes some directions useless, so the rest is whitened by
the site's own covariance. Both are shrunk towards doing nothing while few people have been seen, and both
weigh people, not tracks, so that one person who walks past all day does not become the mean.
"""

from dataclasses import dataclass

import numpy as np

from ruid_core.identity.arrays import F32, F64, Ints, group_sums, unit_row, unit_rows
from ruid_core.identity.steps import IN_PRODUCT, Steps, blocks

COARSE_AXES = 48


@dataclass(frozen=True, slots=True)
class ProjectionPriors:
    """How many people's worth of doing nothing each estimate starts with."""

    site_mean_people: float = 4.0
    camera_mean_people: float = 8.0
    whitening_people: float = 4.0
    whitening_floor: float = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """`means` is (C + 1, D), the last row for cameras not seen while learning; `axes` is (D, D) or (0, 0).

    `coarse` (D, R) are the few directions in which people differ most, for a first look at many.
    """

    means: F32
    axes: F32
    coarse: F32

    @classmethod
    def identity(cls, dim: int) -> "Projection":
        """The projection that does nothing, for an empty site."""
        return cls(*(np.zeros(shape, np.float32) for shape in ((1, dim), (0, 0), (dim, 0))))

    def project(self, rows: F32, cameras: Ints) -> F32:
        """Unit rows (N, D) of the new space, from raw embeddings (N, D) of `cameras` (N,)."""
        return self.whiten(self.centre(rows, cameras))

    def project_one(self, row: F32, camera: int) -> F32:
        """As `project`, for one row (D,), at a third of the cost."""
        centred = unit_row(row - self.means[min(camera, len(self.means) - 1)])
        return unit_row(centred @ self.axes) if len(self.axes) else centred

    def centre(self, rows: F32, cameras: Ints) -> F32:
        """The first half of `project`: unit rows without what is common to a camera's pictures."""
        known = np.minimum(cameras, len(self.means) - 1)
        return unit_rows(rows - self.means[known])

    def whiten(self, centred: F32) -> F32:
        """The second half of `project`: unit rows from centred unit rows."""
        return unit_rows(centred @ self.axes) if len(self.axes) else centred


def learn_projection(
    totals: F32, weights: F32, cameras: Ints, people: Ints, *, priors: ProjectionPriors, camera_count: int
) -> Steps[Projection]:
    """Learn from tracks' totals (N, D) over weights (N,), their cameras (N,) and who they are believed to be (N,)."""
    _, people = np.unique(people, return_inverse=True)
    rows = totals / weights[:, None]
    yield 2 * rows.size
    means = yield from _camera_means(rows, cameras, people, priors, camera_count)
    centred = unit_rows(rows - means[cameras])
    yield 4 * rows.size
    axes = yield from _whitening_axes(centred, people, priors)
    return Projection(means, *axes)


def _camera_means(rows: F32, cameras: Ints, people: Ints, priors: ProjectionPriors, camera_count: int) -> Steps[F32]:
    pairs, pair_of, sizes = np.unique(people * camera_count + cameras, return_inverse=True, return_counts=True)
    pair_means = group_sums(rows, pair_of, len(pairs)) / sizes[:, None].astype(np.float32)
    yield 4 * rows.size
    site = pair_means.sum(axis=0) / (len(pairs) + priors.site_mean_people)
    pair_cameras = pairs % camera_count
    counts = np.bincount(pair_cameras, minlength=camera_count + 1).astype(np.float32)[:, None]
    sums = group_sums(pair_means, pair_cameras, camera_count + 1)
    yield 4 * pair_means.size
    prior = np.float32(priors.camera_mean_people)
    return ((sums + prior * site) / (counts + prior)).astype(np.float32)


def _whitening_axes(centred: F32, people: Ints, priors: ProjectionPriors) -> Steps[tuple[F32, F32]]:
    """A symmetric (D, D) matrix, in which directions that nobody differs in keep their scale, and the coarse axes."""
    tracks = np.bincount(people)
    dim = centred.shape[1]
    weighted = centred / np.sqrt(tracks[people] * len(tracks))[:, None].astype(np.float32)
    yield 2 * centred.size
    variances, axes = yield from _principal_axes(weighted)
    floor = priors.whitening_floor + priors.whitening_people * _shrinkage(variances, dim, len(tracks))
    level = floor * float(variances.sum()) / dim
    scales = 1.0 / np.sqrt(variances + level)
    base = 1.0 / np.sqrt(level)
    matrix = np.eye(dim) * base + (axes * (scales - base)) @ axes.T
    return (matrix / base).astype(np.float32), np.ascontiguousarray(axes[:, -COARSE_AXES:], np.float32)


def _principal_axes(weighted: F32) -> Steps[tuple[F64, F64]]:
    """Variances (R,) and axes (D, R) of rows (N, D), through the smaller of the two Gram matrices."""
    count, dim = weighted.shape
    if count >= dim:
        gram = np.zeros((dim, dim))
        for block in blocks(count, dim * dim // IN_PRODUCT):
            rows = weighted[block].astype(np.float64)
            gram += rows.T @ rows
            yield len(rows) * dim * dim // IN_PRODUCT
        variances, axes = np.linalg.eigh(gram)
        yield dim**3
        return np.maximum(variances, 0.0), axes
    rows = weighted.astype(np.float64)
    variances, mixtures = np.linalg.eigh(rows @ rows.T)
    yield count**3
    kept = variances > 1e-9 * max(float(variances[-1]), 1e-12)
    variances, mixtures = variances[kept], mixtures[:, kept]
    return variances, rows.T @ mixtures / np.sqrt(variances)


def _shrinkage(variances: F64, dim: int, people: int) -> float:
    """Oracle approximating shrinkage (Chen, Wiesel, Eldar, Hero 2010), as a share of the mean variance to add."""
    total = float(variances.sum())
    squares = float(variances @ variances)
    above = (1.0 - 2.0 / dim) * squares + total * total
    below = (people + 1.0 - 2.0 / dim) * (squares - total * total / dim)
    share = min(0.95, above / max(below, 1e-12))
    return share / (1.0 - share)
