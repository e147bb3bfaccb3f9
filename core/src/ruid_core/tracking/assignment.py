"""One-to-one assignment, by lapx: the only module that knows the solver."""

import lap
import numpy as np
from numpy.typing import NDArray


def assign(costs: NDArray[np.float64], *, cost_limit: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair the N rows with the M columns of `costs` at the least total cost, each used at most once.

    A pair costs less than `cost_limit` or is not made: leaving both sides alone costs the limit.
    Returns the rows and columns of the pairs, rows ascending. NaN is not allowed.
    """
    if not costs.size:
        nothing = np.empty(0, np.intp)
        return nothing, nothing
    gated = np.minimum(costs, cost_limit)
    _, rows, columns = lap.lapjvc(gated)
    made = gated[rows, columns] < cost_limit
    return rows[made], columns[made]
