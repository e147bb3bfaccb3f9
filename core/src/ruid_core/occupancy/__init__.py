"""From appearances to numbers: unique people, visits, dwell, crossings, occupancy, and how much was seen at all.

Everything works on columns (NumPy arrays of one length), so that a month of a busy site is counted in tens of
milliseconds. The caller cuts the columns to a period and decides what a day is; nothing here knows a calendar.

- **who** is a whole number for one identity; 0 stands for somebody who could not be told, never twice the same.
- **doubt** is the probability that an answer about who it is was wrong (1 less the identity engine's).
- A **visit** is a run of appearances of one identity whose pauses are not longer than the re-entry window.
"""

from ruid_core.occupancy.coverage import Gap, Span, Unseen, clipped, lost_by_reason, merged, seen_shares, unseen_spans
from ruid_core.occupancy.dwell import BIN_EDGES_S, Dwell, dwell_of
from ruid_core.occupancy.flow import Level, inside, levels
from ruid_core.occupancy.unique import Tally, estimate_around, people_of, tally_of, unique_people
from ruid_core.occupancy.values import NO_VISITS, NOBODY, UNKNOWN, Appearances, Estimate, Visits
from ruid_core.occupancy.visits import visits_estimate, visits_joined, visits_of

__all__ = [
    "BIN_EDGES_S",
    "NOBODY",
    "NO_VISITS",
    "UNKNOWN",
    "Appearances",
    "Dwell",
    "Estimate",
    "Gap",
    "Level",
    "Span",
    "Tally",
    "Unseen",
    "Visits",
    "clipped",
    "dwell_of",
    "estimate_around",
    "inside",
    "levels",
    "lost_by_reason",
    "merged",
    "people_of",
    "seen_shares",
    "tally_of",
    "unique_people",
    "unseen_spans",
    "visits_estimate",
    "visits_joined",
    "visits_of",
]
