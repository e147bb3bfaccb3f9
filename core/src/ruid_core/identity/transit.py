"""How long people take from camera to camera, learned from links that their looks alone make certain.

Every pair of sightings is a way: from one camera to another, with a gap between the end of the one and the start of
the other. How much oftener a gap occurs between sightings of one person than between those of strangers says how much
time speaks for "the same", in log-odds. Counts are gamma-Poisson: the site's gaps are shrunk towards "time tells
nothing", those of a pair of cameras towards the site's, so that an opinion takes evidence. Only the gap counts, not
which cameras are easier to be recognised in.

Nothing is kept but what is learned from the tracks that are remembered: whatever is revised, undone or restored is
in the next lesson as it is then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import frexp, inf
from typing import NamedTuple

import numpy as np

from ruid_core.identity.arrays import F32, F64, Ints, group_sums
from ruid_core.identity.calibration import Calibration
from ruid_core.identity.fellows import Fellows
from ruid_core.identity.steps import Steps, blocks

GAPS = 36  # at once, then half octaves from a second to three days
MOST_CAMERAS = 63
SAMPLED_SIGHTINGS = 256
MOST_STRIDES = 24
ONE_S_BITS = int(np.float32(1.0).view(np.int32)) >> 22
IMPOSSIBLE = np.float32(-np.inf)
SMOOTHING = (0.25, 0.5, 0.25)


@dataclass(frozen=True, slots=True)
class TransitPriors:
    """How many links' worth of "time tells nothing" the site starts with, and each pair of cameras of the site's ways.

    Nothing speaks more strongly than `most_log_odds`. A link teaches whose look alone has `certain_log_odds`.
    Where at least `veto_links` links are known, and none of them was at once, somebody who would have to be faster than
    `veto_share` of the quickest that is to be expected is somebody else.
    """

    site_links: float = 8.0
    pair_links: float = 8.0
    most_log_odds: float = 3.0
    certain_log_odds: float = 2.0
    veto_links: int = 20
    veto_share: float = 1.0 / 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Sighted:
    """When (N,) which camera saw somebody; the camera is -1 where its clock cannot be believed."""

    cameras: Ints
    started_s: F64
    until_s: F64

    def at(self, rows: Ints | slice) -> "Sighted":
        """Some of them."""
        return Sighted(self.cameras[rows], self.started_s[rows], self.until_s[rows])

    def __len__(self) -> int:
        return len(self.cameras)


class Seen(NamedTuple):
    """One of `Sighted`."""

    camera: int
    started_s: float
    until_s: float


class Timing(NamedTuple):
    """What a consolidation needs beside its snapshot: whose clocks to believe (as `Sighted`), what looks are worth."""

    cameras: Ints
    calibration: Calibration


@dataclass(frozen=True, slots=True, eq=False)
class TransitTimes:
    """What is known of the ways: `log_odds` (C + 1, C + 1, GAPS), and `fastest_s` (C + 1, C + 1) or -inf.

    The first axis is the camera that somebody comes from; the last camera stands for those without an opinion.
    """

    log_odds: F32
    fastest_s: F32

    @classmethod
    def unknown(cls) -> "TransitTimes":
        """Time tells nothing."""
        return cls(np.zeros((1, 1, GAPS), np.float32), np.full((1, 1), IMPOSSIBLE, np.float32))

    def __bool__(self) -> bool:
        return len(self.log_odds) > 1

    def between(self, ones: Sighted, others: Sighted) -> tuple[F32, F32]:
        """Log-odds (N, M), minus infinity where nobody is that fast, and gaps in seconds (N, M)."""
        count = len(self.log_odds)
        gaps_s, ways = _ways(ones, others, count)
        log_odds = self.log_odds.ravel()[ways * GAPS + _gap_bins(gaps_s)]
        log_odds[gaps_s < self.fastest_s.ravel()[ways]] = IMPOSSIBLE
        return log_odds, gaps_s

    def of_two(self, one: Seen, other: Seen) -> tuple[float, float]:
        """As `between`, of two sightings; cheaper where there are few."""
        count = len(self.log_odds)
        gap_s = max(other.started_s - one.until_s, one.started_s - other.until_s)
        cameras = [min(seen.camera, count - 1) if seen.camera >= 0 else count - 1 for seen in (one, other)]
        first = (one.started_s, cameras[0]) <= (other.started_s, cameras[1])
        came, went = cameras if first else reversed(cameras)
        if gap_s < self.fastest_s[came, went]:
            return -inf, gap_s
        leading, octave = frexp(max(gap_s, 0.5))
        gap = 0 if gap_s <= 0.0 else max(1, min(2 * octave + (leading >= 0.75), GAPS - 1))
        return float(self.log_odds[came, went, gap]), gap_s


def _ways(ones: Sighted, others: Sighted, count: int) -> tuple[F32, Ints]:
    """Gaps in seconds (N, M), not above 0 where both were in view, and from which of `count` cameras to which."""
    one, other = (
        np.where(cameras < 0, count - 1, np.minimum(cameras, count - 1)) for cameras in (ones.cameras, others.cameras)
    )
    started_s, until_s = ones.started_s[:, None], ones.until_s[:, None]
    gaps_s = np.maximum(others.started_s - until_s, started_s - others.until_s).astype(np.float32)
    first = (started_s < others.started_s) | ((started_s == others.started_s) & (one[:, None] <= other))
    return gaps_s, np.where(first, one[:, None] * count + other, other * count + one[:, None])


def _gap_bins(gaps_s: F32) -> Ints:
    """0 for at once; then two bins per octave, cut at 1, 1.5, 2, 3, 4, 6, ... s: the float's own leading bits."""
    bits = (np.maximum(gaps_s, np.float32(0.5)).view(np.int32) >> 22) - (ONE_S_BITS - 2)
    return np.where(gaps_s <= 0.0, 0, np.clip(bits, 1, GAPS - 1)).astype(np.int64)


