"""Figures by the hour, kept: what a long period is put together from.

An hour that is over hardly ever changes. What counting needs of it (who was there, what the scores come to, the visits
as far as the hour shows them, who crossed a line) is worked out once from its columns and kept for as long as these
stay the same. So is what a long period holds up to a midnight that is hours back; only what came since, and the hours
at the two ends, are looked at again. The numbers are those that all rows together would give.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import pairwise
from math import ceil, floor, inf
from operator import add
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from ruid_core.occupancy import (
    Appearances,
    Estimate,
    Tally,
    Visits,
    estimate_around,
    people_of,
    tally_of,
    visits_joined,
    visits_of,
)
from ruid_core.occupancy.values import Whole
from ruid_hub.counting.errors import TooManyVisits
from ruid_hub.counting.hours import HOUR_S, Crossed, Hours, joined, last_hour
from ruid_hub.counting.shelf import Shelf

MOST_NUMBERS = 2_000_000
"""How many numbers each kind of figure may keep: 16 MB."""
LONGEST_STAY_S = 24 * HOUR_S
"""How long before a period a stay in a zone may have begun that goes on into it."""
MINUTE_S = 60.0
DAY_S = 24 * HOUR_S
SETTLED_S = 8 * HOUR_S
"""What is older than this before a period's end hardly changes any more: visits are followed for six hours."""
BUCKETS_KEPT = 24
"""Of a series, so many buckets are kept together."""
NUMBERS_A_VISIT = 5
MOST_VISITS = 2_000_000
"""Of one answer: 80 MB, and three times that while it is put together."""
_Figure = TypeVar("_Figure")
Flows = Mapping[tuple[int, str], tuple[int, int]]
"""How many went in and out, by line: its camera's key and its name."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who counts: on these cameras (by key; None for all), but for some people (by key)."""

    cameras: frozenset[int] | None = None
    left_out: frozenset[int] = frozenset()

    def of(self, seen: Appearances) -> Appearances:
        """Those of these appearances that count."""
        if self.cameras is not None:
            seen = seen.where(np.isin(seen.camera, list(self.cameras)))
        return seen.where(~np.isin(seen.who, list(self.left_out))) if self.left_out else seen

    def of_crossed(self, crossed: Crossed) -> Crossed:
        """Those of these crossings that count."""
        if self.cameras is not None:
            crossed = crossed.where(np.isin(crossed.camera, list(self.cameras)))
        return crossed.where(~np.isin(crossed.who, list(self.left_out))) if self.left_out else crossed


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The different people (N,) of a period, in order, and the tally of all that touches it."""

    who: Whole
    tally: Tally

    def __len__(self) -> int:
        return len(self.who)

    def estimate(self) -> Estimate:
        """How many they are."""
        return estimate_around(len(self.who), self.tally)


@dataclass(frozen=True, slots=True, eq=False)
class _Settled:
    """The visits up to a moment: those that are over whatever comes later, and those that may go on."""

    over: Visits
    going_on: Visits

    def __len__(self) -> int:
        return len(self.over) + len(self.going_on)


class _Gathered:
    """Visits put together from those of hours, in order; what is over by a moment is not looked at with all to come."""

    def __init__(self, re_entry_s: float, most: int) -> None:
        self._re_entry_s = re_entry_s
        self._most = most
        self._over: list[Visits] = []
        self._going_on: list[Visits] = []
        self._held = 0

    def add(self, part: Visits) -> None:
        """The visits of one more hour. Raises TooManyVisits."""
        self._going_on.append(part)
        self._held += len(part)
        if self._held > self._most:
            self._join()
            if self._held > self._most:
                raise TooManyVisits(self._most)

    def settle(self, at_s: float) -> None:
        """Whatever is added from now on began at this moment or later."""
        if self._re_entry_s <= DAY_S:
            self._join(at_s)

    def visits(self) -> Visits:
        """All of them."""
        self._join()
        return _stacked(*self._over, *self._going_on)

    def _join(self, at_s: float = -inf) -> None:
        settled = _settled(self._going_on, at_s, self._re_entry_s)
        self._over.append(settled.over)
        self._going_on = [settled.going_on]
        self._held = sum(map(len, (*self._over, settled.going_on)))


class Source(Protocol):
    """Where the figures of a place come from."""

    def people(self, from_s: float, to_s: float) -> Estimate:
        """How many different people were there for a part of the period, at least."""
        ...

    def people_by(self, edges: Sequence[float]) -> list[Estimate]:
        """The same for each stretch between the edges, which ascend."""
        ...

    def visits(self, from_s: float, to_s: float, *, re_entry_s: float) -> Visits:
        """The visits that all appearances of the period make, in any order."""
        ...

    def tally(self, from_s: float, to_s: float) -> Tally:
        """The tally of all that touches the period."""
        ...

    def begun(self, from_s: float, to_s: float) -> Tally:
        """The tally of the appearances that began in the period."""
        ...


class Rollups:
    """Figures of whole views. Any thread may call."""

    def __init__(self, hours: Hours, *, most_numbers: int = MOST_NUMBERS, most_visits: int = MOST_VISITS) -> None:
        self._hours = hours
        self._most_visits = most_visits
        self._by_hour: Shelf[People] = Shelf(most_numbers)
        self._by_span: Shelf[People] = Shelf(most_numbers)
        self._visits: Shelf[Visits] = Shelf(most_numbers)
        # A month of a busy site and a week of it find room side by side.
        self._settled: Shelf[_Settled] = Shelf(2 * most_numbers)
        self._small: Shelf[Any] = Shelf(most_numbers)

    def people(self, chosen: Chosen, from_s: float, to_s: float) -> Estimate:
        """See `Source`."""
        cut_s = _settled_until(from_s, to_s)
        if cut_s is None:
            return self._people(chosen, from_s, to_s).estimate()
        before, since = self._people(chosen, from_s, cut_s), self._people_in(chosen, cut_s, to_s, back=0)
        return estimate_around(len(before) + _newcomers(since.who, before.who), before.tally + since.tally)

    def people_by(self, chosen: Chosen, edges: Sequence[float]) -> list[Estimate]:
        """See `Source`."""
        estimates: list[Estimate] = []
        for first in range(0, len(edges) - 1, BUCKETS_KEPT):
            some = tuple(edges[first : first + BUCKETS_KEPT + 1])
            estimates += self._kept("people by", chosen, some, partial(self._people_of_each, chosen, some), len)
        return estimates

    def tally(self, chosen: Chosen, from_s: float, to_s: float) -> Tally:
        """See `Source`."""
        return self._people(chosen, from_s, to_s).tally

    def visits(self, chosen: Chosen, from_s: float, to_s: float, *, re_entry_s: float) -> Visits:
        """See `Source`."""
        cut_s = _settled_until(from_s, to_s)
        if cut_s is None:
            return self._visits_in(chosen, from_s, to_s, re_entry_s)
        before = self._settled.take(
            (chosen, from_s, cut_s, re_entry_s),
            self._hours.stamp(from_s, cut_s),
            partial(self._settle, chosen, from_s, cut_s, re_entry_s),
            lambda settled: NUMBERS_A_VISIT * len(settled),
        )
        since = self._visits_in(chosen, cut_s, to_s, re_entry_s, back=0)
        return _stacked(before.over, visits_joined([before.going_on, since], re_entry_s=re_entry_s))

    def begun(self, chosen: Chosen, from_s: float, to_s: float) -> Tally:
        """See `Source`."""
        cut_s = _settled_until(from_s, to_s)
        if cut_s is not None:
            return self.begun(chosen, from_s, cut_s) + self.begun(chosen, cut_s, to_s)
        return self._kept("begun", chosen, (from_s, to_s), partial(self._begun, chosen, from_s, to_s))

    def flows(self, chosen: Chosen, from_s: float, to_s: float) -> Flows:
        """Who crossed which line in the half-open period."""
        work_out = partial(self._flows, chosen, from_s, to_s)
        if to_s % MINUTE_S:
            return work_out()
        stamp = self._hours.crossed_stamp(from_s, to_s)
        return self._small.take(("flows", chosen, from_s, to_s), stamp, work_out, lambda flows: 4 * len(flows))

    # --- parts -----------------------------------------------------------------------------------------

    def _kept(
        self,
        kind: Hashable,
        chosen: Chosen,
        edges: tuple[float, ...],
        work_out: Callable[[], _Figure],
        size: Callable[[_Figure], int] = lambda _: 5,
    ) -> _Figure:
        """A small figure of a period's appearances, kept until something in it changes."""
        if edges[-1] % MINUTE_S:
            # Not a bound of the calendar but the present moment: nobody asks for that again.
            return work_out()
        stamp = self._hours.stamp(edges[0], edges[-1])
        return cast("_Figure", self._small.take((kind, chosen, edges), stamp, work_out, size))

    def _people(self, chosen: Chosen, from_s: float, to_s: float) -> People:
        work_out = partial(self._people_in, chosen, from_s, to_s)
        if to_s % MINUTE_S:
            return work_out()
        return self._by_span.take((chosen, from_s, to_s), self._hours.stamp(from_s, to_s), work_out, len)

    def _people_of_each(self, chosen: Chosen, edges: Sequence[float]) -> list[Estimate]:
        return [self.people(chosen, *span) for span in pairwise(edges)]

    def _people_in(self, chosen: Chosen, from_s: float, to_s: float, *, back: int = 1) -> People:
        who, tally = [np.zeros(0, np.int64)], Tally()
        for hour, columns, whole in self._touching(from_s, to_s, back):
            if whole:
                part = self._hour_people(chosen, hour, columns)
            else:
                part = _people_in(chosen.of(columns).within(from_s, to_s))
            who.append(part.who)
            tally += part.tally
        return People(people_of(np.concatenate(who)), tally)

    def _visits_in(self, chosen: Chosen, from_s: float, to_s: float, re_entry_s: float, *, back: int = 1) -> Visits:
        gathered, day_s = _Gathered(re_entry_s, self._most_visits), 0.0
        for hour, columns, whole in self._touching(from_s, to_s, back):
            if hour * HOUR_S >= day_s + DAY_S:
                day_s = hour * HOUR_S
                gathered.settle(day_s)
            if whole:
                gathered.add(self._hour_visits(chosen, hour, columns, re_entry_s))
            else:
                gathered.add(visits_of(chosen.of(columns).within(from_s, to_s), re_entry_s=re_entry_s))
        return gathered.visits()

    def _settle(self, chosen: Chosen, from_s: float, cut_s: float, re_entry_s: float) -> _Settled:
        return _settled([self._visits_in(chosen, from_s, cut_s, re_entry_s)], cut_s, re_entry_s)

    def _begun(self, chosen: Chosen, from_s: float, to_s: float) -> Tally:
        return _sum(
            self._hour_people(chosen, hour, columns).tally
            if whole
            else tally_of(_begun(chosen.of(columns), from_s, to_s))
            for hour, columns, whole in self._touching(from_s, to_s)
        )

    def _flows(self, chosen: Chosen, from_s: float, to_s: float) -> Flows:
        parts: list[Flows] = []
        for hour, columns in self._hours.crossed_by_hour(floor(from_s / HOUR_S), last_hour(to_s)):
            if from_s <= hour * HOUR_S and (hour + 1) * HOUR_S <= to_s:
                parts.append(self._hour_flows(chosen, hour, columns))
            else:
                parts.append(_flows_in(chosen.of_crossed(columns.within(from_s, to_s))))
        return _sum_of_flows(parts)

    def _touching(self, from_s: float, to_s: float, back: int = 1) -> Iterator[tuple[int, Appearances, bool]]:
        """The hours that may touch the period, each with what began in it and whether all of it lies in the period.

        What begins in an hour is a part of a track and lasts seconds: the hour before the period is enough. None
        before it (`back` 0) leaves what began since the period's beginning, where that is a full hour.
        """
        first, end = ceil(from_s / HOUR_S), floor(to_s / HOUR_S)
        for hour, columns in self._hours.by_hour(floor(from_s / HOUR_S) - back, last_hour(to_s)):
            yield hour, columns, first <= hour < end

    def _hour_people(self, chosen: Chosen, hour: int, columns: Appearances) -> People:
        return self._by_hour.take((chosen, hour), columns, lambda: _people_in(chosen.of(columns)), len)

    def _hour_visits(self, chosen: Chosen, hour: int, columns: Appearances, re_entry_s: float) -> Visits:
        key = (chosen, hour, re_entry_s)
        return self._visits.take(key, columns, lambda: visits_of(chosen.of(columns), re_entry_s=re_entry_s), _size)

    def _hour_flows(self, chosen: Chosen, hour: int, columns: Crossed) -> Flows:
        work_out = partial(_flows_in, chosen.of_crossed(columns))
        return self._small.take(("flows", chosen, hour), columns, work_out, lambda flows: 4 * len(flows))


