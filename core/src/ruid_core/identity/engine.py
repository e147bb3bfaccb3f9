"""The engine: evidence in, decisions out."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from ruid_core.identity.adoption import adopt
from ruid_core.identity.arrays import F32, Ints, unit_rows
from ruid_core.identity.calibration import Calibration
from ruid_core.identity.checks import check_evidence
from ruid_core.identity.clocks import CameraClocks
from ruid_core.identity.decisions import (
    MOST_ALTERNATIVES,
    Candidate,
    alternatives,
    best_candidates,
    probabilities,
    reasons,
    state_of,
)
from ruid_core.identity.errors import (
    TrackMoved,
    UnknownIdentity,
    UnknownTrack,
    WrongDimension,
    WrongModel,
)
from ruid_core.identity.estimate import NOBODY_YET, Links
from ruid_core.identity.gallery import NOBODY, Gallery
from ruid_core.identity.hand import Hand
from ruid_core.identity.insight import Explanation, Suggestion, nearest_tracks, operator_reasons, similar, suggest
from ruid_core.identity.projection import learn_projection
from ruid_core.identity.regrouping import likeness_of_halves, project, recalibrate
from ruid_core.identity.rethinking import Rethinking
from ruid_core.identity.roster import beside_folded, foe_rows, identity_row, unfold
from ruid_core.identity.settings import IdentitySettings
from ruid_core.identity.snapshot import take_snapshot
from ruid_core.identity.steps import STEP, finish
from ruid_core.identity.timekeeper import Timekeeper
from ruid_core.identity.transit import Sighted, Timing, TransitTimes, learn_transits
from ruid_core.identity.values import (
    Alternative,
    Decision,
    Evidence,
    IdentityState,
    Reason,
    Revision,
    UniqueEstimate,
)

FIRST_CALIBRATION = Calibration(0.5, 0.05)
FIRST_REFRESH = 4
CONSIDERED = 8  # how many of the most alike are weighed with time
TIME_MATTERS_WITHIN = 10.0  # log-odds of the best, and so many below even odds: time cannot make up for more
TIME_MATTERS_FROM = 5.0
NO_LINKS = Links(identities=1, appearances=1, share=1.0, doubt=0.0)


@dataclass(frozen=True, slots=True)
class _Weighed:
    """How the track compares with everybody possible: `own` is its present identity's, -inf if impossible.

    `held` is the most alike of those whom only one of the `rivals` in view keeps it from being.
    """

    others: list[Candidate]
    own: Candidate
    rivals: Ints
    held: Candidate


class TrackletEngine:
    """Joins tracks into identities online; implements `IdentityEngine`. Not thread-safe: give it one owner.

    The same evidence in the same order gives the same answers. Ids come from `next_identity_id`.
    """

    def __init__(self, *, next_identity_id: Callable[[], str], settings: IdentitySettings | None = None) -> None:
        self._next_identity_id = next_identity_id
        self._settings = settings or IdentitySettings()
        self.hand = Hand(self, next_identity_id=next_identity_id)
        self.begin_anew()

    def begin_anew(self) -> None:
        """See `IdentityEngine.begin_anew`. Drop a `Rethinking` that was begun before; let the `hand` resume."""
        self._gallery: Gallery | None = None
        self._model_id = ""
        self._dim = 0
        self._cameras: dict[str, int] = {}
        self._time = Timekeeper(CameraClocks(self._settings.clock_tolerance_s))
        self._calibration = FIRST_CALIBRATION
        self._refresh_at = FIRST_REFRESH
        self._links = NO_LINKS

    @property
    def gallery(self) -> Gallery | None:
        """What is remembered; None before the first evidence. Change it through the engine and its `hand` only."""
        return self._gallery

    @property
    def model_id(self) -> str:
        """The model whose embeddings are compared; "" before the first evidence."""
        return self._model_id

    @property
    def transits(self) -> TransitTimes:
        """What was learned of the times between cameras, which are numbered as they were first heard of."""
        return self._time.transits

    # --- what can be asked -----------------------------------------------------------------------------------

    def observe(self, evidence: Evidence) -> Decision:
        """See `IdentityEngine.observe`."""
        gallery, row = self._learn(evidence)
        if self._calibration is FIRST_CALIBRATION and len(gallery.tracks) > self._settings.refresh_until:
            self._calibrate_restored(gallery)
        decision = self._decide(gallery, row)
        if not self._refresh_at <= len(gallery.tracks) <= self._settings.refresh_until:
            return decision
        self._refresh_at = int(len(gallery.tracks) * self._settings.refresh_growth) + 1
        revisions = self.consolidate(evidence.at_s)
        return replace(decision, identity_id=self.identity_of(evidence.track), revisions=decision.revisions + revisions)

    def end_track(self, track: str, at_s: float) -> None:
        """See `IdentityEngine.end_track`."""
        row = self._gallery.tracks.rows.get(track) if self._gallery else None
        if self._gallery and row is not None:
            self._gallery.tracks.ended[row] = True

    def consolidate(self, at_s: float) -> tuple[Revision, ...]:
        """See `IdentityEngine.consolidate`."""
        rethinking = self.rethink()
        if rethinking is None:
            return ()
        while not rethinking.step(STEP):
            pass
        return self.adopt(rethinking)

    def rethink(self) -> Rethinking | None:
        """Begin to think everything over again, in steps; `adopt` it when it is ready. None where there is nothing."""
        gallery = self._gallery
        if gallery is None or len(gallery.tracks) < 2:
            return None
        timing = Timing(self._time.believed(gallery.tracks, gallery.tracks.used()), self._calibration)
        return Rethinking(gallery, timing, settings=self._settings, camera_count=len(self._cameras))

    def adopt(self, rethinking: Rethinking) -> tuple[Revision, ...]:
        """Make what a consolidation came to the truth, but for what changed meanwhile; returns who moved."""
        gallery, thought = self._gallery, rethinking.thought
        if gallery is None or thought is None:
            return ()
        self._calibration, self._links, self._time.transits = thought.calibration, thought.links, thought.transits
        return adopt(gallery, rethinking.snapshot, thought, next_identity_id=self._next_identity_id)

    def restore(self, evidence: Evidence, identity_id: str) -> None:
        """See `IdentityEngine.restore`."""
        gallery, row = self._learn(evidence)
        identity = gallery.identities.rows.get(identity_id)
        gallery.move(row, gallery.identities.add(identity_id) if identity is None else identity)

    def estimate(self) -> UniqueEstimate:
        """See `IdentityEngine.estimate`."""
        return self._links.estimate(len(self._gallery.identities)) if self._gallery else NOBODY_YET

    def identity_of(self, track: str) -> str:
        """See `IdentityEngine.identity_of`."""
        if self._gallery is None:
            raise UnknownTrack(track)
        return self._gallery.name_of(track)

    def state_bytes(self) -> int:
        """See `IdentityEngine.state_bytes`."""
        return self._gallery.nbytes() if self._gallery else 0

    def search(self, embedding: F32, camera: str = "") -> tuple[Alternative, ...]:
        """Who looks most like a picture (D,), without learning from it; raises `WrongDimension`."""
        if self._gallery is None:
            return ()
        if embedding.shape != (self._dim,):
            raise WrongDimension(self._dim, embedding.size)
        gallery, known = self._gallery, np.array([self._cameras.get(camera, len(self._cameras))], np.int64)
        scores = gallery.identities.similarities(gallery.projection.project(unit_rows(embedding[None]), known)[0])
        candidates = best_candidates(scores)
        chances, _ = probabilities(candidates, self._calibration)
        return alternatives(candidates, chances, gallery.identities.names)

    def explain(self, track: str) -> Explanation:
        """Why a track belongs to whom it does; raises `UnknownTrack`. Changes nothing."""
        name = self.identity_of(track)
        gallery = self._gallery
        row = gallery.tracks.rows.get(track) if gallery else None
        if gallery is None or row is None:
            folded = Reason("folded", 0.0, "its look has gone into the person's archive and is not kept apart")
            return Explanation(Decision(name, IdentityState.MATCHED, 1.0, (folded,)), ())
        decision = self._explain(gallery, row, self._weigh(gallery, row), name)
        told = (*operator_reasons(gallery, track), *decision.reasons)
        return Explanation(replace(decision, reasons=told), nearest_tracks(gallery, row))

    def suggestions(self, limit: int) -> tuple[Suggestion, ...]:
        """Pairs of identities that may be one person, the likeliest first."""
        return suggest(self._gallery, self._calibration, limit=limit) if self._gallery else ()

    def similar(self, identity_id: str, limit: int) -> tuple[Alternative, ...]:
        """Who looks most like an identity; raises `UnknownIdentity`."""
        if self._gallery is None:
            raise UnknownIdentity(identity_id)
        return similar(self._gallery, identity_row(self._gallery, identity_id), self._calibration, limit=limit)

    def knows(self, identity_id: str) -> bool:
        """Whether somebody has this identity_id."""
        return self._gallery is not None and identity_id in self._gallery.identities.rows

    def settle(self, track: str) -> str:
        """Whom the track would belong to if it were decided now, away from its present identity; changes nothing."""
        gallery = self._gallery
        row = gallery.tracks.rows.get(track) if gallery else None
        if gallery is None or row is None:
            return self._next_identity_id()
        target = self._choose(self._weigh(gallery, row), NOBODY, sole=False)
        return self._next_identity_id() if target == NOBODY else gallery.identities.names[target]

    # --- learning ----------------------------------------------------------------------------------------------

    def _learn(self, evidence: Evidence) -> tuple[Gallery, int]:
        """Check the evidence, then count it in; returns the track's row."""
        check_evidence(evidence)
        self._check_fits(evidence)
        if self._gallery is None:
            self._dim, self._model_id = evidence.embeddings.shape[1], evidence.model_id
            self._gallery = Gallery(self._dim)
        gallery = self._gallery
        camera = self._cameras.setdefault(evidence.camera, len(self._cameras))
        self._time.hear(evidence.camera, evidence.track, evidence.at_s, gallery.tracks, self._cameras)
        row = gallery.tracks.rows.get(evidence.track)
        if row is None:
            self._make_room(gallery)
            again = evidence.track in gallery.folded
            row = (
                unfold(gallery, evidence.track)
                if again
                else gallery.tracks.add(evidence.track, camera, evidence.started_at_s)
            )
        gallery.add_crops(row, evidence)
        return gallery, row

    def _check_fits(self, evidence: Evidence) -> None:
        if self._gallery is None:
            return
        if evidence.model_id != self._model_id:
            raise WrongModel(self._model_id, evidence.model_id)
        if evidence.embeddings.shape[1] != self._dim:
            raise WrongDimension(self._dim, evidence.embeddings.shape[1])
        camera = self._cameras.get(evidence.camera, -1)
        seen_by = self._gallery.camera_of(evidence.track)
        if seen_by not in (None, camera):
            raise TrackMoved(evidence.track, list(self._cameras)[seen_by], evidence.camera)
        self._time.clocks.check(evidence.camera, evidence.at_s)

    def _make_room(self, gallery: Gallery) -> None:
        """Before a new track: fold the sixteenth of the tracks that were seen longest ago if the table is full."""
        if len(gallery.tracks) < self._settings.most_tracks:
            return
        rows = gallery.tracks.used()
        oldest = rows[np.argsort(gallery.tracks.at_s[rows], kind="stable")[: max(1, len(rows) // 16)]]
        gallery.fold(oldest, most_folded=self._settings.most_folded)
        gallery.forget_unseen(most_identities=self._settings.most_identities)

    # --- deciding ----------------------------------------------------------------------------------------------

    def _decide(self, gallery: Gallery, row: int) -> Decision:
        tracks, identities = gallery.tracks, gallery.identities
        own = int(tracks.identities[row])
        if own != NOBODY and self._pinned(gallery, row):
            return self._stay(gallery, row)
        before = identities.names[own] if own != NOBODY else ""
        weighed = self._weigh(gallery, row)
        target = self._choose(weighed, own, sole=own != NOBODY and identities.counts[own] < 1.5)
        ousted = self._weaker_holder(gallery, row, weighed, target)
        if ousted != NOBODY:
            target = weighed.held.identity
        elif target == NOBODY:
            target = identities.add(self._next_identity_id())
        gallery.move(row, target)
        if own != NOBODY:
            gallery.drop_empty([own])
        decision = self._explain(gallery, row, weighed, before)
        if ousted == NOBODY:
            return decision
        return replace(decision, revisions=decision.revisions + self._decide(gallery, ousted).revisions)

    @staticmethod
    def _pinned(gallery: Gallery, row: int) -> bool:
        """Whether operators decide about the track: it is together with others, or all there is of a named person."""
        identity = int(gallery.tracks.identities[row])
        sole = gallery.identities.counts[identity] < 1.5
        return gallery.statements.binds(gallery.tracks.names[row]) or (sole and identity in gallery.labels)

    def _stay(self, gallery: Gallery, row: int) -> Decision:
        """The track stays; whoever turns out to have been in view beside it goes, or else it is no longer bound."""
        tracks, own = gallery.tracks, int(gallery.tracks.identities[row])
        beside = [int(one) for one in self._rivals(gallery, row, margin_s=0.0) if tracks.identities[one] == own]
        if any(self._pinned(gallery, one) for one in beside) or beside_folded(gallery, row):
            gallery.statements.release(tracks.names[row])
            return self._decide(gallery, row)
        decision = self._explain(gallery, row, self._weigh(gallery, row), gallery.identities.names[own])
        moved = [revision for one in beside for revision in self._decide(gallery, one).revisions]
        return replace(decision, revisions=(*decision.revisions, *moved))

    def _weaker_holder(self, gallery: Gallery, row: int, weighed: _Weighed, target: int) -> int:
        """The row of a track in view that holds whom this one resembles clearly more; NOBODY where there is none.

        Tracks in view together are assigned together: whoever fits better gets the identity, and the other is
        decided anew.
        """
        held = weighed.held
        odds = self._calibration.log_odds(held.similarity)
        best = [one.similarity for one in weighed.others if one.identity == target] + [weighed.own.similarity]
        if odds < self._settings.live_caution or held.similarity <= max(best):
            return NOBODY
        tracks, identities = gallery.tracks, gallery.identities
        holder = next(int(rival) for rival in weighed.rivals if tracks.identities[rival] == held.identity)
        if self._pinned(gallery, holder):
            return NOBODY
        count, vector = float(identities.counts[held.identity]), tracks.vectors[holder]
        total = identities.sums[held.identity]
        holds = float(total @ vector - vector @ vector) / (count - 1.0)
        without = float(total @ tracks.vectors[row] - vector @ tracks.vectors[row]) / (count - 1.0)
        ahead = self._calibration.log_odds(without) - self._calibration.log_odds(holds)
        enough = self._calibration.log_odds(without) >= self._settings.live_caution
        return holder if enough and ahead > self._settings.keep_margin else NOBODY

    def _weigh(self, gallery: Gallery, row: int) -> _Weighed:
        """Compare the track with everybody that it can be, itself left out of its present identity."""
        tracks, identities = gallery.tracks, gallery.identities
        vector, own = tracks.vectors[row], int(tracks.identities[row])
        scores = identities.similarities(vector)
        own_score = -inf
        if own != NOBODY and identities.counts[own] > 1.5:
            count = float(identities.counts[own])
            own_score = float(identities.sums[own] @ vector - vector @ vector) / (count - 1.0)
        rivals = self._rivals(gallery, row, margin_s=self._settings.in_view_s)
        held_by = tracks.identities[rivals].tolist()
        archived = gallery.spans.overlapped(
            int(tracks.cameras[row]), float(tracks.started_s[row]), float(tracks.at_s[row])
        )
        foes = foe_rows(gallery, tracks.names[row])
        held = self._most_alike_held(gallery, scores, held_by, {own, *archived, *foes})
        for impossible_one in (*held_by, *archived, *foes):
            scores[impossible_one] = -inf
        if own != NOBODY:
            scores[own] = -inf
        impossible = own in held_by or own in archived or own in foes
        present = Candidate(own, -inf if impossible else own_score)
        return _Weighed(*self._timed(gallery, row, best_candidates(scores, CONSIDERED), present), rivals, held)

    def _timed(
        self, gallery: Gallery, row: int, others: list[Candidate], own: Candidate
    ) -> tuple[list[Candidate], Candidate]:
        """The candidates with what time says of them, the most probable few first; who is too far away is left out."""
        closest = max(own.similarity, others[0].similarity if others else -inf)
        hopeless = self._calibration.price - TIME_MATTERS_FROM * self._calibration.scale
        least = max(closest - TIME_MATTERS_WITHIN * self._calibration.scale, hopeless)
        asked = [one.identity for one in (own, *others) if one.similarity >= least]
        ways = dict(zip(asked, self._time.ways(gallery.tracks, row, asked), strict=True)) if asked else {}
        own, *timed = (one._replace(way=ways[one.identity]) if one.identity in ways else one for one in (own, *others))
        possible = [one for one in timed if one.way.log_odds > -inf]
        return sorted(possible, key=self._odds, reverse=True)[: MOST_ALTERNATIVES + 1], own

    def _odds(self, candidate: Candidate) -> float:
        return candidate.log_odds(self._calibration)

    @staticmethod
    def _most_alike_held(gallery: Gallery, scores: F32, held_by: list[int], never: set[int]) -> Candidate:
        """Whom exactly one rival holds, and somebody else has been before, so that there is something to compare."""
        once = [
            Candidate(identity, float(scores[identity]))
            for identity, rivals in Counter(held_by).items()
            if rivals == 1 and identity not in never and gallery.identities.counts[identity] > 1.5
        ]
        return max(once, key=lambda one: one.similarity, default=Candidate(NOBODY, -inf))

    def _rivals(self, gallery: Gallery, row: int, *, margin_s: float) -> Ints:
        """Rows of the tracks that are in view of the same camera at the same time, and have an identity.

        Tracks that have not ended are in view for `margin_s` longer than seen.
        """
        tracks = gallery.tracks
        used, started_s = len(tracks.names), float(tracks.started_s[row])
        near = tracks.at_s[:used] >= started_s - margin_s
        near &= tracks.cameras[:used] == tracks.cameras[row]
        near[row] = False
        rows = np.flatnonzero(near)
        if not len(rows):  # as for nearly everybody
            return rows
        own_until_s = tracks.at_s[row] + (0.0 if tracks.ended[row] else margin_s)
        until_s = tracks.at_s[rows] + np.where(tracks.ended[rows], 0.0, margin_s)
        overlap = (tracks.started_s[rows] <= own_until_s) & (until_s >= started_s)
        return rows[overlap & (tracks.identities[rows] != NOBODY)]

    def _choose(self, weighed: _Weighed, own: int, *, sole: bool) -> int:
        """The identity to take: the present one, another, or NOBODY for a new one."""
        caution, margin = self._settings.live_caution, self._settings.keep_margin
        best = weighed.others[0] if weighed.others else Candidate(NOBODY, -inf)
        odds = self._odds(best)
        if own == NOBODY or sole:
            return best.identity if odds >= caution else own
        own_odds = self._odds(weighed.own)
        if own_odds < caution - margin:
            return best.identity if odds >= caution else NOBODY
        return best.identity if odds > max(caution, own_odds + margin) else own

    def _explain(self, gallery: Gallery, row: int, weighed: _Weighed, before: str) -> Decision:
        identities = gallery.identities
        now, crops = int(gallery.tracks.identities[row]), int(gallery.tracks.crops[row])
        candidates = weighed.others
        if self._odds(weighed.own) > -inf:
            candidates = sorted([*candidates, weighed.own], key=self._odds, reverse=True)
        chances, new_chance = probabilities(candidates, self._calibration)
        matched = identities.counts[now] > 1.5
        chosen = [chance for one, chance in zip(candidates, chances, strict=True) if one.identity == now]
        probability = chosen[0] if matched and chosen else new_chance
        name = identities.names[now]
        track = gallery.tracks.names[row]
        return Decision(
            name,
            state_of(matched=matched, probability=probability, crops=crops),
            probability,
            reasons(candidates, self._calibration, list(self._cameras), rivals=len(weighed.rivals), crops=crops),
            alternatives(candidates, chances, identities.names),
            (Revision(track, before, name),) if before and before != name else (),
        )

    # --- after a restart ---------------------------------------------------------------------------------------

    def _calibrate_restored(self, gallery: Gallery) -> None:
        """Trust the restored answers, and learn the site from them before the first new one."""
        snapshot = take_snapshot(gallery, most_archives=0)
        cameras, priors = len(self._cameras), self._settings
        learning = learn_projection(
            snapshot.totals, snapshot.crop_weights, snapshot.cameras, snapshot.identities,
            priors=priors.projection, camera_count=cameras,
        )  # fmt: skip
        projection = finish(learning)
        vectors = finish(project(snapshot, projection))
        gallery.turn(projection, finish(gallery.prepare(projection, snapshot.tracks, vectors, epoch=snapshot.epoch)))
        gallery.recount()
        same = finish(likeness_of_halves(snapshot, projection))
        self._calibration = finish(
            recalibrate(vectors, snapshot.identities, snapshot.cameras, same, priors.calibration)
        )
        self._time.transits = finish(
            learn_transits(
                Sighted(self._time.believed(gallery.tracks, snapshot.tracks), snapshot.started_s, snapshot.until_s),
                snapshot.identities, vectors, self._calibration, camera_count=cameras, priors=priors.transit,
            )
        )  # fmt: skip
