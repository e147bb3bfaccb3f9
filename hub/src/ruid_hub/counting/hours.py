"""Hours as columns, kept in memory until something in them changes.

The store says which hours a commit, a correction or an erasure touched; a load that was under way then is used once
and not kept. Memory is bounded by rows: the hours that were not asked for longest go first.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ruid_core.occupancy import NOBODY, Appearances
from ruid_core.occupancy.values import Flags, Real, Whole
from ruid_hub.store import Store, counts

MOST_ROWS = 1_500_000
MOST_HOURS = 24 * 800
NEARLY_FULL = 0.9
HOUR_S = 3600.0
HOURS_A_LOAD = 24
"""Rows weigh ten times as much while they are on their way out of the database."""
Texts = NDArray[np.object_]


@dataclass(frozen=True, slots=True, eq=False)
class Stays:
    """Who was in which zone: `zone_ids` (N,) runs beside `seen`."""

    seen: Appearances
    zone_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.seen)


@dataclass(frozen=True, slots=True, eq=False)
class Crossed:
    """Who crossed which line, by time; (N,) each."""

    at_s: Real
    camera: Whole
    direction: Whole
    who: Whole
    line_ids: Texts

    def __len__(self) -> int:
        return len(self.at_s)

    def where(self, chosen: Flags | Whole | slice) -> "Crossed":
        """The crossings that are chosen."""
        return Crossed(
            self.at_s[chosen], self.camera[chosen], self.direction[chosen], self.who[chosen], self.line_ids[chosen]
        )

    def within(self, from_s: float, to_s: float) -> "Crossed":
        """The crossings of the half-open period."""
        return self.where((self.at_s >= from_s) & (self.at_s < to_s))


_Columns = TypeVar("_Columns", Appearances, Stays, Crossed)
_Load = Callable[[int, int], dict[int, _Columns]]


class _Kept(Generic[_Columns]):
    """One kind of columns by hour. Any thread may call."""

    def __init__(self, load: "_Load[_Columns]", nothing: _Columns, most_rows: int) -> None:
        self._load = load
        self._nothing = nothing
        self._most_rows = most_rows
        self._hours: OrderedDict[int, _Columns] = OrderedDict()
        self._rows = 0
        self._stamp = 0
        self._touched: OrderedDict[int, int] = OrderedDict()
        self._all_touched = 0
        self._lock = Lock()

    def by_hour(self, from_hour: int, to_hour: int) -> Iterator[tuple[int, _Columns]]:
        """The columns of the hours, both included, each with its hour, in order; empty hours are left out.

        A load at a time: of what finds no room beside the others, no more is in memory.
        """
        for first in range(from_hour, to_hour + 1, HOURS_A_LOAD):
            yield from self._few(range(first, min(first + HOURS_A_LOAD, to_hour + 1)))

    def _few(self, wanted: range) -> list[tuple[int, _Columns]]:
        with self._lock:
            found = {hour: self._hours[hour] for hour in wanted if hour in self._hours}
            stamp = self._stamp
            for hour in found:
                self._hours.move_to_end(hour)
        for first, last in _runs([hour for hour in wanted if hour not in found]):
            loaded = self._load(first, last)
            fresh = {hour: loaded.get(hour, self._nothing) for hour in range(first, last + 1)}
            self._keep(fresh, stamp)
            found |= fresh
        return [(hour, found[hour]) for hour in wanted if len(found[hour])]

    def stamp(self, from_hour: int, to_hour: int) -> int:
        """Becomes another whenever something in these hours, both included, changes."""
        with self._lock:
            return max(self._touched.get(hour, self._all_touched) for hour in range(from_hour, to_hour + 1))

    def touch(self, hours: Iterable[int]) -> None:
        """Something in these hours has changed."""
        with self._lock:
            self._stamp += 1
            for hour in hours:
                self._drop(hour)
                self._touched[hour] = self._stamp
                self._touched.move_to_end(hour)
            while len(self._touched) > MOST_HOURS:
                _, self._all_touched = self._touched.popitem(last=False)

    @property
    def full(self) -> bool:
        """Whether another day might push out what is kept."""
        return self._rows > NEARLY_FULL * self._most_rows

    def _keep(self, fresh: dict[int, _Columns], stamp: int) -> None:
        with self._lock:
            for hour, columns in fresh.items():
                if self._touched.get(hour, self._all_touched) <= stamp:
                    self._drop(hour)
                    self._hours[hour] = columns
                    self._rows += len(columns)
            while self._rows > self._most_rows or len(self._hours) > MOST_HOURS:
                self._drop(next(iter(self._hours)))

    def _drop(self, hour: int) -> None:
        dropped = self._hours.pop(hour, None)
        self._rows -= len(dropped) if dropped is not None else 0


class Hours:
    """The columns of a store, by hours. Any thread may call."""

    def __init__(self, store: Store, *, most_rows: int = MOST_ROWS) -> None:
        self._store = store
        self._appearances = _Kept(self._load_appearances, NOBODY, most_rows)
        self._stays = _Kept(self._load_stays, _NO_STAYS, most_rows // 4)
        self._crossed = _Kept(self._load_crossed, _NO_CROSSINGS, most_rows // 4)
        store.watch(self.touch)

    @property
    def full(self) -> bool:
        """Whether there is no room for another day beside what is kept."""
        return any(kept.full for kept in (self._appearances, self._stays, self._crossed))

    def touch(self, hours: Iterable[int]) -> None:
        """Something in these hours has changed."""
        touched = frozenset(hours)
        for kept in (self._appearances, self._stays, self._crossed):
            kept.touch(touched)

    def any_before(self, at_s: float) -> bool:
        """Whether anything was counted before a moment."""
        with self._store.reading() as connection:
            first = counts.first_hour(connection)
        return first is not None and first * HOUR_S < at_s

    def appearances(self, from_s: float, to_s: float) -> Appearances:
        """Everybody who was in view for a part of the period, at least.

        A part of a track is counted to the hour that it began in, and lasts seconds: one more hour is enough.
        """
        parts = self._appearances.by_hour(_hour(from_s) - 1, last_hour(to_s))
        return joined([columns for _, columns in parts]).within(from_s, to_s)

    def by_hour(self, from_hour: int, to_hour: int) -> Iterator[tuple[int, Appearances]]:
        """Who came into view in each of the hours, both included; empty hours are left out.

        The columns of an hour are the same thing until something in it changes.
        """
        return self._appearances.by_hour(from_hour, to_hour)

    def stamp(self, from_s: float, to_s: float) -> int:
        """Becomes another whenever something that `appearances` would give changes; ask before you read."""
        return self._appearances.stamp(_hour(from_s) - 1, last_hour(to_s))

    def stays(self, zone_id: str, from_s: float, to_s: float, *, back_s: float) -> Iterator[Appearances]:
        """The stays in zones of a name that touch the period, of those that began `back_s` before it at the earliest.

        By hours, in order.
        """
        for _, stays in self._stays.by_hour(_hour(from_s - back_s), _hour(to_s)):
            here = np.fromiter((one == zone_id for one in stays.zone_ids), np.bool_, len(stays))
            yield stays.seen.where(here & (stays.seen.start_s < to_s) & (stays.seen.end_s >= from_s))

    def crossed(self, from_s: float, to_s: float) -> Crossed:
        """The crossings of the half-open period."""
        parts = [columns for _, columns in self._crossed.by_hour(_hour(from_s), last_hour(to_s))]
        if not parts:
            return _NO_CROSSINGS
        all_hours = Crossed(
            np.concatenate([part.at_s for part in parts]),
            np.concatenate([part.camera for part in parts]),
            np.concatenate([part.direction for part in parts]),
            np.concatenate([part.who for part in parts]),
            np.concatenate([part.line_ids for part in parts]),
        )
        return all_hours.within(from_s, to_s)

    def crossed_by_hour(self, from_hour: int, to_hour: int) -> Iterator[tuple[int, Crossed]]:
        """Who crossed which line in each of the hours, both included, as `by_hour` gives it."""
        return self._crossed.by_hour(from_hour, to_hour)

    def crossed_stamp(self, from_s: float, to_s: float) -> int:
        """As `stamp`, of what `crossed` would give."""
        return self._crossed.stamp(_hour(from_s), last_hour(to_s))

    def _load_appearances(self, from_hour: int, to_hour: int) -> dict[int, Appearances]:
        with self._store.reading() as connection:
            columns = counts.appearance_columns(connection, from_hour, to_hour)
        return {hour: _cut(columns.seen, rows) for hour, rows in _by_hour(columns.hour)}

    def _load_stays(self, from_hour: int, to_hour: int) -> dict[int, Stays]:
        with self._store.reading() as connection:
            columns = counts.stay_columns(connection, from_hour, to_hour)
        return {hour: Stays(_cut(columns.seen, rows), columns.zone_ids[rows]) for hour, rows in _by_hour(columns.hour)}

    def _load_crossed(self, from_hour: int, to_hour: int) -> dict[int, Crossed]:
        with self._store.reading() as connection:
            columns = counts.crossing_columns(connection, from_hour, to_hour)
        line_ids = np.array(columns.line_ids, np.object_)
        crossed = Crossed(columns.at_s, columns.camera, columns.direction, columns.who, line_ids)
        return {hour: _copied(crossed.where(rows)) for hour, rows in _by_hour(columns.hour)}


def last_hour(to_s: float) -> int:
    """The hour that the last moment of a half-open period lies in."""
    return ceil(to_s / HOUR_S) - 1


def joined(parts: Sequence[Appearances]) -> Appearances:
    """One set of columns from several."""
    if not parts:
        return NOBODY
    if len(parts) == 1:
        return parts[0]
    return Appearances(
        np.concatenate([part.who for part in parts]),
        np.concatenate([part.camera for part in parts]),
        np.concatenate([part.start_s for part in parts]),
        np.concatenate([part.end_s for part in parts]),
        np.concatenate([part.doubt for part in parts]),
        np.concatenate([part.newcomer for part in parts]),
    )


_NO_STAYS = Stays(NOBODY, ())
_NO_CROSSINGS = Crossed(
    np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.object_)
)


def _hour(at_s: float) -> int:
    return int(at_s // HOUR_S)


def _cut(seen: Appearances, rows: slice) -> Appearances:
    # Copies: a view would keep the whole load in memory for as long as one of its hours.
    return Appearances(
        seen.who[rows].copy(),
        seen.camera[rows].copy(),
        seen.start_s[rows].copy(),
        seen.end_s[rows].copy(),
        seen.doubt[rows].copy(),
        seen.newcomer[rows].copy(),
    )


def _copied(crossed: Crossed) -> Crossed:
    return Crossed(
        crossed.at_s.copy(),
        crossed.camera.copy(),
        crossed.direction.copy(),
        crossed.who.copy(),
        crossed.line_ids.copy(),
    )


def _by_hour(hours: Whole) -> list[tuple[int, slice]]:
    """The stretches of equal hours in a column that ascends."""
    if not len(hours):
        return []
    starts = np.concatenate(([0], np.flatnonzero(np.diff(hours)) + 1, [len(hours)]))
    return [(int(hours[first]), slice(int(first), int(last))) for first, last in pairwise(starts)]


def _runs(hours: Sequence[int]) -> list[tuple[int, int]]:
    """Unbroken runs of ascending hours, as first and last, none longer than HOURS_A_LOAD."""
    runs: list[tuple[int, int]] = []
    for hour in hours:
        if runs and hour == runs[-1][1] + 1 and hour < runs[-1][0] + HOURS_A_LOAD:
            runs[-1] = (runs[-1][0], hour)
        else:
            runs.append((hour, hour))
    return runs
