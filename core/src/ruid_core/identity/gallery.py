"""What is remembered: tracks, and the identities that they make up.

A track is kept as the weighted mean of its crops (raw, so that it can be projected anew) and the present
projection of that mean, a unit vector. An identity is the sum of its tracks' vectors: the dot product with the
sum, over the number of tracks, is the average similarity to all of them, which is what average linkage
compares. When the table of tracks is full, the tracks seen longest ago are folded into their identity's
archive, one vector with a count, and leave behind from when to when each camera saw them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from ruid_core.identity.arrays import F32, F64, Flags, Ints, group_sums, grown, unit_row, unit_rows
from ruid_core.identity.constraints import ArchivedSpans
from ruid_core.identity.errors import UnknownTrack
from ruid_core.identity.projection import COARSE_AXES, Projection
from ruid_core.identity.statements import Statements
from ruid_core.identity.steps import IN_PRODUCT, Steps, blocks
from ruid_core.identity.values import Evidence

LEAST_QUALITY = 0.05
COARSE_FROM = 4096  # identities; below, comparing with everybody is as fast
SHORTLIST = 1024
SAMPLED_EVERY = 8
NOBODY = -1
FIRST_ROOM = 64


class Tracks:
    """A bounded table of tracks, one row each; a row's number is free for another once it is dropped."""

    def __init__(self, dim: int) -> None:
        self.rows: dict[str, int] = {}
        self.names: list[str] = []
        self.free: list[int] = []
        self.totals: F32 = np.zeros((FIRST_ROOM, dim), np.float32)
        self.weights: F32 = np.zeros(FIRST_ROOM, np.float32)
        self.odd_totals: F32 = np.zeros((FIRST_ROOM, dim), np.float32)
        self.crops: Ints = np.zeros(FIRST_ROOM, np.int64)
        self.vectors: F32 = np.zeros((FIRST_ROOM, dim), np.float32)
        self.cameras: Ints = np.full(FIRST_ROOM, -1, np.int64)
        self.started_s: F64 = np.zeros(FIRST_ROOM)
        self.at_s: F64 = np.zeros(FIRST_ROOM)
        self.ended: Flags = np.zeros(FIRST_ROOM, np.bool_)
        self.identities: Ints = np.full(FIRST_ROOM, NOBODY, np.int64)
        self.epochs: Ints = np.zeros(FIRST_ROOM, np.int64)
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, name: str, camera: int, started_s: float) -> int:
        """Take a row for a track that has shown nothing yet."""
        row = self.free.pop() if self.free else self._new_row()
        self.rows[name] = row
        self.names[row] = name
        self.cameras[row] = camera
        self.started_s[row] = self.at_s[row] = started_s
        self.epochs[row] = self.epoch
        return row

    def drop(self, row: int) -> None:
        """Give the row back, empty."""
        del self.rows[self.names[row]]
        self.names[row] = ""
        self.totals[row] = self.odd_totals[row] = self.vectors[row] = 0.0
        self.weights[row] = self.crops[row] = 0
        self.ended[row] = False
        self.cameras[row] = self.identities[row] = -1
        self.epochs[row] = self.epoch
        self.free.append(row)

    def overlapping(self, rows: Ints, camera: int, started_s: float, until_s: float) -> bool:
        """Whether the camera saw any of `rows` (N,) at that time."""
        same = (self.cameras[rows] == camera) & (self.started_s[rows] <= until_s) & (self.at_s[rows] >= started_s)
        return bool(same.any())

    def used(self) -> Ints:
        """The rows in use, ascending."""
        return np.flatnonzero(self.cameras[: len(self.names)] >= 0)

    def means(self, rows: Ints) -> F32:
        """Raw mean embeddings (N, D) of `rows` (N,)."""
        return self.totals[rows] / self.weights[rows, None]

    def _new_row(self) -> int:
        row = len(self.names)
        self.names.append("")
        if row == len(self.cameras):
            self._grow(2 * row)
        return row

    def _grow(self, rows: int) -> None:
        used = len(self.cameras)
        for name in (
            "totals", "odd_totals", "weights", "crops", "vectors", "cameras", "started_s", "at_s", "ended",
            "identities", "epochs",
        ):  # fmt: skip
            setattr(self, name, grown(getattr(self, name), rows))
        self.cameras[used:] = self.identities[used:] = -1


