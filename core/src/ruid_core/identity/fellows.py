"""Who shares a group with whom, without looking at the pairs that do not."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ruid_core.identity.arrays import Ints
from ruid_core.identity.steps import blocks


@dataclass(frozen=True, slots=True, eq=False)
class Fellows:
    """For each of R rows, those of its group: `order` (N,) has each group's together, from `starts` to `ends` (R,)."""

    order: Ints
    starts: Ints
    ends: Ints

    @classmethod
    def of(cls, groups: Ints, rows: Ints) -> "Fellows":
        """The fellows of `rows` (R,), of whom there is one at least, by everybody's `groups` (N,)."""
        order = np.argsort(groups, kind="stable")
        ordered = groups[order]
        starts, ends = (np.searchsorted(ordered, groups[rows], side) for side in ("left", "right"))
        return cls(order, starts, ends)

    def blocks(self) -> Iterator[slice]:
        """The rows in slices of about a step's work."""
        return blocks(len(self.starts), 8 * int((self.ends - self.starts).max()))

    def pairs(self, block: slice) -> tuple[Ints, Ints]:
        """The place in the block (P,) of each row, and each of its fellows (P,): itself, too, and ascending."""
        starts, sizes = self.starts[block], self.ends[block] - self.starts[block]
        places = np.arange(int(sizes.sum())) + np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
        return np.repeat(np.arange(len(sizes)), sizes), self.order[places]
