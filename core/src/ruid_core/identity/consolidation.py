"""Everything thought over again: constrained average linkage over all that is known.

Groups are joined in order of their average similarity until no two groups reach the price. A conflict (two
tracks in view at once in one camera, an operator's "not this person") is a similarity of minus infinity, which
averages to minus infinity: no chain of joins can bring the two together. Average linkage with such conflicts
stays reducible, so the nearest-neighbour chain (Murtagh 1983) finds it in O(N²).
"""

from dataclasses import dataclass, field

import numpy as np

from ruid_core.identity.arrays import F32, F64, Flags, Ints
from ruid_core.identity.steps import IN_PRODUCT, STEP, Steps, blocks

NEVER = np.float32(-np.inf)


def affinities(vectors: F32, conflicts: Flags) -> Steps[F32]:
    """Similarities (N, N) of vectors (N, D), never of those in conflict (N, N): what `joins` works on."""
    count, dim = vectors.shape
    work = np.empty((count, count), np.float32)
    for block in blocks(count, count * (6 + dim // IN_PRODUCT)):
        own, before = vectors[block], slice(0, block.start)
        work[block, before] = work[before, block].T  # not multiplied again: both halves must be the same to the bit
        work[block, block] = own @ own.T
        work[block, block.stop :] = own @ vectors[block.stop :].T
        yield len(own) * count * (6 + dim // IN_PRODUCT)
    for block in blocks(count, 2 * count):
        work[block][conflicts[block]] = NEVER
        yield (block.stop - block.start) * 2 * count
    np.fill_diagonal(work, NEVER)
    return work


def joins(work: F32, weights: F64, stop: float) -> Steps[tuple[Ints, F64]]:
    """All joins down to average similarity `stop`: pairs (J, 2) of rows, and their similarities (J,).

    `work` (N, N) holds `affinities` and is used up, `weights` (N,) counts the tracks behind each row. A join names
    one row of each group. Sorted by falling similarity.
    """
    chains = _Chains(work, weights.copy(), stop)
    done = 0
    for start in range(len(work)):
        chains.start(start)
        done += len(work)
        while chains.chain or done >= STEP:
            if done >= STEP:
                yield done
                done = 0
            else:
                done += chains.step()
    yield done
    order = np.argsort(-np.array(chains.heights), kind="stable")
    return np.array([chains.kept, chains.gone], np.int64).T[order], np.array(chains.heights)[order]


@dataclass(slots=True)
class _Chains:
    """The state of a search: groups not joined yet are rows of `work`, `chain` leads to ever nearer ones.

    Of every join so far, the row that was `kept`, the one `gone` into it and how alike they were. These are numbers by
    themselves: a garbage collection, which looks through the whole process, is due after so many new containers.
    """

    work: F32
    weights: F64
    stop: float
    chain: list[int] = field(default_factory=list[int])
    kept: list[int] = field(default_factory=list[int])
    gone: list[int] = field(default_factory=list[int])
    heights: list[float] = field(default_factory=list[float])

    def start(self, row: int) -> None:
        """Begin a chain at a row, if anybody is near enough to it."""
        if self.work[row].max() >= self.stop:
            self.chain.append(row)

    def step(self) -> int:
        """Lengthen the chain, join its last two, or take off an end that has nobody near enough; returns the work."""
        work, chain = self.work, self.chain
        last = chain[-1]
        nearest = int(work[last].argmax())
        height = work[last, nearest]
        if height < self.stop:  # nobody else has it near enough, nor will: an average is no nearer than its parts
            chain.pop()
            return len(work)
        before = chain[-2] if len(chain) > 1 else -1
        if before < 0 or work[last, before] < height:
            chain.append(nearest)
            return len(work)
        self.kept.append(before)
        self.gone.append(last)
        self.heights.append(float(height))
        del chain[-2:]
        _join(work, self.weights, before, last)
        if not chain:
            chain.append(before)
        return 24 * len(work)


def _join(work: F32, weights: F64, keep: int, gone: int) -> None:
    total = weights[keep] + weights[gone]
    row = work[keep] * np.float32(weights[keep] / total) + work[gone] * np.float32(weights[gone] / total)
    row[keep] = row[gone] = NEVER
    work[keep] = row
    work[:, keep] = row
    work[gone] = NEVER
    work[:, gone] = NEVER
    weights[keep] = total


def cut(count: int, pairs: Ints, heights: F64, price: float) -> Ints:
    """The group (N,) of each of `count` rows when only joins at or above `price` are made."""
    parent = list(range(count))
    for one, other in pairs[heights >= price].tolist():
        parent[_root(parent, other)] = _root(parent, one)
    return np.unique([_root(parent, row) for row in range(count)], return_inverse=True)[1].astype(np.int64)


def _root(parent: list[int], row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


def names_for_groups(groups: Ints, names: Ints, weights: F64) -> Ints:
    """Which former name (or -1 for a new one) each group takes: the largest overlaps choose first.

    `groups` and `names` are (N,); a name of -1 claims nothing.
    """
    chosen = np.full(int(groups.max()) + 1 if len(groups) else 0, -1, np.int64)
    named, least = names >= 0, int(names.max()) + 1 if len(names) else 1
    pairs, pair_of = np.unique(groups[named] * least + names[named], return_inverse=True)
    overlaps = np.bincount(pair_of, weights[named], minlength=len(pairs))
    taken: set[int] = set()
    for index in np.argsort(-overlaps, kind="stable"):
        group, name = divmod(int(pairs[index]), least)
        if chosen[group] < 0 and name not in taken:
            chosen[group] = name
            taken.add(name)
    return chosen
