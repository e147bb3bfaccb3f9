"""Scores of a clustering against the truth, from the table of how often each answer met each person.

B-cubed after Bagga and Baldwin (1998), the V-measure after Rosenberg and Hirschberg (2007). Everything is
vectorised over the table's non-empty cells, so a million observations take a second.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClusteringScores:
    """One answer scored, observation by observation; all but `id_switches` are fractions of 1."""

    bcubed_precision: float
    bcubed_recall: float
    bcubed_f1: float
    pairwise_f1: float
    v_measure: float
    id_switches: int


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Non-empty cells: `answers` and `people` (C,) name row and column, `sizes` (C,) count observations."""

    answers: Ints
    people: Ints
    sizes: F64
    answer_sizes: F64
    person_sizes: F64


def score_clustering(answers: Ints, people: Ints) -> ClusteringScores:
    """Score `answers` (N,) against `people` (N,), both any labels, in the order of time."""
    table = _table(answers, people)
    precision, recall = _bcubed(table)
    return ClusteringScores(
        bcubed_precision=precision,
        bcubed_recall=recall,
        bcubed_f1=_harmonic(precision, recall),
        pairwise_f1=_pairwise_f1(table),
        v_measure=_v_measure(table),
        id_switches=count_switches(answers, people),
    )


def count_switches(answers: Ints, people: Ints) -> int:
    """How often a person's answer differs from the answer at that person's previous observation."""
    order = np.argsort(people, kind="stable")
    same_person = people[order][1:] == people[order][:-1]
    return int((same_person & (answers[order][1:] != answers[order][:-1])).sum())


def _table(answers: Ints, people: Ints) -> _Table:
    _, rows = np.unique(answers, return_inverse=True)
    _, columns = np.unique(people, return_inverse=True)
    width = int(columns.max()) + 1
    cells, sizes = np.unique(rows * width + columns, return_counts=True)
    return _Table(
        cells // width,
        cells % width,
        sizes.astype(np.float64),
        np.bincount(rows).astype(np.float64),
        np.bincount(columns).astype(np.float64),
    )


def _bcubed(table: _Table) -> tuple[float, float]:
    squares, count = table.sizes**2, table.sizes.sum()
    precision = (squares / table.answer_sizes[table.answers]).sum() / count
    recall = (squares / table.person_sizes[table.people]).sum() / count
    return float(precision), float(recall)


def _pairwise_f1(table: _Table) -> float:
    together, linked, same = (
        float((sizes * (sizes - 1)).sum()) for sizes in (table.sizes, table.answer_sizes, table.person_sizes)
    )
    return 2 * together / (linked + same) if linked + same else 1.0


def _v_measure(table: _Table) -> float:
    count = table.sizes.sum()
    mixed_people = -float((table.sizes / count * np.log(table.sizes / table.answer_sizes[table.answers])).sum())
    mixed_answers = -float((table.sizes / count * np.log(table.sizes / table.person_sizes[table.people])).sum())
    people_entropy, answer_entropy = _entropy(table.person_sizes), _entropy(table.answer_sizes)
    homogeneity = 1.0 - mixed_people / people_entropy if people_entropy else 1.0
    completeness = 1.0 - mixed_answers / answer_entropy if answer_entropy else 1.0
    return _harmonic(homogeneity, completeness)


def _entropy(sizes: F64) -> float:
    shares = sizes / sizes.sum()
    return -float((shares * np.log(shares)).sum())


def _harmonic(one: float, other: float) -> float:
    return 2 * one * other / (one + other) if one + other else 0.0
