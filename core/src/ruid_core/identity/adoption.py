"""A consolidation becomes the truth, as far as it still holds.

Observations and operators have gone on while it was thought over. What they touched keeps its newer answer, with
all that operators bound to it; everything else goes where the consolidation says, unless somebody is there now
with whom it cannot be.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ruid_core.identity.arrays import Flags, Ints
from ruid_core.identity.gallery import NOBODY, Gallery
from ruid_core.identity.rethinking import Thought
from ruid_core.identity.roster import foe_rows
from ruid_core.identity.snapshot import Snapshot, untouched
from ruid_core.identity.values import Revision


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """Who keeps the newer answer: `tracks` (H,) and whose `archives` are rows, `identities` whose they are."""

    tracks: Ints
    archives: set[int]
    identities: set[int]


def adopt(
    gallery: Gallery, snapshot: Snapshot, thought: Thought, *, next_identity_id: Callable[[], str]
) -> tuple[Revision, ...]:
    """Make the thought the truth; returns who moved."""
    gallery.turn(thought.projection, thought.prepared)
    free = untouched(gallery, snapshot)
    goals = _goals(gallery, snapshot, thought, free, next_identity_id)
    held = _held(gallery, snapshot, free)
    _make_way(gallery, snapshot, goals, held, next_identity_id)
    movers = np.flatnonzero(goals != snapshot.identities)
    moves = [(int(snapshot.identities[node]), int(goals[node])) for node in movers.tolist()]
    rows: list[int] = snapshot.tracks[movers[movers < len(snapshot.tracks)]].tolist()
    gallery.move_together(rows, [new for _, new in moves[: len(rows)]])
    went = [[gallery.tracks.names[row]] for row in rows]
    went += gallery.move_archives(moves[len(rows) :])
    gallery.recount()
    names = gallery.identities.names
    revisions = [
        Revision(track, names[old], names[new])
        for (old, new), tracks in zip(moves, went, strict=True)
        for track in tracks
    ]
    gallery.drop_empty(np.unique(np.concatenate([snapshot.identities[movers], goals[free]])).tolist())
    return tuple(revisions)


def _goals(
    gallery: Gallery, snapshot: Snapshot, thought: Thought, free: Flags, next_identity_id: Callable[[], str]
) -> Ints:
    """Whose each node (N,) shall be: rows of identities; those that are not free stay."""
    identities = gallery.identities
    rows = np.where(identities.epochs[thought.chosen] <= snapshot.epoch, thought.chosen, NOBODY)
    wanted = np.unique(thought.groups[free])
    for group in wanted[rows[wanted] == NOBODY].tolist():
        known = identities.rows.get(snapshot.names.get(int(thought.chosen[group]), ""))
        rows[group] = identities.add(next_identity_id()) if known is None else known
    return np.where(free, rows[thought.groups], snapshot.identities)


def _held(gallery: Gallery, snapshot: Snapshot, free: Flags) -> _Held:
    tracks, first = gallery.tracks, len(snapshot.tracks)
    rows = np.setdiff1d(tracks.used(), snapshot.tracks[free[:first]], assume_unique=True)
    archives = np.setdiff1d(gallery.archived(), snapshot.archives[free[first:]], assume_unique=True)
    archives_of = set(archives.tolist())
    return _Held(rows, archives_of, archives_of | set(tracks.identities[rows].tolist()))


def _make_way(
    gallery: Gallery, snapshot: Snapshot, goals: Ints, held: _Held, next_identity_id: Callable[[], str]
) -> None:
    """Who cannot be where they shall go, with all that are bound to them, stay together by themselves."""
    moving = goals != snapshot.identities
    nodes = np.flatnonzero(moving & np.isin(goals, list(held.identities))).tolist()
    clashing = [node for node in nodes if _clashes(gallery, snapshot, node, int(goals[node]), held)]
    for owner in dict.fromkeys(snapshot.owners[clashing].tolist()):
        together = np.flatnonzero(moving & (snapshot.owners == owner))
        former = int(snapshot.identities[together[0]])
        left = former not in held.identities and former not in goals
        goals[together] = former if left else gallery.identities.add(next_identity_id())


def _clashes(gallery: Gallery, snapshot: Snapshot, node: int, goal: int, held: _Held) -> bool:
    """Whether somebody who is held there was in view beside the node, or is kept from it by operators."""
    beside = held.tracks[gallery.tracks.identities[held.tracks] == goal]
    for when in snapshot.seen(node):
        if goal in held.archives and gallery.spans.overlaps(goal, *when):
            return True
        if gallery.tracks.overlapping(beside, *when):
            return True
    if node < len(snapshot.tracks):
        return goal in foe_rows(gallery, gallery.tracks.names[int(snapshot.tracks[node])])
    return _archives_are_foes(gallery, int(snapshot.identities[node]), goal)


def _archives_are_foes(gallery: Gallery, archive: int, goal: int) -> bool:
    """Whether operators keep a folded track of one identity from any track of another."""
    for _, statement in gallery.statements:
        sides = [{gallery.identity_row(name) for name in names} for names in (statement.left, statement.right)]
        if (archive in sides[0] and goal in sides[1]) or (archive in sides[1] and goal in sides[0]):
            return True
    return False
