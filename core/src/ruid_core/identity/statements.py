"""What operators said about who is who, by the names of tracks.

Tracks keep their name for ever while identities come and go, so a statement outlives any regrouping. It has a
number that stays with it while tracks leave it: because they were forgotten, or because a later statement says
otherwise.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Names = frozenset[str]
NO_NAMES: Names = frozenset()


@dataclass(frozen=True, slots=True)
class Statement:
    """All tracks of `left` are one person; or, where there is a `right`, none of `left` is any of `right`."""

    left: Names
    right: Names = NO_NAMES

    @property
    def together(self) -> bool:
        """Whether it joins; otherwise it keeps apart."""
        return not self.right

    def says_something(self) -> bool:
        """One track alone is together with nobody and apart from nobody."""
        return len(self.left) > 1 if self.together else bool(self.left)

    def without(self, gone: Names) -> "Statement | None":
        """What is left of it when some tracks are gone; None for nothing."""
        rest = Statement(self.left - gone, self.right - gone)
        return rest if rest.together == self.together and rest.says_something() else None


Numbered = tuple[int, Statement]


class Statements:
    """The statements that stand; bounded by the tracks that are remembered, since forgotten ones leave."""

    def __init__(self) -> None:
        self._standing: dict[int, Statement] = {}
        self._of_track: dict[str, set[int]] = {}
        self._next = 1

    def __iter__(self) -> Iterator[Numbered]:
        return iter(self._standing.items())

    def number(self) -> int:
        """A number that no statement has had."""
        self._next += 1
        return self._next - 1

    def reserve(self, number: int) -> None:
        """A statement has had this number, whether it stands or not."""
        self._next = max(self._next, number + 1)

    def put(self, number: int, statement: Statement) -> None:
        """Let a statement stand."""
        self.reserve(number)
        self._standing[number] = statement
        for track in statement.left | statement.right:
            self._of_track.setdefault(track, set()).add(number)

    def take(self, number: int) -> None:
        """Let a statement fall, if it still stands."""
        statement = self._standing.pop(number, Statement(NO_NAMES))
        for track in statement.left | statement.right:
            numbers = self._of_track[track]
            numbers.discard(number)
            if not numbers:
                del self._of_track[track]

    def about(self, tracks: Iterable[str]) -> list[Numbered]:
        """The statements that name any of the tracks, in the order of their numbers."""
        numbers = {number for track in tracks for number in self._of_track.get(track, ())}
        return [(number, self._standing[number]) for number in sorted(numbers)]

    def binds(self, track: str) -> bool:
        """Whether the track is together with others."""
        return any(self._standing[number].together for number in self._of_track.get(track, ()))

    def foes(self, track: str) -> set[str]:
        """Tracks that this one must be kept apart from."""
        foes: set[str] = set()
        for number in self._of_track.get(track, ()):
            statement = self._standing[number]
            if not statement.together:
                foes |= statement.right if track in statement.left else NO_NAMES
                foes |= statement.left if track in statement.right else NO_NAMES
        return foes

    def forget(self, tracks: Iterable[str]) -> None:
        """The tracks are known no longer."""
        gone = frozenset(track for track in tracks if track in self._of_track)
        for number, statement in self.about(gone):
            self._replace(number, statement.without(gone))

    def release(self, track: str) -> None:
        """The track is no longer together with anybody: it was seen beside one of them."""
        for number, statement in self.about((track,)):
            if statement.together:
                self._replace(number, statement.without(frozenset((track,))))

    def _replace(self, number: int, statement: Statement | None) -> None:
        self.take(number)
        if statement is not None:
            self.put(number, statement)


def cut_from(statement: Statement, some: Names, rest: Names) -> list[Statement]:
    """What remains of a statement that joined `some` with `rest` once they are apart."""
    parts = (Statement(statement.left - some), Statement(statement.left - rest))
    return [part for part in parts if part.says_something()]


def without_pairs(statement: Statement, some: Names, others: Names) -> list[Statement]:
    """What remains of a statement that keeps apart, once `some` may be `others`."""
    left, right = statement.left, statement.right
    if not (left & some and right & others):
        left, right = right, left
    parts = (Statement(left - some, right), Statement(left & some, right - others))
    return [part for part in parts if part.left and part.right]
