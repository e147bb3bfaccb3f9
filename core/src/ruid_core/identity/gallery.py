"""What is remembered: tracks, and the identities that they make up.

A track is kept as the weighted mean of its crops (raw, so that it can be projected anew) and the present
projection of that mean, a unit vector. An identity is the sum of its tracks' vectors: the dot product with the
sum, over the number of tracks, is the average similarity to all of them, which is what average linkage
compares. When the table of tracks is full, the tracks that ended longest ago are folded into their identity's
archive, one vector with a count, and leave behind from when to when each camera saw them.
"""

import numpy as np

from ruid_core.identity.arrays import F32, F64, Flags, Ints, grown, unit_rows
from ruid_core.identity.projection import Projection

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

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, name: str, camera: int, started_s: float) -> int:
        """Take a row for a track that has shown nothing yet."""
        row = self.free.pop() if self.free else self._new_row()
        self.rows[name] = row
        self.names[row] = name
        self.cameras[row] = camera
        self.started_s[row] = self.at_s[row] = started_s
        return row

    def drop(self, row: int) -> None:
        """Give the row back, empty."""
        del self.rows[self.names[row]]
        self.names[row] = ""
        self.totals[row] = self.odd_totals[row] = self.vectors[row] = 0.0
        self.weights[row] = self.crops[row] = 0
        self.ended[row] = False
        self.cameras[row] = self.identities[row] = -1
        self.free.append(row)

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
            "totals", "odd_totals", "weights", "crops", "vectors", "cameras", "started_s", "at_s", "ended", "identities"
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

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, name: str) -> int:
        """Take a row for somebody without tracks."""
        row = self.free.pop() if self.free else self._new_row()
        self.rows[name] = row
        self.names[row] = name
        self.seen_s[row] = -np.inf
        return row

    def drop(self, row: int) -> None:
        """Give the row back, empty."""
        del self.rows[self.names[row]]
        self.names[row] = ""
        self.sums[row] = self.archives[row] = self.archive_sums[row] = 0.0
        self.counts[row] = self.archive_counts[row] = 0.0
        self.free.append(row)

    def put(self, row: int, vector: F32) -> None:
        """Count a track's vector (D,) in."""
        self.sums[row] += vector
        self.counts[row] += 1.0

    def take(self, row: int, vector: F32) -> None:
        """Count a track's vector (D,) out."""
        self.sums[row] -= vector
        self.counts[row] -= 1.0

    def archive(self, row: int, centred: F32, vector: F32) -> None:
        """Fold a track, which stays counted, in for good: centred (D,) and projected (D,)."""
        self.archives[row] += centred
        self.archive_sums[row] += vector
        self.archive_counts[row] += 1.0

    def project_archives(self, rows: Ints, projection: Projection) -> None:
        """Turn the archives of `rows` into a new projection; how far their tracks agree stays as it was."""
        lengths = np.sqrt(np.einsum("nd,nd->n", self.archive_sums[rows], self.archive_sums[rows]))
        self.archive_sums[rows] = projection.whiten(unit_rows(self.archives[rows])) * lengths[:, None]

    def similarities(self, vector: F32) -> F32:
        """Average similarity of a vector (D,) to every row's tracks: (rows,); 0 for empty rows."""
        used = len(self.names)
        return (self.sums[:used] @ vector) / np.maximum(self.counts[:used], 1.0)

    def _new_row(self) -> int:
        row = len(self.names)
        self.names.append("")
        if row == len(self.counts):
            for name in ("sums", "counts", "archives", "archive_counts", "archive_sums", "seen_s"):
                setattr(self, name, grown(getattr(self, name), 2 * row))
        return row