class Identities:
    """A table of identities, one row each; rows without tracks and archive are free."""

    def __init__(self, dim: int) -> None:
        self.rows: dict[str, int] = {}
        self.names: list[str] = []
        self.free: list[int] = []
        self.sums: F32 = np.zeros((FIRST_ROOM, dim), np.float32)
        self.counts: F32 = np.zeros(FIRST_ROOM, np.float32)
        self.archives: F32 = np.zeros((FIRST_ROOM, dim), np.float32)
        self.archive_counts: F32 = np.zeros(FIRST_ROOM, np.float32)
        self.archive_sums: F32 = np.zeros((FIRST_ROOM, dim), np.float32)
        self.seen_s: F64 = np.zeros(FIRST_ROOM)
        self.epochs: Ints = np.zeros(FIRST_ROOM, np.int64)
        self.epoch = 0
        self._coarse_axes: F32 = np.zeros((dim, 0), np.float32)
        self._coarse: F32 = np.zeros((0, 0), np.float32)
        self._changed: set[int] = set()

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, name: str) -> int:
        """Take a row for somebody without tracks."""
        row = self.free.pop() if self.free else self._new_row()
        self.rows[name] = row
        self.names[row] = name
        self.seen_s[row] = -np.inf
        self.epochs[row] = self.epoch
        return row

    def drop(self, row: int) -> None:
        """Give the row back, empty."""
        del self.rows[self.names[row]]
        self.names[row] = ""
        self.sums[row] = self.archives[row] = self.archive_sums[row] = 0.0
        self.counts[row] = self.archive_counts[row] = 0.0
        self.note_change(row)
        self.epochs[row] = self.epoch
        self.free.append(row)

    def put(self, row: int, vector: F32) -> None:
        """Count a track's vector (D,) in."""
        self.sums[row] += vector
        self.counts[row] += 1.0
        self.note_change(row)

    def take(self, row: int, vector: F32) -> None:
        """Count a track's vector (D,) out."""
        self.sums[row] -= vector
        self.counts[row] -= 1.0
        self.note_change(row)

    def archive(self, row: int, centred: F32, vector: F32) -> None:
        """Fold a track, which stays counted, in for good: centred (D,) and projected (D,)."""
        self.archives[row] += centred
        self.archive_sums[row] += vector
        self.archive_counts[row] += 1.0
        self.epochs[row] = self.epoch

    def turned(self, rows: Ints, projection: Projection) -> F32:
        """The archives (N, D) of `rows` in a new projection; how far their tracks agree stays as it is."""
        sums = self.archive_sums[rows]
        lengths = np.sqrt(np.einsum("nd,nd->n", sums, sums))
        return projection.whiten(unit_rows(self.archives[rows])) * lengths[:, None]

    def take_over(self, prepared: "Prepared", projection: Projection) -> None:
        """Archives as prepared, and where they changed since, anew; without tracks until the next recount."""
        used = len(self.names)
        changed = np.flatnonzero(self.epochs[:used] > prepared.epoch)
        archived = changed[self.archive_counts[changed] > 0]
        turned = self.turned(archived, projection)
        self.archive_sums, self.sums = (
            rows if len(rows) == len(self.counts) else grown(rows, len(self.counts)).astype(np.float32, copy=False)
            for rows in (prepared.archive_sums, prepared.sums)
        )
        self.archive_sums[changed] = 0.0
        self.archive_sums[archived] = turned
        self.sums[changed] = self.archive_sums[changed]
        self.look_along(projection.coarse, prepared.coarse, changed)

    def similarities(self, vector: F32) -> F32:
        """Average similarity of a vector (D,) to every row's tracks: (rows,); -inf for who is out of the question.

        Among very many, a first look along a few axes picks who is compared in full.
        """
        used = len(self.names)
        if used > COARSE_FROM and self._coarse_axes.shape[1]:
            return self._shortlisted(vector, used)
        scores: F32 = self.sums[:used] @ vector
        counts = self.counts[:used]
        scores /= np.maximum(counts, np.float32(1.0))
        scores[counts < 0.5] = -np.inf
        return scores

    def note_change(self, row: int) -> None:
        """The row's sum has changed; the coarse look needs to know."""
        if len(self._coarse):
            self._changed.add(row)

    def note_changes(self, rows: Ints) -> None:
        """As `note_change`, for many rows (N,)."""
        if len(self._coarse):
            self._changed.update(rows.tolist())

    def look_along(self, axes: F32, coarse: F32, changed: Ints) -> None:
        """Take new axes (D, R) for the coarse look, and everybody (rows, R) along them but for the changed rows."""
        self._coarse_axes = axes
        self._coarse = coarse
        self._changed = set(changed.tolist()) if len(coarse) else set()

    def _shortlisted(self, vector: F32, used: int) -> F32:
        self._refresh_coarse(used)
        along: F32 = vector @ self._coarse_axes
        rows = _most_promising(self._coarse[:used] @ along)
        counts = self.counts[rows]
        scores = np.full(used, -np.inf, np.float32)
        scores[rows] = np.where(counts < 0.5, -np.inf, (self.sums[rows] @ vector) / np.maximum(counts, 1.0))
        return scores

    def _refresh_coarse(self, used: int) -> None:
        if not len(self._coarse):
            self._changed.clear()
            counts = np.maximum(self.counts[:, None], np.float32(1.0))
            self._coarse = ((self.sums @ self._coarse_axes) / counts).astype(np.float32, copy=False)
        elif len(self._coarse) < used:
            self._changed.update(range(len(self._coarse), used))
            self._coarse = grown(self._coarse, len(self.sums)).astype(np.float32, copy=False)
        rows = np.fromiter(self._changed, np.int64)
        self._coarse[rows] = (self.sums[rows] @ self._coarse_axes) / np.maximum(
            self.counts[rows, None], np.float32(1.0)
        )
        self._changed.clear()

    def _new_row(self) -> int:
        row = len(self.names)
        self.names.append("")
        if row == len(self.counts):
            for name in ("sums", "counts", "archives", "archive_counts", "archive_sums", "seen_s", "epochs"):
                setattr(self, name, grown(getattr(self, name), 2 * row))
        return row


