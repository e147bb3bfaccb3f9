"""What a consolidation thinks about: a copy of the moment at which it began."""

from dataclasses import dataclass

import numpy as np

from ruid_core.identity.arrays import F32, F64, Flags, Ints
from ruid_core.identity.gallery import Gallery
from ruid_core.identity.statements import Names, Statement


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """When (S,) which camera saw which node; of one camera, every node is there once."""

    nodes: Ints
    cameras: Ints
    started_s: F64
    until_s: F64


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """N nodes: T tracks, then A archives. `tracks` (T,) and `archives` (A,) are rows of the gallery.

    `totals` (T, D) over `crop_weights` (T,) are the tracks' raw means; `odd_totals` (H, D) are of every other crop of
    the tracks `several` (H,) of the T. `archived` and `archive_sums` (A, D) are the archives before and after
    whitening. `weights` (N,) counts the tracks behind each node, `identities` (N,) are the present rows and `names`
    theirs, `owners` (N,) says which nodes operators bound together, `rifts` which they keep apart. `spans` are when
    which camera saw which archive's tracks: node, camera, start and end.
    """

    epoch: int
    tracks: Ints
    archives: Ints
    totals: F32
    crop_weights: F32
    several: Ints
    odd_totals: F32
    archived: F32
    archive_sums: F32
    started_s: F64
    until_s: F64
    spans: list[tuple[int, int, tuple[float, float]]]
    cameras: Ints
    weights: F64
    identities: Ints
    names: dict[int, str]
    owners: Ints
    rifts: tuple[tuple[Ints, Ints], ...]
    statements: dict[int, Statement]
    labels: dict[int, str]

    def seen(self, node: int) -> list[tuple[int, float, float]]:
        """Which camera saw a node from when to when."""
        if node < len(self.tracks):
            return [(int(self.cameras[node]), float(self.started_s[node]), float(self.until_s[node]))]
        return [(camera, *span) for one, camera, span in self.spans if one == node]


def take_snapshot(gallery: Gallery, *, most_archives: int) -> Snapshot:
    """All tracks, and archives: of the identities that have tracks, then of those seen last.

    From now on the gallery marks what changes as of a new epoch.
    """
    tracks, identities = gallery.tracks, gallery.identities
    rows, archives = tracks.used(), _archives(gallery, most_archives)
    several = np.flatnonzero(tracks.crops[rows] > 1)
    owned = np.concatenate([tracks.identities[rows], archives])
    owners, rifts = _ties(gallery, rows, archives)
    return Snapshot(
        epoch=gallery.begin_epoch(),
        tracks=rows,
        archives=archives,
        totals=tracks.totals[rows],
        crop_weights=tracks.weights[rows],
        several=several,
        odd_totals=tracks.odd_totals[rows[several]],
        archived=identities.archives[archives],
        archive_sums=identities.archive_sums[archives],
        started_s=tracks.started_s[rows],
        until_s=tracks.at_s[rows],
        spans=_spans(gallery, len(rows), archives.tolist()),
        cameras=tracks.cameras[rows],
        weights=np.concatenate([np.ones(len(rows)), identities.archive_counts[archives].astype(np.float64)]),
        identities=owned,
        names={row: identities.names[row] for row in np.unique(owned).tolist() if row >= 0},
        owners=owners,
        rifts=rifts,
        statements=dict(gallery.statements),
        labels=dict(gallery.labels),
    )


def _archives(gallery: Gallery, most: int) -> Ints:
    identities, archived = gallery.identities, gallery.archived()
    without_tracks = identities.counts[archived] == identities.archive_counts[archived]
    return archived[np.lexsort((-identities.seen_s[archived], without_tracks))][:most]


def _spans(gallery: Gallery, first: int, archives: list[int]) -> list[tuple[int, int, tuple[float, float]]]:
    return [
        (first + place, camera, span)
        for camera, spans in gallery.spans.spans_s.items()
        for place, identity in enumerate(archives)
        if (span := spans.get(identity)) is not None
    ]


def sightings(snapshot: Snapshot) -> Sightings:
    """When which camera saw which node."""
    first, spans = len(snapshot.tracks), snapshot.spans
    times = np.array([span for _, _, span in spans]).reshape(-1, 2)
    return Sightings(
        np.concatenate([np.arange(first), np.array([node for node, _, _ in spans], np.int64)]),
        np.concatenate([snapshot.cameras, np.array([camera for _, camera, _ in spans], np.int64)]),
        np.concatenate([snapshot.started_s, times[:, 0]]),
        np.concatenate([snapshot.until_s, times[:, 1]]),
    )


def _ties(gallery: Gallery, rows: Ints, archives: Ints) -> tuple[Ints, tuple[tuple[Ints, Ints], ...]]:
    """Which nodes (N,) come as one, and pairs of nodes (L,), (R,) that never do, as operators said."""
    places = {identity: len(rows) + place for place, identity in enumerate(archives.tolist())}
    owners = np.arange(len(rows) + len(archives))
    rifts: list[tuple[Ints, Ints]] = []
    for _, statement in gallery.statements:
        left, right = (_places(gallery, rows, places, names) for names in (statement.left, statement.right))
        if not statement.together:
            rifts.append((left, right))
        elif len(left):
            owners[np.isin(owners, owners[left])] = owners[left[0]]
    return np.unique(owners, return_inverse=True)[1].astype(np.int64), tuple(rifts)


def _places(gallery: Gallery, rows: Ints, archives: dict[int, int], names: Names) -> Ints:
    """Which nodes (M,) hold these tracks; archives that are not thought over hold none."""
    live = [row for name in names if (row := gallery.tracks.rows.get(name)) is not None]
    folded = [archives.get(gallery.folded[name].identity, -1) for name in names if name in gallery.folded]
    found = np.concatenate([np.searchsorted(rows, live), np.array(folded, np.int64)]).astype(np.int64)
    return np.unique(found[found >= 0])


def untouched(gallery: Gallery, snapshot: Snapshot) -> Flags:
    """Which nodes (N,) are as they were at the snapshot, and nobody has said anything about since.

    Nodes that are bound together are untouched together.
    """
    tracks, identities = gallery.tracks, gallery.identities
    kept = np.concatenate(
        [tracks.epochs[snapshot.tracks] <= snapshot.epoch, identities.epochs[snapshot.archives] <= snapshot.epoch]
    )
    relabelled = {row for row, _ in snapshot.labels.items() ^ gallery.labels.items()}
    spoken_of = _spoken_of(gallery, snapshot)
    kept[: len(snapshot.tracks)] &= ~np.isin(snapshot.tracks, list(spoken_of[0]))
    kept[len(snapshot.tracks) :] &= ~np.isin(snapshot.archives, list(spoken_of[1]))
    kept &= ~np.isin(snapshot.identities, list(relabelled))
    return kept & ~np.isin(snapshot.owners, snapshot.owners[~kept])


def _spoken_of(gallery: Gallery, snapshot: Snapshot) -> tuple[set[int], set[int]]:
    """Rows of the tracks, and of the archives' identities, that statements made or unmade since name."""
    now, before = dict(gallery.statements), snapshot.statements
    changed = [
        statement
        for number in now.keys() | before.keys()
        if now.get(number) is not before.get(number)
        for statement in (now.get(number), before.get(number))
        if statement is not None
    ]
    names = {name for statement in changed for name in statement.left | statement.right}
    rows = {gallery.tracks.rows[name] for name in names if name in gallery.tracks.rows}
    return rows, {gallery.folded[name].identity for name in names if name in gallery.folded}
