"""The columns that go into counting, and the estimates that come out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Real = NDArray[np.float64]
Flags = NDArray[np.bool_]

UNKNOWN = 0
"""Who it was could not be told."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Appearances:
    """Stretches of time in which somebody was in view, (N,) each, in any order.

    `who` and `camera` are whole numbers, times are seconds. `doubt` (0..1) is the chance that the answer is wrong;
    0 where the stretch only continues an earlier one. `newcomer` where the answer was "nobody known", however sure.
    """

    who: Whole
    camera: Whole
    start_s: Real
    end_s: Real
    doubt: Real
    newcomer: Flags

    def __len__(self) -> int:
        return len(self.who)

    def where(self, chosen: Flags | Whole) -> "Appearances":
        """The stretches that are chosen: (N,) flags, or their numbers."""
        return Appearances(
            self.who[chosen],
            self.camera[chosen],
            self.start_s[chosen],
            self.end_s[chosen],
            self.doubt[chosen],
            self.newcomer[chosen],
        )

    def within(self, from_s: float, to_s: float) -> "Appearances":
        """The stretches that touch the half-open period."""
        return self.where((self.start_s < to_s) & (self.end_s >= from_s))


NOBODY = Appearances(
    np.zeros(0, np.int64),
    np.zeros(0, np.int64),
    np.zeros(0),
    np.zeros(0),
    np.zeros(0),
    np.zeros(0, np.bool_),
)


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """Stays, (M,) each, ordered by who and start. `camera` is where each began, `stretches` counts its appearances."""

    who: Whole
    camera: Whole
    start_s: Real
    end_s: Real
    stretches: Whole

    def __len__(self) -> int:
        return len(self.who)

    @property
    def dwell_s(self) -> Real:
        """From first to last sight."""
        return self.end_s - self.start_s

    def where(self, chosen: Flags) -> "Visits":
        """The visits that are chosen (M,)."""
        return Visits(
            self.who[chosen],
            self.camera[chosen],
            self.start_s[chosen],
            self.end_s[chosen],
            self.stretches[chosen],
        )


NO_VISITS = Visits(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
