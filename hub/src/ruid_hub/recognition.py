"""Durable items become observations with an identity, committed once.

Runs on one worker thread, so that the identity engine has one owner and the database one writer. An item that is
already committed is a duplicate and changes nothing; everything else is committed before anyone is told.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import structlog

from ruid_core.identity import (
    Decision,
    Evidence,
    EvidenceRefused,
    IdentityEngine,
    Rethinking,
    Revision,
    UniqueEstimate,
    UnknownTrack,
    WrongModel,
)
from ruid_core.wire.errors import InvalidContent
from ruid_core.wire.messages import Content, CoverageGap, Crossing, Dropped, Tracklet, ZoneStay
from ruid_core.wire.uplink import ItemKey
from ruid_core.wire.vectors import embedding_dim, unpack_embeddings
from ruid_hub import observations
from ruid_hub.hand import Corrections
from ruid_hub.identities import DriftAlarm, DriftWatch, ModelWatch, RuidClusterer
from ruid_hub.observations import Assignment, Observation, TrackKey
from ruid_hub.store import Store, StoreWriteError
from ruid_hub.store.rows import Committed, CrossingRow, DroppedRow, GapRow, ObservationRow, StayRow

_RETRY_S = 1.0
_REFUSALS_TOLD = 100
_BEFORE_THE_FIRST = ItemKey(0, 0)
STEP_WORK = 2_000_000

_log = structlog.get_logger("recognition")


@dataclass(frozen=True, slots=True)
class ReceivedItem:
    """A durable item as a node sent it; add `offset_s` to its times to get the hub's."""

    node_id: str
    key: ItemKey
    content: Content
    received_at_s: float
    offset_s: float


@dataclass(frozen=True, slots=True)
class Recognised:
    """A committed observation; `assignment` is None where no identity could be given."""

    observation: Observation
    assignment: Assignment | None
    observation_id: int | None


@dataclass(frozen=True, slots=True)
class Recognition:
    """What one commit changed, in order; `revisions` maps tracks to the identities that they belong to now."""

    recognised: tuple[Recognised, ...]
    gaps: tuple[observations.CoverageGap, ...]
    revisions: tuple[tuple[TrackKey, str], ...]
    estimate: UniqueEstimate | None
    drifts: tuple[DriftAlarm, ...] = ()