@dataclass(frozen=True, slots=True)
class Views:
    """A `Source`: what is in the views of the chosen cameras."""

    rollups: Rollups
    chosen: Chosen

    def people(self, from_s: float, to_s: float) -> Estimate:
        return self.rollups.people(self.chosen, from_s, to_s)

    def people_by(self, edges: Sequence[float]) -> list[Estimate]:
        return self.rollups.people_by(self.chosen, edges)

    def visits(self, from_s: float, to_s: float, *, re_entry_s: float) -> Visits:
        return self.rollups.visits(self.chosen, from_s, to_s, re_entry_s=re_entry_s)

    def tally(self, from_s: float, to_s: float) -> Tally:
        return self.rollups.tally(self.chosen, from_s, to_s)

    def begun(self, from_s: float, to_s: float) -> Tally:
        return self.rollups.begun(self.chosen, from_s, to_s)


@dataclass(frozen=True, slots=True)
class ZoneStays:
    """A `Source`: stays in one zone, few enough to look at each."""

    hours: Hours
    chosen: Chosen
    zone_id: str
    most: int

    def people(self, from_s: float, to_s: float) -> Estimate:
        return _people_in(self._seen(from_s, to_s)).estimate()

    def people_by(self, edges: Sequence[float]) -> list[Estimate]:
        return [self.people(*span) for span in pairwise(edges)]

    def visits(self, from_s: float, to_s: float, *, re_entry_s: float) -> Visits:
        return visits_of(self._seen(from_s, to_s), re_entry_s=re_entry_s)

    def tally(self, from_s: float, to_s: float) -> Tally:
        return tally_of(self._seen(from_s, to_s))

    def begun(self, from_s: float, to_s: float) -> Tally:
        return tally_of(_begun(self._seen(from_s, to_s), from_s, to_s))

    def _seen(self, from_s: float, to_s: float) -> Appearances:
        parts: list[Appearances] = []
        for stays in self.hours.stays(self.zone_id, from_s, to_s, back_s=LONGEST_STAY_S):
            parts.append(self.chosen.of(stays))
            if sum(map(len, parts)) > self.most:
                raise TooManyVisits(self.most)
        return joined(parts)