def _most_promising(rough: F32) -> Ints:
    """The rows of about the `SHORTLIST` largest of (N,), ascending: as large as a sample's own share of them.

    To find exactly so many takes several times as long.
    """
    sample = rough[::SAMPLED_EVERY]
    place = len(sample) - max(1, SHORTLIST // SAMPLED_EVERY)
    return np.flatnonzero(rough >= np.partition(sample, place)[place])


class Folded(Struct, frozen=True, gc=False):
    """A track whose look has gone into an archive: whose, and when which camera saw it.

    There may be very many, and numbers hold nothing else: garbage collections need not look through them.
    """

    identity: int
    camera: int
    started_s: float
    until_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Tracks and archives in a new projection, as they were or became since `epoch`; who changed later is left out.

    `vectors` (T, D) are of the tracks in `rows` (T,); `archive_sums`, `sums` (without tracks) and `coarse` have a row
    per identity.
    """

    epoch: int
    rows: Ints
    vectors: F32
    archive_sums: F32
    sums: F32
    coarse: F32


class Gallery:
    """Tracks and identities together: every change of who belongs to whom goes through here.

    `folded` holds the names of folded tracks, `labels` the names that operators gave to identities.
    """

    def __init__(self, dim: int) -> None:
        self.tracks = Tracks(dim)
        self.identities = Identities(dim)
        self.spans = ArchivedSpans()
        self.projection = Projection.identity(dim)
        self.statements = Statements()
        self.folded: dict[str, Folded] = {}
        self.labels: dict[int, str] = {}

    def add_crops(self, row: int, evidence: Evidence) -> None:
        """Count the evidence in, and move the track's vector to where it now belongs."""
        tracks = self.tracks
        crops, seen = len(evidence.embeddings), int(tracks.crops[row])
        for number, (look, quality) in enumerate(zip(evidence.embeddings, evidence.qualities.tolist(), strict=True)):
            weight = np.float32(min(max(quality, LEAST_QUALITY), 1.0))
            weighted = weight * unit_row(look.astype(np.float32, copy=False))
            tracks.totals[row] += weighted
            tracks.weights[row] += weight
            if (seen + number) % 2:
                tracks.odd_totals[row] += weighted
        tracks.crops[row] = seen + crops
        tracks.started_s[row] = min(tracks.started_s[row], evidence.started_at_s)
        tracks.at_s[row] = max(tracks.at_s[row], evidence.at_s)
        tracks.ended[row] = False
        tracks.epochs[row] = tracks.epoch
        self._turn(row)

    def _turn(self, row: int) -> None:
        tracks = self.tracks
        vector = self.projection.project_one(tracks.totals[row] / tracks.weights[row], int(tracks.cameras[row]))
        identity = int(tracks.identities[row])
        if identity != NOBODY:
            self.identities.sums[identity] += vector - tracks.vectors[row]
            self.identities.note_change(identity)
            self.identities.seen_s[identity] = max(self.identities.seen_s[identity], tracks.at_s[row])
        tracks.vectors[row] = vector

    def name_of(self, track: str) -> str:
        """The identity_id that a track, folded or not, belongs to; raises `UnknownTrack`."""
        return self.identities.names[self.identity_row(track)]

    def identity_row(self, track: str) -> int:
        """The row of the identity that a track belongs to; raises `UnknownTrack`."""
        row = self.tracks.rows.get(track)
        if row is not None and self.tracks.identities[row] != NOBODY:
            return int(self.tracks.identities[row])
        if track not in self.folded:
            raise UnknownTrack(track)
        return self.folded[track].identity

    def camera_of(self, track: str) -> int | None:
        """The camera that saw a track; None for one that is not known."""
        row = self.tracks.rows.get(track)
        if row is not None:
            return int(self.tracks.cameras[row])
        return self.folded[track].camera if track in self.folded else None

    def move(self, row: int, identity: int) -> None:
        """The track belongs to `identity` from now on; call `drop_empty` when all moves are made."""
        tracks, identities = self.tracks, self.identities
        before = int(tracks.identities[row])
        if before == identity:
            return
        tracks.identities[row] = identity
        tracks.epochs[row] = tracks.epoch
        identities.put(identity, tracks.vectors[row])
        identities.seen_s[identity] = max(identities.seen_s[identity], tracks.at_s[row])
        if before != NOBODY:
            identities.take(before, tracks.vectors[row])

    def move_together(self, rows: list[int], owners: list[int]) -> None:
        """Many tracks belong to `owners` from now on; call `recount` and `drop_empty` when all moves are made."""
        self.tracks.identities[rows] = owners
        self.tracks.epochs[rows] = self.tracks.epoch

    def recount(self) -> None:
        """Add the tracks to their identities, of which only the archives are in the sums."""
        tracks, identities = self.tracks, self.identities
        rows, used = tracks.used(), len(identities.names)
        rows = rows[tracks.identities[rows] != NOBODY]
        owners, whose = np.unique(tracks.identities[rows], return_inverse=True)
        identities.sums[owners] += group_sums(tracks.vectors[rows], whose, len(owners))
        identities.counts[:used] = identities.archive_counts[:used]
        identities.counts[owners] += np.bincount(whose).astype(np.float32)
        np.maximum.at(identities.seen_s, tracks.identities[rows], tracks.at_s[rows])
        identities.note_changes(owners)

    def move_archives(self, moves: list[tuple[int, int]]) -> list[list[str]]:
        """Everything folded of each (old, new) goes to the new, all at once; returns the tracks that went with each."""
        if not moves:
            return []
        lifted = [self._lift_archive(old) for old, _ in moves]
        names: dict[int, list[str]] = {old: [] for old, _ in moves}
        for track, folded in self.folded.items():
            if folded.identity in names:
                names[folded.identity].append(track)
        for (old, new), (centred, vector, count, spans) in zip(moves, lifted, strict=True):
            self.lay_archive(new, centred, vector, count)
            for camera, started_s, until_s in spans:
                self.spans.add(camera, new, started_s, until_s)
            for track in names[old]:
                self.folded[track] = replace(self.folded[track], identity=new)
        return [names[old] for old, _ in moves]

    def _lift_archive(self, old: int) -> tuple[F32, F32, float, list[tuple[int, float, float]]]:
        identities = self.identities
        centred, vector = identities.archives[old].copy(), identities.archive_sums[old].copy()
        count, spans = float(identities.archive_counts[old]), self.spans.of(old)
        self.lay_archive(old, -centred, -vector, -count)
        self.spans.drop(old)
        return centred, vector, count, spans

    def lay_archive(self, new: int, centred: F32, vector: F32, count: float) -> None:
        """Add to an archive: centred (D,) and projected (D,), of so many tracks."""
        identities = self.identities
        identities.archives[new] += centred
        for sums in (identities.sums, identities.archive_sums):
            sums[new] += vector
        for counts in (identities.counts, identities.archive_counts):
            counts[new] += count
        identities.epochs[new] = identities.epoch
        identities.note_change(new)

    def fold(self, rows: Ints, *, most_folded: int) -> None:
        """Fold tracks into their identities' archives; names are kept of the last `most_folded` of them."""
        tracks = self.tracks
        centred = self.projection.centre(tracks.means(rows), tracks.cameras[rows])
        for row, vector in zip(rows.tolist(), centred, strict=True):
            identity = int(tracks.identities[row])
            self.identities.archive(identity, vector, tracks.vectors[row])
            camera, started_s, until_s = int(tracks.cameras[row]), tracks.started_s[row], tracks.at_s[row]
            self.spans.add(camera, identity, float(started_s), float(until_s))
            self.folded[tracks.names[row]] = Folded(identity, camera, float(started_s), float(until_s))
            tracks.drop(row)
        self._forget_names(list(self.folded)[: max(0, len(self.folded) - most_folded)])

    def forget_unseen(self, *, most_identities: int) -> None:
        """Drop the identities without tracks that were seen longest ago, down to `most_identities`."""
        identities = self.identities
        too_many = len(identities) - most_identities
        if too_many <= 0:
            return
        used = len(identities.names)
        only_archive = (identities.counts[:used] > 0) & (identities.counts[:used] == identities.archive_counts[:used])
        rows = np.flatnonzero(only_archive)
        oldest = rows[np.argsort(identities.seen_s[rows], kind="stable")[:too_many]].tolist()
        gone = set(oldest)
        self._forget_names([track for track, folded in self.folded.items() if folded.identity in gone])
        for row in oldest:
            self.drop_identity(row)

    def begin_epoch(self) -> int:
        """What changes from now on is marked as later than the number that is returned."""
        ended = self.tracks.epoch
        self.tracks.epoch = self.identities.epoch = ended + 1
        return ended

    def prepare(self, projection: Projection, rows: Ints, vectors: F32, *, epoch: int) -> Steps[Prepared]:
        """Turn the archives into a new projection, for `turn`; `vectors` (T, D) of `rows` (T,) already are."""
        identities, archived = self.identities, self.archived()
        sums, archive_sums = (np.zeros_like(identities.sums) for _ in range(2))
        coarse = np.zeros((len(sums) if len(identities) > COARSE_FROM else 0, projection.coarse.shape[1]), np.float32)
        each = (8 + (len(projection.axes) + 2 * COARSE_AXES) // IN_PRODUCT) * vectors.shape[1]
        for block in blocks(len(archived), each):
            own = archived[block]
            turned = identities.turned(own, projection)
            archive_sums[own] = sums[own] = turned
            if len(coarse):
                coarse[own] = (turned / identities.archive_counts[own, None]) @ projection.coarse
            yield len(own) * each
        return Prepared(epoch, rows, vectors, archive_sums, sums, coarse)

    def turn(self, projection: Projection, prepared: Prepared) -> None:
        """Take up a new projection; identities are without their tracks until `recount`."""
        tracks = self.tracks
        self.projection = projection
        kept = tracks.epochs[prepared.rows] <= prepared.epoch
        tracks.vectors[prepared.rows[kept]] = prepared.vectors[kept]
        rows = tracks.used()
        rows = rows[tracks.epochs[rows] > prepared.epoch]
        tracks.vectors[rows] = projection.project(tracks.means(rows), tracks.cameras[rows])
        self.identities.take_over(prepared, projection)

    def archived(self) -> Ints:
        """Rows of the identities that have an archive, ascending."""
        return np.flatnonzero(self.identities.archive_counts[: len(self.identities.names)] > 0)

    def nbytes(self) -> int:
        """Bytes of everything that grows with tracks and identities, names at 64 bytes each."""
        arrays = [*vars(self.tracks).values(), *vars(self.identities).values(), self.projection.axes]
        names = len(self.tracks) + len(self.identities) + len(self.folded)
        return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray)) + 64 * names

    def forget_track(self, track: str) -> None:
        """Forget one track, with what its identity learned from it while it was not folded."""
        self.folded.pop(track, None)
        row = self.tracks.rows.get(track)
        if row is not None:
            self.identities.take(int(self.tracks.identities[row]), self.tracks.vectors[row])
            self.tracks.drop(row)

    def _forget_names(self, tracks: list[str]) -> None:
        for track in tracks:
            del self.folded[track]
        self.statements.forget(tracks)

    def drop_empty(self, rows: Iterable[int]) -> None:
        """Give back the rows of identities that have neither tracks nor an archive left."""
        for row in rows:
            if self.identities.names[row] and self.identities.counts[row] < 0.5:
                self.drop_identity(row)

    def drop_identity(self, row: int) -> None:
        """Forget an identity that has nothing left."""
        self.spans.drop(row)
        self.labels.pop(row, None)
        self.identities.drop(row)