class Recogniser:
    """Owns the identity engine and the store's writes."""

    def __init__(self, *, store: Store, engine: IdentityEngine, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self.corrections = Corrections(store=store, engine=engine, clock=clock)
        self._committed = {node_id: ItemKey(*point) for node_id, point in store.resume_points().items()}
        self._taken = dict(self._committed)
        self.refusals: Counter[str] = Counter()
        self.stored: Counter[str] = Counter()
        self.duplicates = 0
        self.commit_failures = 0
        self._failing = False
        self._drift = DriftWatch()
        self._drifts: list[DriftAlarm] = []
        self._rethinking: Rethinking | None = None
        self._models = ModelWatch()
        self.model_changes = 0

    def restore(self) -> int:
        """Rebuild the engine from the store; return how many observations it learned from.

        Those of the model that it used last: embeddings of a former one do not compare with them.
        """
        learned = 0
        model_id = self._store.model_in_use()
        for row in self._store.observations_in_order():
            self._models.notice(row.observation.embedding_model_id)
            if row.assignment is None or row.observation.embedding_model_id != model_id:
                continue
            try:
                self._engine.restore(_evidence(row.observation), row.assignment.identity_id)
                learned += 1
            except EvidenceRefused as error:
                self.refusals[type(error).__name__] += 1
            if row.observation.final:
                self._engine.end_track(str(row.observation.track), row.observation.ended_at_s)
        self.corrections.resume()
        return learned

    def resume_point(self, node_id: str) -> ItemKey:
        """Return the key of the last item of the node that is committed; (0, 0) before the first.

        Any thread may ask. What is being committed is not in it: a node forgets what it is told that the hub has.
        """
        return self._committed.get(node_id, _BEFORE_THE_FIRST)

    def commit(self, items: Sequence[ReceivedItem]) -> Recognition:
        """Recognise and commit the items together; on return they survive a power cut.

        While the database cannot be written (a full disk), it waits and tries again: nothing is acknowledged.
        """
        rows: list[Committed] = []
        revisions: list[Revision] = []
        for item in items:
            if item.key <= self._taken.get(item.node_id, _BEFORE_THE_FIRST):
                self.duplicates += 1
                continue
            self._taken[item.node_id] = item.key
            rows.append(self._row(item, revisions))
        outcome_ids = self._commit(rows, revisions, cause="observation")
        self._committed.update(self._taken)
        self.stored.update(_node_of(row) for row in rows)
        recognised = tuple(
            Recognised(row.observation, row.assignment, observation_id)
            for row, observation_id in zip(rows, outcome_ids, strict=True)
            if isinstance(row, ObservationRow)
        )
        gaps = tuple(row.gap for row in rows if isinstance(row, GapRow))
        drifts, self._drifts = tuple(self._drifts), []
        return Recognition(recognised, gaps, _moves(revisions), self._engine.estimate() if rows else None, drifts)

    def consolidate(self, *, at_s: float) -> Recognition:
        """Let the engine think again about what it has decided, at one go, and commit what changed."""
        while (recognition := self.rethink(at_s=at_s)) is None:
            pass
        return recognition

    def rethink(self, *, at_s: float) -> Recognition | None:
        """As `consolidate`, one step of a few milliseconds at a time; None until the last, which commits.

        Items may be committed and corrections made in between: they hold. River's engines know no steps.
        """
        if not isinstance(self._engine, RuidClusterer):
            return self._adopted(self._engine.consolidate(at_s))
        if self._rethinking is None:
            self._rethinking = self._engine.tracklets.rethink()
            return None if self._rethinking else self._adopted(())
        if self._rethinking.thought is None:
            self._rethinking.step(STEP_WORK)
            return None
        revisions = self._engine.tracklets.adopt(self._rethinking)
        self._rethinking = None
        return self._adopted(revisions)

    def _adopted(self, revisions: Sequence[Revision]) -> Recognition:
        self._commit([], list(revisions), cause="consolidation")
        return Recognition((), (), _moves(revisions), self._engine.estimate())

    def troubles(self) -> tuple[str, ...]:
        """Return why items cannot be taken in at present; empty when they can."""
        return ("the database cannot be written",) if self._failing else ()

    def _commit(self, rows: list[Committed], revisions: list[Revision], *, cause: str) -> tuple[int | None, ...]:
        if not rows and not revisions:
            return ()
        named = [(revision.track, revision.to_identity_id) for revision in revisions]
        while True:
            try:
                observation_ids = self._store.commit(rows, named).observation_ids
            except StoreWriteError as error:
                self._note_failure(error)
                time.sleep(_RETRY_S)
            else:
                self._failing = False
                self.corrections.note(revisions, cause=cause)
                return observation_ids

    def _note_failure(self, error: Exception) -> None:
        self.commit_failures += 1
        self._failing = True
        if self.commit_failures == 1 or self.commit_failures % 60 == 0:
            _log.error("the database cannot be written, trying again", reason=str(error), failures=self.commit_failures)

    def _row(self, item: ReceivedItem, revisions: list[Revision]) -> Committed:
        match item.content:
            case Tracklet():
                return self._observed(item, item.content, revisions)
            case CoverageGap() as gap:
                camera = f"{item.node_id}/{gap.camera_id}"
                corrected = observations.CoverageGap(
                    camera, gap.from_s + item.offset_s, gap.to_s + item.offset_s, gap.reason
                )
                return GapRow(item.node_id, *item.key, corrected)
            case Dropped() as dropped:
                self.refusals[dropped.reason] += dropped.items
                return _dropped_row(item, dropped)
            case Crossing() as crossing:
                return _crossing_row(item, crossing)
            case ZoneStay() as stay:
                return _stay_row(item, stay)

    def _observed(
        self, item: ReceivedItem, tracklet: Tracklet, revisions: list[Revision]
    ) -> ObservationRow | DroppedRow:
        try:
            observation = _observation(item, tracklet)
        except InvalidContent as error:
            refused = Dropped(f"refused_{error.code}", item.key.seq, item.key.seq, 1)
            self.refusals[refused.reason] += 1
            return _dropped_row(item, refused)
        return ObservationRow(observation, self._assign(observation, revisions))

    def _assign(self, observation: Observation, revisions: list[Revision]) -> Assignment | None:
        decision = self._decide(observation)
        if observation.final:
            self._engine.end_track(str(observation.track), observation.ended_at_s)
        if decision is None:
            return self._present_answer(observation)
        revisions.extend(decision.revisions)
        return Assignment(decision.identity_id, decision.state.value, decision.probability)

    def _decide(self, observation: Observation) -> Decision | None:
        """Ask the engine; None where the observation brings nothing to decide by, or it refuses it."""
        if not len(observation.embeddings):
            return None
        evidence = _evidence(observation)
        self._models.notice(evidence.model_id)
        try:
            decision = self._observe(evidence)
        except EvidenceRefused as error:
            self._refused(error, observation.track)
            return None
        self._drifts.extend(self._drift.notice(evidence))
        return decision

    def _observe(self, evidence: Evidence) -> Decision:
        try:
            return self._engine.observe(evidence)
        except WrongModel as error:
            if not self._models.has_become(error.found):
                raise
            self._begin_anew(error)
        decision = self._engine.observe(evidence)
        self.corrections.resume()
        return decision

    def _begin_anew(self, found: WrongModel) -> None:
        """The site has another embedder: whatever was learned from the former one's embeddings goes."""
        self._engine.begin_anew()
        self._rethinking = None
        self._drift = DriftWatch()
        self.model_changes += 1
        _log.warning(
            "another embedding model: people seen from now on are counted as new; names stay with their past visits",
            model=found.found,
            former=found.expected,
            reason="embeddings of different models do not compare",
        )

    def _refused(self, error: EvidenceRefused, track: TrackKey) -> None:
        """Every refusal counts; a node that sends nothing else does not fill the log."""
        name = type(error).__name__
        self.refusals[name] += 1
        if self.refusals[name] % _REFUSALS_TOLD == 1:
            _log.warning("evidence refused", track=str(track), reason=str(error) or name, times=self.refusals[name])

    def _present_answer(self, observation: Observation) -> Assignment | None:
        """What was said of the track, as sure as it is now: a last part without a picture makes nobody surer."""
        track = str(observation.track)
        try:
            if not isinstance(self._engine, RuidClusterer):
                return Assignment(self._engine.identity_of(track), "matched", 1.0)
            decision = self._engine.tracklets.explain(track).decision
        except UnknownTrack:
            return None
        return Assignment(decision.identity_id, decision.state.value, decision.probability)


def _observation(item: ReceivedItem, tracklet: Tracklet) -> Observation:
    return Observation(
        node_id=item.node_id,
        boot_epoch=item.key.boot_epoch,
        seq=item.key.seq,
        track=TrackKey(f"{item.node_id}/{tracklet.camera_id}", item.key.boot_epoch, tracklet.track_id),
        part=tracklet.part,
        final=tracklet.final,
        started_at_s=tracklet.started_at_s + item.offset_s,
        ended_at_s=tracklet.ended_at_s + item.offset_s,
        grabbed_at_s=tracklet.grabbed_at_s + item.offset_s,
        received_at_s=item.received_at_s,
        box_rel=tracklet.box_rel,
        frames=tracklet.frames,
        embedding_model_id=tracklet.embedding_model_id,
        embeddings=unpack_embeddings(tracklet.embeddings, dim=embedding_dim(tracklet)),
        qualities=np.array(tracklet.qualities, np.float32),
        thumbnail_jpeg=tracklet.thumbnail_jpeg,
    )


def _evidence(observation: Observation) -> Evidence:
    return Evidence(
        camera=observation.track.camera,
        track=str(observation.track),
        part=observation.part,
        started_at_s=observation.started_at_s,
        at_s=observation.ended_at_s,
        embeddings=observation.embeddings,
        qualities=observation.qualities,
        model_id=observation.embedding_model_id,
    )


def _dropped_row(item: ReceivedItem, dropped: Dropped) -> DroppedRow:
    return DroppedRow(
        item.node_id,
        *item.key,
        reason=dropped.reason,
        first_seq=dropped.first_seq,
        last_seq=dropped.last_seq,
        items=dropped.items,
        received_at_s=item.received_at_s,
    )


def _crossing_row(item: ReceivedItem, crossing: Crossing) -> CrossingRow:
    track = TrackKey(f"{item.node_id}/{crossing.camera_id}", item.key.boot_epoch, crossing.track_id)
    at_s = crossing.at_s + item.offset_s
    return CrossingRow(item.node_id, *item.key, track, crossing.line_id, crossing.direction, at_s)


def _stay_row(item: ReceivedItem, stay: ZoneStay) -> StayRow:
    return StayRow(
        item.node_id,
        *item.key,
        track=TrackKey(f"{item.node_id}/{stay.camera_id}", item.key.boot_epoch, stay.track_id),
        zone_id=stay.zone_id,
        stay=stay.stay,
        entered_at_s=stay.entered_at_s + item.offset_s,
        left_at_s=stay.left_at_s + item.offset_s,
        final=stay.final,
    )


def _node_of(row: Committed) -> str:
    return row.observation.node_id if isinstance(row, ObservationRow) else row.node_id


def _moves(revisions: Iterable[Revision]) -> tuple[tuple[TrackKey, str], ...]:
    return tuple((TrackKey.from_text(revision.track), revision.to_identity_id) for revision in revisions)
