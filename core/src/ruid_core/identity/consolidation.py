"""Everything thought over again: constrained average linkage over all that is known.

Groups are joined in order of their average similarity until no two groups reach the price. A conflict (two
tracks in view at once in one camera, an operator's "not this person") is a similarity of minus infinity, which
averages to minus infinity: no chain of joins can bring the two together. Average linkage with such conflicts
stays reducible, so the nearest-neighbour chain (Murtagh 1983) finds it in O(N²).
"""

import numpy as np

from ruid_core.identity.arrays import F32, F64, Flags, Ints

NEVER = np.float32(-np.inf)


def joins(similarities: F32, conflicts: Flags, weights: F64, stop: float) -> tuple[Ints, F64]:
    """All joins down to average similarity `stop`: pairs (J, 2) of rows, and their similarities (J,).

    `similarities` and `conflicts` are (N, N), `weights` (N,) counts the tracks behind each row. A join names
    one row of each group. Sorted by falling similarity.
    """
    work = similarities.astype(np.float32, copy=True)
    work[conflicts] = NEVER
    np.fill_diagonal(work, NEVER)
    weights = weights.copy()
    pairs: list[tuple[int, int]] = []
    heights: list[float] = []
    for start in np.flatnonzero(work.max(axis=1) >= stop) if len(work) else ():
        chain = [int(start)]
        while chain:
            _step(work, weights, chain, stop, pairs, heights)
    order = np.argsort(-np.array(heights), kind="stable")
    return np.array(pairs, np.int64).reshape(-1, 2)[order], np.array(heights)[order]


def _step(
    work: F32, weights: F64, chain: list[int], stop: float, pairs: list[tuple[int, int]], heights: list[float]
) -> None:
    """Lengthen the chain, join its last two, or take off an end that has nobody near enough."""
    last = chain[-1]
    nearest = int(work[last].argmax())
    height = work[last, nearest]
    if height < stop:
        chain.pop()
        work[last] = NEVER
        work[:, last] = NEVER
        return
    before = chain[-2] if len(chain) > 1 else -1
    if before < 0 or work[last, before] < height:
        chain.append(nearest)
        return
    pairs.append((before, last))
    heights.append(float(height))
    del chain[-2:]
    _join(work, weights, before, last)
    if not chain:
        chain.append(before)


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
    named = names >= 0
    pairs, pair_of = np.unique(np.stack([groups[named], names[named]], axis=1), axis=0, return_inverse=True)
    overlaps = np.bincount(pair_of.ravel(), weights[named], minlength=len(pairs))
    taken: set[int] = set()
    for index in np.argsort(-overlaps, kind="stable"):
        group, name = (int(value) for value in pairs[index])
        if chosen[group] < 0 and name not in taken:
            chosen[group] = name
            taken.add(name)
    return chosen