def _settled_until(from_s: float, to_s: float) -> float | None:
    """The last midnight (of Greenwich) of a period that lies well back; None where the period is too short for one."""
    cut_s = floor((to_s - SETTLED_S) / DAY_S) * DAY_S
    return cut_s if cut_s - from_s >= DAY_S else None


def _newcomers(who: Whole, known: Whole) -> int:
    """How many of the people, each there once, are not among the known, who are in order."""
    if not len(known):
        return len(who)
    nearest = known[np.minimum(np.searchsorted(known, who), len(known) - 1)]
    return int((nearest != who).sum())


def _people_in(seen: Appearances) -> People:
    return People(people_of(seen.who), tally_of(seen))


def _begun(seen: Appearances, from_s: float, to_s: float) -> Appearances:
    return seen.where((seen.start_s >= from_s) & (seen.start_s < to_s))


def _flows_in(crossed: Crossed) -> Flows:
    flows: dict[tuple[int, str], tuple[int, int]] = {}
    lines = zip(crossed.camera.tolist(), crossed.line_ids.tolist(), crossed.direction.tolist(), strict=True)
    for camera, line_id, direction in lines:
        entered, left = flows.get((camera, line_id), (0, 0))
        flows[camera, line_id] = (entered + (direction > 0), left + (direction < 0))
    return flows


def _sum_of_flows(parts: Iterable[Flows]) -> Flows:
    flows: dict[tuple[int, str], tuple[int, int]] = {}
    for line, (more_in, more_out) in (entry for part in parts for entry in part.items()):
        entered, left = flows.get(line, (0, 0))
        flows[line] = (entered + more_in, left + more_out)
    return flows


def _settled(parts: Sequence[Visits], at_s: float, re_entry_s: float) -> _Settled:
    """The visits of a period that ends at a moment, by whether they may go on after it."""
    visits = visits_joined(parts, re_entry_s=re_entry_s)
    over = visits.end_s < at_s - re_entry_s
    return _Settled(visits.where(over), visits.where(~over))


def _stacked(*parts: Visits) -> Visits:
    return Visits(
        np.concatenate([part.who for part in parts]),
        np.concatenate([part.camera for part in parts]),
        np.concatenate([part.start_s for part in parts]),
        np.concatenate([part.end_s for part in parts]),
        np.concatenate([part.stretches for part in parts]),
    )


def _sum(tallies: Iterable[Tally]) -> Tally:
    return reduce(add, tallies, Tally())


def _size(visits: Visits) -> int:
    return NUMBERS_A_VISIT * len(visits)