def learn_transits(
    sighted: Sighted, people: Ints, vectors: F32, calibration: Calibration, *, camera_count: int, priors: TransitPriors
) -> Steps[TransitTimes]:
    """Learn from sightings whose camera is known, whose they are believed to be (N,) and their vectors (N, D)."""
    count = min(camera_count, MOST_CAMERAS) + 1
    taught = np.flatnonzero((sighted.cameras >= 0) & (sighted.cameras < count - 1))
    taught = taught[np.lexsort((sighted.started_s[taught], people[taught]))]
    sighted, people, vectors = sighted.at(taught), people[taught], vectors[taught]
    links = np.zeros(count * count * GAPS)
    certain: list[tuple[F32, Ints]] = []
    for one, other, weights in _certain_links(people, vectors, calibration, priors.certain_log_odds):
        gaps_s, ways = _steps_between(sighted.at(one), sighted.at(other), count)
        links += np.bincount(ways * GAPS + _gap_bins(gaps_s), weights, minlength=len(links))
        certain.append((gaps_s, ways))
        yield len(one) * vectors.shape[1] + len(links)
    strangers = yield from _strangers(sighted, people, count)
    shape = (count, count, GAPS)
    opinions = _log_odds(links.reshape(shape), strangers.reshape(shape), priors)
    gaps_s, ways = np.concatenate([gaps_s for gaps_s, _ in certain]), np.concatenate([ways for _, ways in certain])
    return TransitTimes(opinions, _fastest_s(gaps_s, ways, count, priors))


def _certain_links(
    people: Ints, vectors: F32, calibration: Calibration, least: float
) -> Iterator[tuple[Ints, Ints, F64]]:
    """Pairs of sightings of one person, some strides apart in time, each sighting weighing one in all.

    Strides grow, and those in between are taken to be like the one before.
    """
    sizes = np.unique(people, return_inverse=True, return_counts=True)
    longest = int(sizes[2].max(initial=1)) - 1
    strides: list[int] = np.unique(np.geomspace(1, max(1, longest), MOST_STRIDES).astype(np.int64)).tolist()
    for stride, following in pairwise([*strides, longest + 1]):
        one = np.flatnonzero(people[:-stride] == people[stride:])
        alike = np.einsum("nd,nd->n", vectors[one], vectors[one + stride])
        one = one[(alike - calibration.price) / calibration.scale >= least]
        yield one, one + stride, (following - stride) / (sizes[2][sizes[1][one]] - 1.0)


def _steps_between(ones: Sighted, others: Sighted, count: int) -> tuple[F32, Ints]:
    """Gaps (N,) and ways (N,) from each of the one to the same of the others, who come later."""
    gaps_s = (others.started_s - ones.until_s).astype(np.float32)
    return gaps_s, ones.cameras * count + others.cameras


def _strangers(sighted: Sighted, people: Ints, count: int) -> Steps[F64]:
    """How often which gap occurs on which way between a sample of sightings and everybody else's."""
    rows: Ints = np.linspace(0, len(people) - 1, min(len(people), SAMPLED_SIGHTINGS)).astype(np.int64)
    counts = np.zeros(count * count * GAPS)
    for block in blocks(len(rows), 32 * len(people)):
        gaps_s, ways = _ways(sighted.at(rows[block]), sighted, count)
        possible = people[rows[block], None] != people
        possible &= (gaps_s > 0) | (sighted.cameras[rows[block], None] != sighted.cameras)
        counts += np.bincount(ways[possible] * GAPS + _gap_bins(gaps_s[possible]), minlength=len(counts))
        yield 32 * gaps_s.size
    return counts


