"""Appearances become visits: a person who comes back within the re-entry window is still on the same visit."""

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from ruid_core.occupancy.unique import estimate_around, tally_of
from ruid_core.occupancy.values import NO_VISITS, UNKNOWN, Appearances, Estimate, Flags, Real, Visits, Whole


def visits_of(appearances: Appearances, *, re_entry_s: float) -> Visits:
    """The visits, whichever cameras they led past; `re_entry_s` may be infinite (one visit for each person).

    Whoever could not be told makes a visit of each appearance.
    """
    order = np.lexsort((appearances.start_s, appearances.who))
    who = appearances.who[order]
    start_s, end_s = appearances.start_s[order], appearances.end_s[order]
    first = np.flatnonzero(_begins(who, start_s, end_s, re_entry_s))
    if not len(first):
        return Visits(who, appearances.camera[order], start_s, end_s, np.zeros(0, np.int64))
    return Visits(
        who=who[first],
        camera=appearances.camera[order][first],
        start_s=start_s[first],
        end_s=np.maximum.reduceat(end_s, first),
        stretches=np.diff(np.append(first, len(who))),
    )


def visits_joined(parts: Sequence[Visits], *, re_entry_s: float) -> Visits:
    """The visits of a whole from those of its parts, as if all appearances had been looked at together.

    Within a part only appearances are one visit that belong together whatever the other parts hold.
    """
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return NO_VISITS
    who, start_s = _column(parts, "who"), _column(parts, "start_s")
    order = np.lexsort((start_s, who))
    who, start_s, end_s = who[order], start_s[order], _column(parts, "end_s")[order]
    first = np.flatnonzero(_begins(who, start_s, end_s, re_entry_s))
    if not len(first):
        return NO_VISITS
    return Visits(
        who=who[first],
        camera=_column(parts, "camera")[order][first],
        start_s=start_s[first],
        end_s=np.maximum.reduceat(end_s, first),
        stretches=np.add.reduceat(_column(parts, "stretches")[order], first),
    )


def _column(parts: Sequence[Visits], name: str) -> Any:
    return np.concatenate([getattr(part, name) for part in parts])


def visits_estimate(visits: Visits, appearances: Appearances) -> Estimate:
    """How many visits, and how far the scores leave that open: a wrong answer joins two visits or parts one."""
    return estimate_around(len(visits), tally_of(appearances))


def _begins(who: Whole, start_s: Real, end_s: Real, re_entry_s: float) -> Flags:
    """Where a visit begins, in columns ordered by who and start."""
    begins = np.ones(len(who), np.bool_)
    if len(who) < 2:
        return begins
    somebody_else = (who[1:] != who[:-1]) | (who[1:] == UNKNOWN)
    if re_entry_s == inf:
        begins[1:] = somebody_else
        return begins
    last_seen_s = _last_seen(who, end_s, start_s.min())
    paused_s = start_s[1:] - start_s.min() - last_seen_s[:-1]
    begins[1:] = somebody_else | (paused_s > re_entry_s)
    return begins


def _last_seen(who: Whole, end_s: Real, since_s: float) -> Real:
    """The latest end so far of the same person (N,), in seconds since `since_s`.

    One running maximum serves everybody: each person's times are lifted above all of the one's before.
    """
    times_s = end_s - since_s
    person = np.concatenate(([0], np.cumsum(who[1:] != who[:-1])))
    lift_s = person * (float(times_s.max()) + 1.0)
    return np.maximum.accumulate(times_s + lift_s) - lift_s
