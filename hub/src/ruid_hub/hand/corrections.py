"""Corrections as the recognition worker makes them: in the engine, then in the store, in one transaction.

Where the store will not have it, the engine takes it back, so that the two never differ. After a restart `resume`
lets everything that still stands hold again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ruid_core import identity as core
from ruid_core.identity import Correction, Hand, IdentityEngine, Relabelled, TrackletEngine, resting_on
from ruid_hub.cards import KnownPerson
from ruid_hub.hand.errors import (
    CannotUndo,
    CorrectionsUnavailable,
    HandError,
    InViewTogether,
    LaterOperations,
    LookExpired,
    NothingToChange,
    NotWritten,
    UnknownOperation,
    UnknownPerson,
    UnknownSighting,
    WrongEmbedding,
)
from ruid_hub.hand.values import (
    Erased,
    Explanation,
    FormerIdentity,
    Likeness,
    Operation,
    OperationKind,
    Prototype,
    Spoke,
    Suggestion,
)
from ruid_hub.identities import RuidClusterer
from ruid_hub.observations import TrackKey
from ruid_hub.site import default_label
from ruid_hub.store import Store, StoreWriteError
from ruid_hub.store import hand as kept
from ruid_hub.store.hand import OperationRow

MOST_STANDING = 5000
"""Operations that can be undone; older ones hold, but for good."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction changed for the live picture: tracks that moved, people as they are now, and who is gone."""

    operation: Operation
    moved: tuple[tuple[TrackKey, str], ...]
    people: tuple[KnownPerson, ...]
    gone: tuple[str, ...]