def _log_odds(links: F64, strangers: F64, priors: TransitPriors) -> F32:
    """From counts (C, C, GAPS) of links and of strangers; see the module's text."""
    links, strangers = _smoothed(links), _smoothed(strangers)
    usual = strangers.sum(axis=(0, 1)) / max(1.0, strangers.sum())
    shape = (strangers + GAPS * usual) / (strangers.sum(axis=2) + GAPS)[..., None]
    expected = links.sum(axis=2)[..., None] * shape
    within = np.eye(len(links), dtype=np.bool_)
    site = np.empty_like(links)
    for kind in (within, ~within):
        site[kind] = (links[kind].sum(axis=0) + priors.site_links) / (expected[kind].sum(axis=0) + priors.site_links)
    ratio = site * (links + priors.pair_links) / (expected * site + priors.pair_links)
    log_odds = np.clip(np.log(ratio), -priors.most_log_odds, priors.most_log_odds)
    log_odds[-1] = log_odds[:, -1] = 0.0
    return log_odds.astype(np.float32)


def _smoothed(counts: F64) -> F64:
    """Counts (..., GAPS) with neighbouring gaps mixed; at once stays by itself."""
    before, middle, after = SMOOTHING
    ends = np.concatenate([counts[..., 1:2], counts[..., 1:], counts[..., -1:]], axis=-1)
    mixed = before * ends[..., :-2] + middle * ends[..., 1:-1] + after * ends[..., 2:]
    return np.concatenate([counts[..., :1], mixed], axis=-1)


def _fastest_s(gaps_s: F32, ways: Ints, count: int, priors: TransitPriors) -> F32:
    """Below which gap (C, C) nobody can go from camera to camera; -inf for who may be anywhere at once.

    The quickest (M,) need not be the quickest there is: as far as it is from a quarter of them, one more may be.
    """
    fastest_s = np.full(count * count, IMPOSSIBLE, np.float32)
    for way in np.flatnonzero(np.bincount(ways, minlength=count * count) >= priors.veto_links).tolist():
        own = gaps_s[ways == way]
        quickest_s = float(own.min())
        if way // count != way % count and quickest_s > 0.0:
            fastest_s[way] = priors.veto_share * quickest_s**2 / np.quantile(own, 0.25)
    return fastest_s.reshape(count, count)


def lean_on(transits: TransitTimes, sighted: Sighted, owners: Ints, scale: float) -> Steps[F32]:
    """What time says about every two of N nodes grouped by owner (N,), as a similarity (G, G).

    The first nodes are `sighted`; of the rest, who are archives, it says nothing.
    """
    count, tracks = len(owners), len(sighted)
    lean = np.zeros((count, count), np.float32)
    for block in blocks(tracks, 32 * tracks):
        before, after = slice(0, block.start), slice(block.start, tracks)
        lean[block, before] = lean[before, block].T  # of two sightings the earlier is the first, whichever asks
        lean[block, after] = np.float32(scale) * transits.between(sighted.at(block), sighted.at(after))[0]
        yield (32 * tracks - 31 * block.start) * (block.stop - block.start)
    groups = int(owners.max()) + 1
    if groups == count:
        return lean
    sizes = np.bincount(owners)
    pairs = (sizes[:, None] * sizes).astype(np.float32)
    yield 4 * count * count
    return group_sums(group_sums(lean, owners, groups).T, owners, groups) / pairs


def lean_of_links(lean: F32, owners: Ints, groups: Ints, cameras: Ints) -> Steps[float]:
    """How much time spoke on average for links across cameras, as a similarity; a track of N weighs one in all.

    `lean` (G, G) is that of the tracks' `owners` (N,); `groups` and `cameras` (N,) say who is whose, and seen by whom.
    """
    total, linked, fellows = 0.0, 0, Fellows.of(groups, np.arange(len(groups)))
    for block in fellows.blocks():
        one, other = fellows.pairs(block)
        across = cameras[block][one] != cameras[other]
        one, other = one[across], other[across]
        counts = np.bincount(one)
        total += float((lean[owners[block][one], owners[other]] / counts[one]).sum())
        linked += int((counts > 0).sum())
        yield 16 * len(across)
    return total / max(1, linked)
