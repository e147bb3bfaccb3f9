"""Figures by the hour, kept: what a long period is put together from.

An hour that is over hardly ever changes. What counting needs of it (who was there, what the scores come to, the visits
as far as the hour shows them) is worked out once from its columns and kept for as long as these stay the same; only the
hours at the two ends of a period are looked at row by row. The numbers are those that all rows together would give.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from math import ceil, floor
from operator import add
from typing import Protocol

import numpy as np

from ruid_core.occupancy import Appearances, Tally, Visits, people_of, tally_of, visits_joined, visits_of
from ruid_core.occupancy.values import Whole
from ruid_hub.counting.hours import HOUR_S, Hours, joined
from ruid_hub.counting.shelf import Shelf

MOST_NUMBERS = 2_000_000
"""How many numbers each kind of figure may keep: 16 MB."""
LONGEST_STAY_S = 24 * HOUR_S
"""How long before a period a stay in a zone may have begun that goes on into it."""
MINUTE_S = 60.0
NUMBERS_A_VISIT = 5


@dataclass(frozen=True, slots=True)
class Chosen:
    """Whose appearances count: on these cameras (by key; None for all), but for some people (by key)."""

    cameras: frozenset[int] | None = None
    left_out: frozenset[int] = frozenset()

    def of(self, seen: Appearances) -> Appearances:
        """Those of these appearances that count."""
        if self.cameras is not None:
            seen = seen.where(np.isin(seen.camera, list(self.cameras)))
        return seen.where(~np.isin(seen.who, list(self.left_out))) if self.left_out else seen


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The different people (N,) of a period, in order, and the tally of all that touches it."""

    who: Whole
    tally: Tally

    def __len__(self) -> int:
        return len(self.who)


class Source(Protocol):
    """Where the figures of a place come from."""

    def people(self, from_s: float, to_s: float) -> People:
        """Everybody who was there for a part of the period, at least."""
        ...

    def visits(self, from_s: float, to_s: float, *, re_entry_s: float) -> Visits:
        """The visits that all appearances of the period make."""
        ...

    def begun(self, from_s: float, to_s: float) -> Tally:
        """The tally of the appearances that began in the period."""
        ...


class Rollups:
    """Figures of whole views. Any thread may call."""

    def __init__(self, hours: Hours, *, most_numbers: int = MOST_NUMBERS) -> None:
        self._hours = hours
        self._by_hour: Shelf[People] = Shelf(most_numbers)
        self._by_span: Shelf[People] = Shelf(most_numbers)
        self._visits: Shelf[Visits] = Shelf(most_numbers)

    def people(self, chosen: Chosen, from_s: float, to_s: float) -> People:
        """See `Source`."""
        work_out = partial(self._people, chosen, from_s, to_s)
        if to_s % MINUTE_S:
            # Not a bound of the calendar but the present moment: nobody asks for that again.
            return work_out()
        stamp = self._hours.stamp(from_s, to_s)
        return self._by_span.take((chosen, from_s, to_s), stamp, work_out, len)

    def visits(self, chosen: Chosen, from_s: float, to_s: float, *, re_entry_s: float) -> Visits:
        """See `Source`."""
        whole, ends = self._touching(from_s, to_s)
        parts = [self._hour_visits(chosen, hour, columns, re_entry_s) for hour, columns in whole]
        at_ends = [chosen.of(columns).within(from_s, to_s) for columns in ends]
        return visits_joined([*parts, visits_of(joined(at_ends), re_entry_s=re_entry_s)], re_entry_s=re_entry_s)

    def begun(self, chosen: Chosen, from_s: float, to_s: float) -> Tally:
        """See `Source`."""
        whole, ends = self._touching(from_s, to_s)
        tallies = [self._hour_people(chosen, hour, columns).tally for hour, columns in whole]
        return _sum([*tallies, *(tally_of(_begun(chosen.of(columns), from_s, to_s)) for columns in ends)])

    def _people(self, chosen: Chosen, from_s: float, to_s: float) -> People:
        whole, ends = self._touching(from_s, to_s)
        parts = [self._hour_people(chosen, hour, columns) for hour, columns in whole]
        parts += [_people_in(chosen.of(columns).within(from_s, to_s)) for columns in ends]
        if not parts:
            return People(np.zeros(0, np.int64), Tally())
        return People(people_of(np.concatenate([part.who for part in parts])), _sum([part.tally for part in parts]))

    def _touching(self, from_s: float, to_s: float) -> tuple[list[tuple[int, Appearances]], list[Appearances]]:
        """The hours that lie in the period as a whole, and the others that may touch it, each with what began in it.

        What begins in an hour is a part of a track and lasts seconds: the hour before the period is enough.
        """
        first, end = ceil(from_s / HOUR_S), floor(to_s / HOUR_S)
        whole: list[tuple[int, Appearances]] = []
        ends: list[Appearances] = []
        for hour, columns in self._hours.by_hour(floor(from_s / HOUR_S) - 1, end):
            if first <= hour < end:
                whole.append((hour, columns))
            else:
                ends.append(columns)
        return whole, ends

    def _hour_people(self, chosen: Chosen, hour: int, columns: Appearances) -> People:
        return self._by_hour.take((chosen, hour), columns, lambda: _people_in(chosen.of(columns)), len)

    def _hour_visits(self, chosen: Chosen, hour: int, columns: Appearances, re_entry_s: float) -> Visits:
        key = (chosen, hour, re_entry_s)
        return self._visits.take(key, columns, lambda: visits_of(chosen.of(columns), re_entry_s=re_entry_s), _size)


@dataclass(frozen=True, slots=True)
class Views:
    """A `Source`: what is in the views of the chosen cameras."""

    rollups: Rollups
    chosen: Chosen

    def people(self, from_s: float, to_s: float) -> People:
        return self.rollups.people(self.chosen, from_s, to_s)

    def visits(self, from_s: float, to_s: float, *, re_entry_s: float) -> Visits:
        return self.rollups.visits(self.chosen, from_s, to_s, re_entry_s=re_entry_s)

    def begun(self, from_s: float, to_s: float) -> Tally:
        return self.rollups.begun(self.chosen, from_s, to_s)


@dataclass(frozen=True, slots=True)
class ZoneStays:
    """A `Source`: stays in one zone, few enough to look at each."""

    hours: Hours
    chosen: Chosen
    zone_id: str

    def people(self, from_s: float, to_s: float) -> People:
        return _people_in(self._seen(from_s, to_s))

    def visits(self, from_s: float, to_s: float, *, re_entry_s: float) -> Visits:
        return visits_of(self._seen(from_s, to_s), re_entry_s=re_entry_s)

    def begun(self, from_s: float, to_s: float) -> Tally:
        return tally_of(_begun(self._seen(from_s, to_s), from_s, to_s))

    def _seen(self, from_s: float, to_s: float) -> Appearances:
        stays = self.hours.stays(from_s, to_s, back_s=LONGEST_STAY_S)
        here = np.fromiter((zone_id == self.zone_id for zone_id in stays.zone_ids), np.bool_, len(stays))
        return self.chosen.of(stays.seen.where(here))


def _people_in(seen: Appearances) -> People:
    return People(people_of(seen.who), tally_of(seen))


def _begun(seen: Appearances, from_s: float, to_s: float) -> Appearances:
    return seen.where((seen.start_s >= from_s) & (seen.start_s < to_s))


def _sum(tallies: Sequence[Tally]) -> Tally:
    return reduce(add, tallies, Tally())


def _size(visits: Visits) -> int:
    return NUMBERS_A_VISIT * len(visits)
