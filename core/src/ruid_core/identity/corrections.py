"""What one correction changed, so that it can be kept, undone, and taken up again after a restart."""

from collections.abc import Iterable
from dataclasses import dataclass

from ruid_core.identity.statements import Names, Numbered
from ruid_core.identity.values import Revision


@dataclass(frozen=True, slots=True)
class Relabelled:
    """An identity's name before and after; None for no name."""

    identity_id: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Correction:
    """`identity_id` is who stands afterwards; `made` and `unmade` are numbered statements."""

    identity_id: str
    moved: tuple[Revision, ...] = ()
    relabelled: tuple[Relabelled, ...] = ()
    made: tuple[Numbered, ...] = ()
    unmade: tuple[Numbered, ...] = ()

    def tracks_moved(self) -> Names:
        """The tracks that changed hands."""
        return frozenset(revision.track for revision in self.moved)

    def tracks_spoken_of(self) -> Names:
        """The tracks that its statements name."""
        return frozenset(track for _, one in self.made for track in one.left | one.right)

    def rests_on(self, earlier: "Correction") -> bool:
        """Whether undoing `earlier` first would leave this one without ground."""
        if {number for number, _ in self.unmade} & {number for number, _ in earlier.made}:
            return True
        if {one.identity_id for one in self.relabelled} & {one.identity_id for one in earlier.relabelled}:
            return True
        return bool((self.tracks_moved() | self.tracks_spoken_of()) & earlier.tracks_moved())


def resting_on(earlier: Correction, later: Iterable[tuple[int, Correction]]) -> tuple[int, ...]:
    """The numbers of those later corrections that have to be undone before, newest first."""
    return tuple(sorted((number for number, one in later if one.rests_on(earlier)), reverse=True))
