"""What was worked out, for as long as what it was made from stays the same."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

_Figure = TypeVar("_Figure")


def single(_: object) -> int:
    """The size of what holds few numbers."""
    return 1


class Shelf(Generic[_Figure]):
    """Figures that hold while what they were made from stays the same; those not asked for longest go first.

    Any thread may ask. Each counts as its numbers and twenty more, for its frame.
    """

    def __init__(self, most_numbers: int) -> None:
        self._most_numbers = most_numbers
        self._kept: OrderedDict[Hashable, tuple[object, _Figure, int]] = OrderedDict()
        self._numbers = 0
        self._lock = Lock()

    def take(
        self, key: Hashable, made_from: object, work_out: Callable[[], _Figure], size: Callable[[_Figure], int] = single
    ) -> _Figure:
        """The figure that was made from this, or a new one."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept[0] == made_from:
                self._kept.move_to_end(key)
                return kept[1]
        figure = work_out()
        with self._lock:
            self._drop(key)
            numbers = size(figure) + 20
            self._kept[key] = (made_from, figure, numbers)
            self._numbers += numbers
            while self._numbers > self._most_numbers:
                self._drop(next(iter(self._kept)))
        return figure

    def _drop(self, key: Hashable) -> None:
        dropped = self._kept.pop(key, None)
        self._numbers -= dropped[2] if dropped is not None else 0
