import numpy as np

from ruid_core.tracking.assignment import assign


def test_takes_the_cheapest_pairing_as_a_whole() -> None:
    """Row 0 would rather have column 0, but the sum is what counts."""
    rows, columns = assign(np.array([[0.1, 0.2], [0.2, 0.8]]), cost_limit=0.9)

    assert list(zip(rows, columns, strict=True)) == [(0, 1), (1, 0)]


def test_a_pair_as_dear_as_the_limit_is_not_made() -> None:
    rows, columns = assign(np.array([[0.5, 0.9], [0.9, 0.4]]), cost_limit=0.5)

    assert list(zip(rows, columns, strict=True)) == [(1, 1)]


def test_more_rows_than_columns_leaves_the_dearest_alone() -> None:
    rows, columns = assign(np.array([[0.3], [0.1], [0.2]]), cost_limit=1.0)

    assert list(zip(rows, columns, strict=True)) == [(1, 0)]


def test_nothing_to_assign() -> None:
    for shape in ((0, 3), (3, 0), (0, 0)):
        rows, columns = assign(np.empty(shape), cost_limit=1.0)
        assert rows.size == columns.size == 0


def test_costs_are_left_as_they_were() -> None:
    costs = np.array([[0.2, 5.0], [5.0, 0.3]])
    before = costs.copy()

    assign(costs, cost_limit=0.5)

    assert np.array_equal(costs, before)