class Corrections:
    """Corrects one engine and one store; has the engine's owner."""

    def __init__(self, *, store: Store, engine: IdentityEngine, clock: Callable[[], float]) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._standing: dict[int, Correction] = {}

    def resume(self) -> None:
        """After the engine was rebuilt: hold to what operators said."""
        with self._store.reading() as connection:
            rows, labels = kept.standing_operations(connection), kept.labels(connection)
        standing = {row.operation_id: _decoded(row) for row in rows}
        if isinstance(self._engine, RuidClusterer):
            self._engine.tracklets.hand.resume(standing.values(), labels)
        self._standing = dict(list(standing.items())[-MOST_STANDING:])

    def note(self, revisions: list[core.Revision], *, cause: str) -> None:
        """Keep whom the engine's own second thoughts took tracks from; a full disk loses no more than the note."""
        if not revisions:
            return
        former = [(one.track, one.from_identity_id) for one in revisions]
        with suppress(StoreWriteError), self._store.writing() as connection:
            kept.note_former(connection, former, until_s=self._clock(), cause=cause)

    def sweep(self) -> int:
        """Forget whom tracks belonged to longer ago than history is kept; how many notes went. Any thread may call."""
        with self._store.writing() as connection:
            return kept.forget_former(connection, self._clock() - self._store.retention.history_s)

    # --- operations ----------------------------------------------------------------------------------------------

    def rename(self, identity_id: str, new_name: str | None, actor: str) -> Corrected:
        """See `OperatorHand.rename`; somebody whose look has expired can be named too."""
        label = (new_name or "").strip() or None
        before = self._label(identity_id)
        text = (
            f"{self._name(identity_id)} is called {label}" if label else f"{before or ''} has no name any more".strip()
        )
        try:
            correction = self._hand.rename(identity_id, label)
        except core.UnknownIdentity:
            correction = self._renamed_in_store(identity_id, before, label)
        except core.NothingToChange as error:
            raise NothingToChange from error
        return self._keep(OperationKind.RENAME, actor, correction, None, text)

    def merge(self, kept_id: str, merged_id: str, actor: str) -> Corrected:
        """See `OperatorHand.merge`."""
        text = f"{self._name(merged_id)} is {self._name(kept_id)}"
        correction = self._with_forgotten(self._merged(kept_id, merged_id), merged_id)
        return self._keep(OperationKind.MERGE, actor, correction, merged_id, text)

    def split(self, identity_id: str, tracks: tuple[TrackKey, ...], actor: str) -> Corrected:
        """See `OperatorHand.split`."""
        text = f"{len(tracks)} of {self._name(identity_id)}'s sightings are somebody else"
        correction = _translated(lambda: self._hand.split(identity_id, [str(track) for track in tracks]))
        return self._keep(OperationKind.SPLIT, actor, correction, identity_id, text)

    def move(self, track: TrackKey, identity_id: str | None, actor: str) -> Corrected:
        """See `OperatorHand.move`."""
        owner_id = _translated(lambda: self._tracklets.identity_of(str(track)))
        goal = "somebody new" if identity_id is None else self._name(identity_id)
        text = f"a sighting of {self._name(owner_id)} is {goal}"
        correction = _translated(lambda: self._hand.move(str(track), identity_id))
        return self._keep(OperationKind.MOVE, actor, correction, owner_id, text)

    def not_this_person(self, track: TrackKey, identity_id: str, actor: str) -> Corrected:
        """See `OperatorHand.not_this_person`."""
        text = f"a sighting is not {self._name(identity_id)}"
        correction = _translated(lambda: self._hand.not_this_person(str(track), identity_id))
        return self._keep(OperationKind.NOT_THIS_PERSON, actor, correction, identity_id, text)

    def different(self, one_id: str, other_id: str, actor: str) -> Corrected:
        """Two people for good."""
        text = f"{self._name(one_id)} and {self._name(other_id)} are two people"
        correction = _translated(lambda: self._hand.different(one_id, other_id))
        return self._keep(OperationKind.DIFFERENT, actor, correction, other_id, text)

    def undo(self, operation_id: int, actor: str) -> Corrected:
        """See `OperatorHand.undo`."""
        with self._store.reading() as connection:
            row = kept.operation(connection, operation_id)
        if row is None:
            raise UnknownOperation(operation_id)
        correction = self._standing.get(operation_id)
        if row.undone_at_s is not None or correction is None:
            raise CannotUndo(operation_id, _why_not(row))
        later = self._built_on(operation_id)
        if later:
            raise LaterOperations(operation_id, later)
        revisions = (*self._hand.undo(correction), *self._forgotten_back(correction))
        labels = [(one.identity_id, one.before) for one in correction.relabelled]
        now_s = self._clock()
        try:
            with self._store.correcting() as (connection, hours):
                hours.update(kept.move_tracks(connection, [(one.track, one.to_identity_id) for one in revisions]))
                for identity_id, label in labels:
                    kept.set_label(connection, identity_id, label)
                kept.mark_undone(connection, operation_id, at_s=now_s, by=actor)
                former = [(one.track, one.from_identity_id) for one in revisions]
                kept.note_former(connection, former, until_s=now_s, cause=f"undone {row.kind}")
        except StoreWriteError as error:
            self._hand.redo(correction)
            raise NotWritten from error
        del self._standing[operation_id]
        undone = replace(row, undone_at_s=now_s, undone_by=actor)
        return self._corrected(undone, correction, revisions)

    def erase(self, identity_id: str, actor: str) -> tuple[Erased, Corrected]:
        """See `OperatorHand.erase`; memory last, so that a full disk leaves everything as it was."""
        if not self._known(identity_id):
            raise UnknownPerson(identity_id)
        text = f"{default_label(identity_id)} was erased"
        now_s = self._clock()
        with self._store.reading() as connection:
            names = [identity_id, *kept.merged_into(connection, identity_id)]
        try:
            with self._store.correcting() as (connection, hours):
                rows, touched = kept.erase_person(connection, identity_id, names[1:])
                hours.update(touched)
                for row in [about for name in names for about in kept.operations_about(connection, name)]:
                    erased = None if row.correction is None else _encoded(_without_labels(_decoded(row), names))
                    kept.rewrite_operation(connection, row.operation_id, text=text, correction=erased)
                operation_id = kept.record_operation(
                    connection, kind=OperationKind.ERASE, actor=actor, at_s=now_s, identity_id=identity_id, text=text
                )
                row = kept.operation(connection, operation_id)
        except StoreWriteError as error:
            raise NotWritten from error
        self._store.forget_traces()
        if isinstance(self._engine, RuidClusterer) and self._engine.tracklets.knows(identity_id):
            self._engine.tracklets.hand.erase(identity_id)
        assert row is not None  # noqa: S101 - it was written a moment ago
        shown = Corrected(self._operation(row), (), (), (identity_id,))
        return Erased(identity_id, rows.observations, rows.embeddings, rows.thumbnails), shown

    # --- what can be asked ---------------------------------------------------------------------------------------

    def operations(self, limit: int, before: int | None) -> list[Operation]:
        """See `OperatorHand.operations`."""
        with self._store.reading() as connection:
            rows = kept.recent_operations(connection, limit=limit, before=before)
        return [self._operation(row) for row in rows]

    def suggestions(self, limit: int) -> list[Suggestion]:
        """See `OperatorHand.suggestions`."""
        found = self._tracklets.suggestions(limit)
        return [Suggestion(one.one_id, one.other_id, one.similarity, one.probability) for one in found]

    def explain(self, track: TrackKey) -> Explanation:
        """See `OperatorHand.explain`."""
        found = _translated(lambda: self._tracklets.explain(str(track)))
        decision = found.decision
        with self._store.reading() as connection:
            former = kept.former_of(connection, track)
        return Explanation(
            track=track,
            identity_id=decision.identity_id,
            label=self._label(decision.identity_id),
            state=decision.state.value,
            probability=decision.probability,
            nearest=tuple(
                Prototype(TrackKey.from_text(one.track), one.identity_id, one.similarity) for one in found.nearest
            ),
            spoke=tuple(Spoke(one.kind, one.weight, one.text) for one in decision.reasons),
            alternatives=self._likenesses(decision.alternatives),
            previous=tuple(FormerIdentity(one.identity_id, one.until_s, one.cause) for one in former),
        )

    def similar(self, identity_id: str, limit: int) -> list[Likeness]:
        """See `OperatorHand.similar`."""
        return list(self._likenesses(_translated(lambda: self._tracklets.similar(identity_id, limit))))

    def search_by_embedding(self, embedding: NDArray[np.float32], limit: int) -> list[Likeness]:
        """See `OperatorHand.search_by_embedding`."""
        return list(self._likenesses(_translated(lambda: self._tracklets.search(embedding)))[:limit])

    def model_id(self) -> str:
        """See `OperatorHand.model_id`."""
        return self._tracklets.model_id

    # --- parts ---------------------------------------------------------------------------------------------------

    @property
    def _tracklets(self) -> TrackletEngine:
        if not isinstance(self._engine, RuidClusterer):
            raise CorrectionsUnavailable
        return self._engine.tracklets

    @property
    def _hand(self) -> Hand:
        return self._tracklets.hand

    def _keep(
        self, kind: OperationKind, actor: str, correction: Correction, other_id: str | None, text: str
    ) -> Corrected:
        """Write a correction that the engine has made; on return it survives a power cut."""
        now_s = self._clock()
        try:
            with self._store.correcting() as (connection, hours):
                moves = [(one.track, one.to_identity_id) for one in correction.moved]
                hours.update(kept.move_tracks(connection, moves))
                for change in correction.relabelled:
                    kept.set_label(connection, change.identity_id, change.after)
                former = [(one.track, one.from_identity_id) for one in correction.moved]
                kept.note_former(connection, former, until_s=now_s, cause=kind.value)
                operation_id = kept.record_operation(
                    connection,
                    kind=kind.value,
                    actor=actor,
                    at_s=now_s,
                    identity_id=correction.identity_id,
                    other_id=other_id,
                    text=text,
                    correction=_encoded(correction),
                )
                row = kept.operation(connection, operation_id)
        except StoreWriteError as error:
            self._hand.undo(correction)
            raise NotWritten from error
        self._standing[operation_id] = correction
        if len(self._standing) > MOST_STANDING:
            del self._standing[next(iter(self._standing))]
        assert row is not None  # noqa: S101 - it was written a moment ago
        return self._corrected(row, correction, correction.moved)

    def _corrected(self, row: OperationRow, correction: Correction, revisions: tuple[core.Revision, ...]) -> Corrected:
        concerned = {row.identity_id, row.other_id or row.identity_id}
        concerned |= {one.identity_id for one in correction.relabelled}
        concerned |= {name for one in revisions for name in (one.from_identity_id, one.to_identity_id)}
        with self._store.reading() as connection:
            people = tuple(kept.people(connection, sorted(concerned)))
        gone = tuple(sorted(concerned - {person.identity_id for person in people}))
        moved = tuple((TrackKey.from_text(one.track), one.to_identity_id) for one in revisions)
        return Corrected(self._operation(row, correction), moved, people, gone)

    def _operation(self, row: OperationRow, correction: Correction | None = None) -> Operation:
        known = correction or (None if row.correction is None else _decoded(row))
        standing = row.undone_at_s is None and row.operation_id in self._standing
        return Operation(
            operation_id=row.operation_id,
            kind=OperationKind(row.kind),
            actor=row.actor,
            at_s=row.at_s,
            identity_id=row.identity_id,
            other_id=row.other_id,
            tracks=tuple(TrackKey.from_text(one.track) for one in known.moved) if known else (),
            text=row.text,
            undoable=standing and not self._built_on(row.operation_id),
            undone_at_s=row.undone_at_s,
            undone_by=row.undone_by,
        )

    def _built_on(self, operation_id: int) -> tuple[int, ...]:
        later = ((number, one) for number, one in self._standing.items() if number > operation_id)
        return resting_on(self._standing[operation_id], later)

    def _renamed_in_store(self, identity_id: str, before: str | None, label: str | None) -> Correction:
        if not self._known(identity_id):
            raise UnknownPerson(identity_id)
        if label == before:
            raise NothingToChange
        return Correction(identity_id, relabelled=(Relabelled(identity_id, before, label),))

    def _merged(self, kept_id: str, merged_id: str) -> Correction:
        """As the engine has it; whoever it no longer remembers is merged by what the store knows."""
        if self._tracklets.knows(merged_id) and not self._tracklets.knows(kept_id) and self._known(kept_id):
            raise LookExpired
        if self._tracklets.knows(merged_id) or not self._known(merged_id):
            return _translated(lambda: self._hand.merge(kept_id, merged_id))
        if not self._known(kept_id):
            raise UnknownPerson(kept_id)
        if kept_id == merged_id:
            raise NothingToChange
        with self._store.reading() as connection:
            if kept.in_view_together(connection, kept_id, merged_id):
                raise InViewTogether(kept_id, merged_id)
        name = self._label(merged_id)
        if name is None:
            return Correction(kept_id)
        gone = Relabelled(merged_id, name, None)
        goes_on = () if self._label(kept_id) else (Relabelled(kept_id, None, name),)
        return Correction(kept_id, relabelled=(gone, *goes_on))

    def _with_forgotten(self, correction: Correction, merged_id: str) -> Correction:
        """With the tracks that the engine no longer remembers: they go along."""
        moved = correction.tracks_moved()
        with self._store.reading() as connection:
            rest = [track for track in kept.tracks_of(connection, merged_id) if track not in moved]
        forgotten = [core.Revision(track, merged_id, correction.identity_id) for track in rest]
        return replace(correction, moved=(*correction.moved, *forgotten))

    def _forgotten_back(self, correction: Correction) -> list[core.Revision]:
        """The way back of tracks that the engine does not remember."""
        return [
            core.Revision(one.track, one.to_identity_id, one.from_identity_id)
            for one in correction.moved
            if not self._remembered(one.track)
        ]

    def _remembered(self, track: str) -> bool:
        try:
            self._tracklets.identity_of(track)
        except core.UnknownTrack:
            return False
        return True

    def _known(self, identity_id: str) -> bool:
        with self._store.reading() as connection:
            return kept.exists(connection, identity_id)

    def _label(self, identity_id: str) -> str | None:
        with self._store.reading() as connection:
            return kept.label_of(connection, identity_id)

    def _name(self, identity_id: str) -> str:
        return self._label(identity_id) or default_label(identity_id)

    def _likenesses(self, found: tuple[core.Alternative, ...]) -> tuple[Likeness, ...]:
        return tuple(
            Likeness(one.identity_id, self._label(one.identity_id), one.similarity, one.probability) for one in found
        )


def _translated(work: Callable[[], _T]) -> _T:
    """Do it; what core refuses becomes what a user can mend."""
    try:
        return work()
    except core.IdentityError as error:
        raise _hand_error(error) from error


def _hand_error(error: core.IdentityError) -> HandError:
    match error:
        case core.UnknownIdentity():
            return UnknownPerson(error.identity_id)
        case core.UnknownTrack():
            return UnknownSighting(error.track)
        case core.InViewTogether():
            return InViewTogether(error.one, error.other)
        case core.WrongDimension():
            return WrongEmbedding(error.expected, error.found)
        case _:
            return NothingToChange()


def _why_not(row: OperationRow) -> str:
    if row.undone_at_s is not None:
        return "it is undone already"
    return "erasing is for good" if row.kind == OperationKind.ERASE else "it is too long ago"


def _encoded(correction: Correction) -> str:
    return msgspec.json.encode(correction).decode()


def _decoded(row: OperationRow) -> Correction:
    return msgspec.json.decode(row.correction or "", type=Correction)


def _without_labels(correction: Correction, names: list[str]) -> Correction:
    rest = tuple(one for one in correction.relabelled if one.identity_id not in names)
    return replace(correction, relabelled=rest)
