"""The engine: evidence in, decisions out."""

from collections.abc import Callable

import numpy as np

from ruid_core.identity.arrays import F32, F64, Flags, Ints, group_sums, unit_rows
from ruid_core.identity.calibration import Calibration, FreeLabels, calibrate
from ruid_core.identity.checks import check_evidence
from ruid_core.identity.consolidation import cut, joins, names_for_groups
from ruid_core.identity.constraints import ArchivedSpans, overlapping
from ruid_core.identity.errors import (
    TimeWentBackwards,
    TrackMoved,
    UnknownTrack,
    WrongDimension,
    WrongModel,
)
from ruid_core.identity.gallery import NOBODY, Identities, Tracks
from ruid_core.identity.projection import Projection, learn_projection
from ruid_core.identity.settings import IdentitySettings
from ruid_core.identity.values import (
    Alternative,
    Decision,
    Evidence,
    IdentityState,
    Reason,
    Revision,
    UniqueEstimate,
)

SAMPLED_ROWS = 512


class TrackletEngine:
    """Joins tracks into identities online. Not thread-safe."""

    def __init__(self, *, next_identity_id: Callable[[], str], settings: IdentitySettings | None = None) -> None:
        self._next_identity_id = next_identity_id
        self._settings = settings or IdentitySettings()
        self._model_id: str = ""
        self._dim: int = 0
        self._cameras: dict[str, int] = {}
        self._clocks_s: list[float] = []
        self._spans = ArchivedSpans()
        self._calibration = Calibration(0.5, 0.05)
        self._refresh_at = 4

    def observe(self, evidence: Evidence) -> Decision:
        row = self._learn(evidence)
        decision = self._decide(row, evidence)
        if len(self._tracks) >= self._refresh_at:
            self._refresh_at = max(self._refresh_at + 1, int(len(self._tracks) * self._settings.refresh_growth))
            if len(self._tracks) <= self._settings.refresh_until:
                more = self.consolidate(evidence.at_s)
                if more:
                    decision = Decision(
                        self.identity_of(evidence.track), decision.state, decision.probability, decision.reasons,
                        decision.alternatives, decision.revisions + more,
                    )  # fmt: skip
        return decision

    def end_track(self, track: str, at_s: float) -> None:
        if not self._dim or track not in self._tracks.rows:
            return
        self._tracks.ended[self._tracks.rows[track]] = True

    def restore(self, evidence: Evidence, identity_id: str) -> None:
        row = self._learn(evidence)
        identity = self._identities.rows.get(identity_id)
        if identity is None:
            identity = self._identities.add(identity_id)
        self._move(row, identity)

    def estimate(self) -> UniqueEstimate:
        count = float(len(self._identities)) if self._dim else 0.0
        return UniqueEstimate(count, count * 0.8, count * 1.1)

    def identity_of(self, track: str) -> str:
        if not self._dim or track not in self._tracks.rows:
            raise UnknownTrack(track)
        return self._identities.names[int(self._tracks.identities[self._tracks.rows[track]])]

    # --- learning ---------------------------------------------------------------------------------------

    def _learn(self, evidence: Evidence) -> int:
        self._check(evidence)
        if not self._dim:
            self._begin(evidence)
        camera = self._cameras.setdefault(evidence.camera, len(self._cameras))
        if camera == len(self._clocks_s):
            self._clocks_s.append(evidence.at_s)
        self._clocks_s[camera] = max(self._clocks_s[camera], evidence.at_s)
        row = self._tracks.rows.get(evidence.track, -1)
        if row < 0:
            self._make_room()
            row = self._tracks.add(evidence.track, camera, evidence.started_at_s)
        self._add_crops(row, evidence)
        return row

    def _check(self, evidence: Evidence) -> None:
        check_evidence(evidence)
        if self._dim and evidence.embeddings.shape[1] != self._dim:
            raise WrongDimension(self._dim, evidence.embeddings.shape[1])
        if self._dim and evidence.model_id != self._model_id:
            raise WrongModel(self._model_id, evidence.model_id)
        camera = self._cameras.get(evidence.camera, -1)
        if camera >= 0 and evidence.at_s < self._clocks_s[camera] - self._settings.clock_tolerance_s:
            raise TimeWentBackwards(evidence.camera, self._clocks_s[camera], evidence.at_s)
        row = self._tracks.rows.get(evidence.track, -1) if self._dim else -1
        if row >= 0 and self._tracks.cameras[row] != camera:
            raise TrackMoved(evidence.track, "", evidence.camera)

    def _begin(self, evidence: Evidence) -> None:
        self._dim, self._model_id = evidence.embeddings.shape[1], evidence.model_id
        self._tracks = Tracks(self._dim)
        self._identities = Identities(self._dim)
        self._projection = Projection.identity(self._dim)

    def _add_crops(self, row: int, evidence: Evidence) -> None:
        tracks = self._tracks
        rows = unit_rows(evidence.embeddings.astype(np.float32, copy=False))
        weights = np.clip(evidence.qualities, 0.05, 1.0).astype(np.float32)
        tracks.totals[row] += weights @ rows
        tracks.weights[row] += weights.sum()
        odd = slice(1 - int(tracks.crops[row]) % 2, None, 2)
        tracks.odd_totals[row] += weights[odd] @ rows[odd]
        tracks.crops[row] += len(rows)
        tracks.started_s[row] = min(tracks.started_s[row], evidence.started_at_s)
        tracks.at_s[row] = max(tracks.at_s[row], evidence.at_s)
        tracks.ended[row] = False
        vector = self._projection.project(
            (tracks.totals[row] / tracks.weights[row])[None], tracks.cameras[row : row + 1]
        )[0]
        identity = int(tracks.identities[row])
        if identity != NOBODY:
            self._identities.sums[identity] += vector - tracks.vectors[row]
            self._identities.seen_s[identity] = max(self._identities.seen_s[identity], evidence.at_s)
        tracks.vectors[row] = vector

    # --- deciding ---------------------------------------------------------------------------------------

    def _until_s(self, rows: Ints) -> F64:
        tracks = self._tracks
        return tracks.at_s[rows] + np.where(tracks.ended[rows], 0.0, self._settings.in_view_s)

    def _rivals(self, row: int) -> Ints:
        """Rows of tracks that overlap the track in time in its camera."""
        tracks = self._tracks
        used = len(tracks.names)
        same = tracks.cameras[:used] == tracks.cameras[row]
        same[row] = False
        rows = np.flatnonzero(same)
        overlap = (tracks.started_s[rows] <= tracks.at_s[row]) & (self._until_s(rows) >= tracks.started_s[row])
        return rows[overlap]

    def _decide(self, row: int, evidence: Evidence) -> Decision:
        tracks, identities = self._tracks, self._identities
        vector = tracks.vectors[row]
        scores = identities.similarities(vector)
        own = int(tracks.identities[row])
        sole = own != NOBODY and identities.counts[own] <= 1.0
        scores[identities.counts[: len(scores)] < 0.5] = -np.inf
        own_score = -np.inf
        rivals = self._rivals(row)
        blocked = np.unique(tracks.identities[rows_with(rivals, tracks.identities)])
        if own != NOBODY:
            if not sole:
                count = float(identities.counts[own])
                own_score = float((scores[own] * count - vector @ vector) / (count - 1.0))
            scores[own] = -np.inf
        scores[blocked] = -np.inf
        for identity in self._spans.overlapped(
            int(tracks.cameras[row]), float(tracks.started_s[row]), float(tracks.at_s[row])
        ):
            scores[identity] = -np.inf
            if identity == own and not sole:
                own_score = -np.inf
        if own != NOBODY and own in blocked:
            own_score = -np.inf
        calibration = self._calibration
        top = int(scores.argmax()) if len(scores) else -1
        top_score = float(scores[top]) if top >= 0 else -np.inf
        price, scale = calibration.price, calibration.scale
        if own == NOBODY or sole:
            target = top if top_score >= price else own
        elif own_score == -np.inf or own_score < price - 2 * scale:
            target = top if top_score >= price else NOBODY
        else:
            target = top if top_score > max(price, own_score + 2 * scale) else own
        before = identities.names[own] if own != NOBODY else ""
        new = target == NOBODY
        if new:
            target = identities.add(self._next_identity_id())
        self._move(row, target)
        name = identities.names[target]
        score = own_score if target == own else top_score
        matched = identities.counts[target] > 1.0
        chance = calibration.probability(score) if score > -np.inf else 0.0
        revisions = (Revision(evidence.track, before, name),) if before and before != name else ()
        return Decision(
            name, IdentityState.MATCHED if matched else IdentityState.NEW, chance if matched else 1.0 - chance,
            (Reason("similarity", score, f"{score:.2f} against a price of {price:.2f}"),), (), revisions,
        )  # fmt: skip

    def _move(self, row: int, identity: int) -> None:
        tracks, identities = self._tracks, self._identities
        before = int(tracks.identities[row])
        if before == identity:
            return
        vector = tracks.vectors[row]
        tracks.identities[row] = identity
        identities.put(identity, vector)
        identities.seen_s[identity] = max(identities.seen_s[identity], tracks.at_s[row])
        if before != NOBODY:
            identities.take(before, vector)
            if identities.counts[before] < 0.5:
                self._spans.drop(before)
                identities.drop(before)

    # --- forgetting -------------------------------------------------------------------------------------

    def _make_room(self) -> None:
        tracks = self._tracks
        if len(tracks) < self._settings.most_tracks:
            return
        rows = tracks.used()
        oldest = rows[np.argsort(tracks.at_s[rows], kind="stable")[: max(1, len(rows) // 16)]]
        centred = unit_rows(
            tracks.means(oldest)
            - self._projection.means[np.minimum(tracks.cameras[oldest], len(self._projection.means) - 1)]
        )
        for row, vector in zip(oldest.tolist(), centred, strict=True):
            identity = int(tracks.identities[row])
            self._identities.archive(identity, vector, tracks.vectors[row])
            self._spans.add(
                int(tracks.cameras[row]), identity, float(tracks.started_s[row]), float(tracks.at_s[row])
            )
            tracks.drop(row)

    # --- thinking over ----------------------------------------------------------------------------------

    def consolidate(self, at_s: float) -> tuple[Revision, ...]:
        if not self._dim or len(self._tracks) < 2:
            return ()
        self._reproject()
        rows = self._tracks.used()
        archived = np.flatnonzero(self._identities.archive_counts[: len(self._identities.names)] > 0)
        archived = archived[np.argsort(-self._identities.seen_s[archived], kind="stable")]
        archived = archived[: self._settings.most_nodes - len(rows)]
        tracks, identities = self._tracks, self._identities
        counts = identities.archive_counts[archived].astype(np.float64)
        vectors = np.concatenate([tracks.vectors[rows], identities.archive_sums[archived] / counts[:, None].astype(np.float32)])
        weights = np.concatenate([np.ones(len(rows)), counts])
        names = np.concatenate([tracks.identities[rows], archived])
        conflicts = self._conflicts(rows, archived)
        similarities = vectors @ vectors.T
        groups = self._regroup(similarities, conflicts, weights)
        return self._adopt(rows, archived, groups, names, weights)

    def _reproject(self) -> None:
        tracks, identities = self._tracks, self._identities
        rows = tracks.used()
        means = tracks.means(rows)
        self._projection = learn_projection(
            means, tracks.cameras[rows], tracks.identities[rows],
            priors=self._settings.projection, camera_count=len(self._cameras),
        )  # fmt: skip
        tracks.vectors[rows] = self._projection.project(means, tracks.cameras[rows])
        used = len(identities.names)
        identities.project_archives(np.flatnonzero(identities.archive_counts[:used] > 0), self._projection)
        identities.sums[:used] = identities.archive_sums[:used] + group_sums(
            tracks.vectors[rows], tracks.identities[rows], used
        )

    def _conflicts(self, rows: Ints, archived: Ints) -> Flags:
        tracks = self._tracks
        count = len(rows) + len(archived)
        conflicts = np.zeros((count, count), np.bool_)
        conflicts[: len(rows), : len(rows)] = overlapping(
            tracks.cameras[rows], tracks.started_s[rows], tracks.at_s[rows]
        )
        place = {identity: len(rows) + index for index, identity in enumerate(archived.tolist())}
        spans = [
            (place[identity], camera, *span)
            for camera, of_camera in self._spans.spans_s.items()
            for identity, span in of_camera.items()
            if identity in place
        ]
        for index, camera, started_s, until_s in spans:
            hit = (tracks.cameras[rows] == camera) & (tracks.started_s[rows] <= until_s) & (tracks.at_s[rows] >= started_s)
            conflicts[index, : len(rows)] |= hit
            conflicts[: len(rows), index] |= hit
        for index, camera, started_s, until_s in spans:
            for other, camera2, started2, until2 in spans:
                if index < other and camera == camera2 and started_s <= until2 and started2 <= until_s:
                    conflicts[index, other] = conflicts[other, index] = True
        return conflicts

    def _regroup(self, similarities: F32, conflicts: Flags, weights: F64) -> Ints:
        count = len(similarities)
        sample = np.linspace(0, count - 1, min(count, SAMPLED_ROWS)).astype(np.int64)
        sampled = similarities[sample]
        mean, spread = float(sampled.mean()), float(sampled.std())
        pairs, heights = joins(similarities, conflicts, weights, mean)
        labels = self._free_labels(mean)
        price = min(mean + 4.5 * spread, mean + 0.6 * (labels.same - mean))
        groups = cut(count, pairs, heights, price)
        for _ in range(8):
            apart = groups[sample][:, None] != groups[None]
            self._calibration = calibrate(sampled[apart], int(groups.max()) + 1, labels, self._settings.calibration)
            if abs(self._calibration.price - price) < 0.003:
                break
            price = self._calibration.price
            groups = cut(count, pairs, heights, price)
        return groups

    def _free_labels(self, different: float) -> FreeLabels:
        tracks = self._tracks
        rows = tracks.used()
        rows = rows[tracks.crops[rows] > 1]
        odd, cameras = tracks.odd_totals[rows], tracks.cameras[rows]
        even = tracks.totals[rows] - odd
        halves = [self._projection.project(unit_rows(half), cameras) for half in (odd, even)]
        same = np.einsum("nd,nd->n", *halves)
        return FreeLabels((float(same.sum()) + 4 * 0.7) / (len(same) + 4), different)

    def _adopt(self, rows: Ints, archived: Ints, groups: Ints, names: Ints, weights: F64) -> tuple[Revision, ...]:
        chosen = names_for_groups(groups, names, weights)
        identities, tracks = self._identities, self._tracks
        for group in np.flatnonzero(chosen < 0).tolist():
            chosen[group] = identities.add(self._next_identity_id())
        revisions: list[Revision] = []
        goals = chosen[groups]
        for index in range(len(rows), len(groups)):
            self._move_archive(int(names[index]), int(goals[index]))
        for index in np.flatnonzero(goals[: len(rows)] != names[: len(rows)]).tolist():
            row, goal = int(rows[index]), int(goals[index])
            revisions.append(
                Revision(tracks.names[row], identities.names[int(names[index])], identities.names[goal])
            )
            self._move(row, goal)
        return tuple(revisions)

    def _move_archive(self, old: int, new: int) -> None:
        if old == new:
            return
        identities = self._identities
        for array in (identities.archives, identities.archive_sums, identities.archive_counts):
            array[new] += array[old]
        identities.sums[new] += identities.archive_sums[old]
        identities.sums[old] -= identities.archive_sums[old]
        identities.counts[new] += identities.archive_counts[old]
        identities.counts[old] -= identities.archive_counts[old]
        identities.archives[old] = identities.archive_sums[old] = 0.0
        identities.archive_counts[old] = 0.0
        self._spans.move(old, new)
        if identities.counts[old] < 0.5:
            identities.drop(old)


def rows_with(rows: Ints, identities: Ints) -> Ints:
    """The rows that already have an identity."""
    return rows[identities[rows] != NOBODY]
