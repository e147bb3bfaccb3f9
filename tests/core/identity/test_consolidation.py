"""Constrained average linkage does what a slow and obvious one does."""

import gc

import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_core.identity.consolidation import NEVER, cut, joins, names_for_groups
from ruid_core.identity.steps import finish


def _joins(
    similarities: NDArray[np.float32], conflicts: NDArray[np.bool_], stop: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    work = similarities.copy()
    work[conflicts] = NEVER
    np.fill_diagonal(work, NEVER)
    return finish(joins(work, np.ones(len(work)), stop))


def _obvious_groups(
    similarities: NDArray[np.float32], conflicts: NDArray[np.bool_], price: float
) -> set[frozenset[int]]:
    """Join the most alike two groups, measured pair by pair, as long as the price is reached."""
    groups = [[row] for row in range(len(similarities))]
    while len(groups) > 1:
        ranked = [
            (float(similarities[np.ix_(one, other)].mean()), at, after)
            for at, one in enumerate(groups)
            for after, other in enumerate(groups[:at])
            if not conflicts[np.ix_(one, other)].any()
        ]
        if not ranked or max(ranked)[0] < price:
            break
        _, at, after = max(ranked)
        groups[after] += groups.pop(at)
    return {frozenset(group) for group in groups}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("price", [-0.5, 0.0, 0.2])
def test_the_chain_finds_the_groups_of_the_obvious_way(seed: int, price: float) -> None:
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(24, 5)).astype(np.float32)
    similarities = rows @ rows.T / np.float32(5)
    conflicts = generator.random((24, 24)) < 0.1
    conflicts |= conflicts.T
    pairs, heights = _joins(similarities, conflicts, -1.0)
    groups = cut(24, pairs, heights, price)
    found = {frozenset(np.flatnonzero(groups == group).tolist()) for group in range(int(groups.max()) + 1)}
    assert found == _obvious_groups(similarities, conflicts, price)


def test_joins_fall_in_similarity() -> None:
    rows = np.random.default_rng(1).normal(size=(30, 4)).astype(np.float32)
    _, heights = _joins(rows @ rows.T, np.zeros((30, 30), np.bool_), -9.0)
    assert (np.diff(heights) <= 1e-6).all()


def test_joining_makes_no_garbage_collection_due() -> None:
    rows = np.random.default_rng(2).normal(size=(1200, 8)).astype(np.float32)
    work = rows @ rows.T
    np.fill_diagonal(work, NEVER)
    gc.disable()
    try:
        before = gc.get_count()[0]
        new_containers = [gc.get_count()[0] - before for _ in joins(work, np.ones(1200), -9.0)]
    finally:
        gc.enable()
    assert len(new_containers) > 20
    assert max(new_containers) < 100


def test_the_largest_overlap_keeps_the_name() -> None:
    groups, names = np.array([0, 0, 0, 1, 1, 2]), np.array([7, 7, 8, 8, 7, -1])
    assert names_for_groups(groups, names, np.ones(6)).tolist() == [7, 8, -1]


def test_nothing_has_no_groups() -> None:
    nothing = np.zeros((0, 0), np.float32)
    pairs, heights = _joins(nothing, nothing.astype(np.bool_), 0.0)
    assert cut(0, pairs, heights, 0.0).tolist() == []
    assert names_for_groups(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)).tolist() == []
