"""The operator's hand: what a person says about who is who, which the engine then holds to.

Every operation gives a `Correction`. Keep it: `undo` takes it back, and after a restart `resume` lets the
statements of those that still stand hold again. The newest word of an operator counts: it cuts what it contradicts
out of earlier statements. Only what a camera saw counts for more: two in view together are two.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np

from ruid_core.identity.corrections import Correction, Relabelled
from ruid_core.identity.errors import InViewTogether, NothingToChange, UnknownIdentity, UnknownTrack
from ruid_core.identity.gallery import Gallery
from ruid_core.identity.roster import forget, give, identity_row, members, seen_together
from ruid_core.identity.statements import Names, Numbered, Statement, Statements, cut_from, without_pairs
from ruid_core.identity.values import Revision


class CorrectableEngine(Protocol):
    """What the hand needs of the engine that it corrects."""

    @property
    def gallery(self) -> Gallery | None:
        """What is remembered; None before the first evidence."""
        ...

    def settle(self, track: str) -> str:
        """Whom the track would belong to if it were decided now, away from its present identity."""
        ...


class Hand:
    """Corrects an engine's answers; has the engine's owner."""

    def __init__(self, engine: CorrectableEngine, *, next_identity_id: Callable[[], str]) -> None:
        self._engine = engine
        self._next_identity_id = next_identity_id

    # --- operations ------------------------------------------------------------------------------------------

    def rename(self, identity_id: str, label: str | None) -> Correction:
        """Give an identity a name, or take it away."""
        gallery = self._of(identity_id)
        before = gallery.labels.get(identity_row(gallery, identity_id))
        if label == before:
            raise NothingToChange
        relabelled = (Relabelled(identity_id, before, label),)
        _label(gallery, relabelled)
        return Correction(identity_id, relabelled=relabelled)

    def merge(self, kept_id: str, merged_id: str) -> Correction:
        """The two are one person, for good; a name that only `merged_id` has goes to `kept_id`."""
        gallery = self._of(kept_id)
        kept, merged = (members(gallery, identity_row(gallery, one)) for one in (kept_id, merged_id))
        if kept_id == merged_id:
            raise NothingToChange
        _refuse_if_seen_together(gallery, kept, merged)
        everybody = kept | merged
        unmade, made = _allow(gallery.statements, everybody, everybody)
        joined = (gallery.statements.number(), Statement(everybody))
        relabelled = _label_of_merged(gallery, kept_id, merged_id)
        moved = give(gallery, merged, kept_id)
        return _stand(gallery, Correction(kept_id, moved, relabelled, (*made, joined), unmade))

    def split(self, identity_id: str, tracks: Iterable[str]) -> Correction:
        """These tracks are one person, and not the one that they were taken for."""
        gallery = self._of(identity_id)
        everybody, some = members(gallery, identity_row(gallery, identity_id)), frozenset(tracks)
        for track in sorted(some - everybody):
            raise UnknownTrack(track)
        rest = everybody - some
        if not some or not rest:
            raise NothingToChange
        unmade, made = _part(gallery.statements, some, rest)
        apart = (gallery.statements.number(), Statement(some, rest))
        together = [(gallery.statements.number(), Statement(some))] if len(some) > 1 else []
        new_id = self._next_identity_id()
        return _stand(gallery, Correction(new_id, give(gallery, some, new_id), (), (*made, apart, *together), unmade))

    def move(self, track: str, identity_id: str | None) -> Correction:
        """One track belongs to another identity, or to a new one (None)."""
        gallery = self._of_track(track)
        own = members(gallery, gallery.identity_row(track)) - {track}
        if identity_id is None:
            return self.split(gallery.name_of(track), (track,))
        target = members(gallery, identity_row(gallery, identity_id))
        if track in target:
            raise NothingToChange
        alone = frozenset((track,))
        _refuse_if_seen_together(gallery, alone, target)
        unmade, made = _part(gallery.statements, alone, own)
        allowed, remains = _allow(gallery.statements, alone, target)
        anchor = (gallery.statements.number(), Statement(alone | {_typical(gallery, identity_id, target)}))
        apart = [(gallery.statements.number(), Statement(alone, own))] if own else []
        relabelled = () if own else _label_of_merged(gallery, identity_id, gallery.name_of(track))
        moved = give(gallery, alone, identity_id)
        made, unmade = (*made, *remains, anchor, *apart), (*unmade, *allowed)
        return _stand(gallery, Correction(identity_id, moved, relabelled, made, unmade))

    def not_this_person(self, track: str, identity_id: str) -> Correction:
        """The track is not this person, now or later; if it was taken for them, it is decided anew."""
        gallery = self._of_track(track)
        others = members(gallery, identity_row(gallery, identity_id)) - {track}
        alone = frozenset((track,))
        if not others or others <= gallery.statements.foes(track):
            raise NothingToChange
        unmade, made = _part(gallery.statements, alone, others)
        apart = (gallery.statements.number(), Statement(alone, others))
        correction = _stand(gallery, Correction(identity_id, (), (), (*made, apart), unmade))
        if gallery.name_of(track) != identity_id:
            return correction
        moved = give(gallery, alone, self._engine.settle(track))
        return replace(correction, identity_id=gallery.name_of(track), moved=moved)

    def different(self, one_id: str, other_id: str) -> Correction:
        """The two are two people, for good."""
        gallery = self._of(one_id)
        one, other = (members(gallery, identity_row(gallery, name)) for name in (one_id, other_id))
        if one_id == other_id:
            raise NothingToChange
        apart = (gallery.statements.number(), Statement(one, other))
        return _stand(gallery, Correction(one_id, made=(apart,)))

    def undo(self, correction: Correction) -> tuple[Revision, ...]:
        """Take a correction back; returns who moved. Undo what `rests_on` it first.

        A track that has been in view beside somebody of its former identity since then stays where it is.
        """
        gallery = self._engine.gallery
        if gallery is None:
            return ()
        for number, _ in correction.made:
            gallery.statements.take(number)
        back: dict[str, set[str]] = {}
        for revision in correction.moved:
            back.setdefault(revision.from_identity_id, set()).add(revision.track)
        revisions = [one for name, tracks in back.items() for one in _give_back(gallery, tracks, name)]
        for number, statement in correction.unmade:
            _put_known(gallery, number, statement)
        _label(gallery, [Relabelled(one.identity_id, one.after, one.before) for one in correction.relabelled])
        return tuple(revisions)

    def redo(self, correction: Correction) -> None:
        """Take the undoing of a correction back, before anything else has happened."""
        gallery = self._of(correction.identity_id)
        for identity_id in dict.fromkeys(revision.to_identity_id for revision in correction.moved):
            tracks = [one.track for one in correction.moved if one.to_identity_id == identity_id]
            give(gallery, tracks, identity_id)
        _label(gallery, correction.relabelled)
        _stand(gallery, correction)

    def resume(self, standing: Iterable[Correction], labels: dict[str, str]) -> None:
        """After a restart: the statements of the corrections that stand, in order, and the names, hold again.

        Tracks that have been forgotten, or released from their bond since, are left out.
        """
        gallery = self._engine.gallery
        if gallery is None:
            return
        for correction in standing:
            for number, _ in correction.unmade:
                gallery.statements.take(number)
            for number, statement in correction.made:
                _put_known(gallery, number, statement)
        _label(gallery, [Relabelled(name, None, label) for name, label in labels.items()])

    def erase(self, identity_id: str) -> Names:
        """Forget a person for good; returns the tracks that were forgotten."""
        gallery = self._of(identity_id)
        return forget(gallery, identity_row(gallery, identity_id))

    # --- what can be asked -----------------------------------------------------------------------------------

    def members(self, identity_id: str) -> Names:
        """The tracks of an identity."""
        gallery = self._of(identity_id)
        return members(gallery, identity_row(gallery, identity_id))

    def label_of(self, identity_id: str) -> str | None:
        """The name that an operator gave to an identity."""
        gallery = self._of(identity_id)
        return gallery.labels.get(identity_row(gallery, identity_id))

    def statements(self) -> tuple[Numbered, ...]:
        """What operators said and what still holds, by number."""
        return tuple(sorted(self._engine.gallery.statements, key=lambda one: one[0])) if self._engine.gallery else ()

    def _of(self, identity_id: str) -> Gallery:
        if self._engine.gallery is None:
            raise UnknownIdentity(identity_id)
        return self._engine.gallery

    def _of_track(self, track: str) -> Gallery:
        if self._engine.gallery is None or self._engine.gallery.camera_of(track) is None:
            raise UnknownTrack(track)
        return self._engine.gallery


def _refuse_if_seen_together(gallery: Gallery, some: Names, others: Names) -> None:
    clash = seen_together(gallery, some, others)
    if clash is not None:
        raise InViewTogether(*clash)


def _stand(gallery: Gallery, correction: Correction) -> Correction:
    """Let what a correction says hold, and what it contradicts fall."""
    for number, _ in correction.unmade:
        gallery.statements.take(number)
    for number, statement in correction.made:
        gallery.statements.put(number, statement)
    return correction


Changed = tuple[tuple[Numbered, ...], tuple[Numbered, ...]]


def _part(statements: Statements, some: Names, rest: Names) -> Changed:
    """Statements that would join `some` with `rest`, and what remains of them."""
    unmade = [one for one in statements.about(some) if one[1].together and one[1].left & rest]
    remains = [part for _, statement in unmade for part in cut_from(statement, some, rest)]
    return tuple(unmade), tuple((statements.number(), part) for part in remains)


def _allow(statements: Statements, some: Names, others: Names) -> Changed:
    """Statements that would keep `some` from `others`, and what remains of them."""
    unmade = [
        (number, statement)
        for number, statement in statements.about(some)
        if (statement.left & some and statement.right & others) or (statement.left & others and statement.right & some)
    ]
    remains = [part for _, statement in unmade for part in without_pairs(statement, some, others)]
    return tuple(unmade), tuple((statements.number(), part) for part in remains)


def _typical(gallery: Gallery, identity_id: str, tracks: Names) -> str:
    """Of the tracks of an identity, the one most like it; any where all are folded."""
    total = gallery.identities.sums[gallery.identities.rows[identity_id]]
    rows = {track: gallery.tracks.rows[track] for track in sorted(tracks) if track in gallery.tracks.rows}
    if not rows:
        return min(tracks)
    alike = gallery.tracks.vectors[list(rows.values())] @ total
    return list(rows)[int(np.argmax(alike))]


def _label_of_merged(gallery: Gallery, kept_id: str, merged_id: str) -> tuple[Relabelled, ...]:
    """Names after `merged_id` has gone into `kept_id`; applied to the kept one at once."""
    kept, merged = (gallery.labels.get(gallery.identities.rows[one]) for one in (kept_id, merged_id))
    if merged is None:
        return ()
    gone = Relabelled(merged_id, merged, None)
    changes = (gone,) if kept is not None else (gone, Relabelled(kept_id, None, merged))
    _label(gallery, changes)
    return changes


def _label(gallery: Gallery, changes: Iterable[Relabelled]) -> None:
    """Apply names to the identities that there are."""
    for change in changes:
        row = gallery.identities.rows.get(change.identity_id)
        if row is not None and change.after is None:
            gallery.labels.pop(row, None)
        elif row is not None and change.after is not None:
            gallery.labels[row] = change.after


def _put_known(gallery: Gallery, number: int, statement: Statement) -> None:
    """Let a statement hold for the tracks that are remembered and for which it is true."""
    gallery.statements.reserve(number)
    everybody = statement.left | statement.right
    known = frozenset(track for track in everybody if gallery.camera_of(track) is not None)
    homes = {track: gallery.identity_row(track) for track in known}
    if statement.together:
        home = max(homes.values(), key=[*homes.values()].count, default=-1)
        known = frozenset(track for track in known if homes[track] == home)
    else:
        taken = {homes[track] for track in known & statement.left}
        known = frozenset(track for track in known if track in statement.left or homes[track] not in taken)
    rest = statement.without(everybody - known)
    if rest is not None:
        gallery.statements.put(number, rest)


def _give_back(gallery: Gallery, tracks: set[str], identity_id: str) -> tuple[Revision, ...]:
    """Give tracks to their former identity, as far as they are known and can be there."""
    row = gallery.identities.rows.get(identity_id)
    there = members(gallery, row) if row is not None else frozenset[str]()
    free = {
        track
        for track in tracks
        if gallery.camera_of(track) is not None
        and seen_together(gallery, frozenset((track,)), there - {track}) is None
        and not gallery.statements.foes(track) & there
    }
    return give(gallery, free, identity_id) if free else ()
