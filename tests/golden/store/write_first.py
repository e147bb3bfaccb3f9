"""Writes first.sql, a database as the first release left it, with that release's own code.

PYTHONPATH=OLD/core/src:OLD/hub/src python write_first.py >first.sql

OLD is a working tree of the last commit whose schema was 0001 (d475208). Two people on one camera: one track in two
parts, one in one, each with looks, the first with a picture; a gap, and items that the node gave up.
"""

import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ruid_hub.observations import Assignment, CoverageGap, Observation, TrackKey
from ruid_hub.store import DroppedRow, GapRow, ObservationRow, open_store

NOON_S = 1_790_000_000.0
CAMERA = "node-1/cam"
KEPT_OUTSIDE = ("auto_vacuum", "journal_mode", "application_id", "user_version")
"""What a dump leaves out of a database."""


def row(seq: int, *, track_id: int, part: int, identity_id: str, state: str, picture: bytes = b"") -> ObservationRow:
    at_s = NOON_S + 30 * (seq - 1)
    looks = np.random.default_rng(seq).normal(size=(2, 16)).astype(np.float32)
    seen = Observation(
        node_id="node-1",
        boot_epoch=1,
        seq=seq,
        track=TrackKey(CAMERA, 1, track_id),
        part=part,
        final=True,
        started_at_s=at_s - 2.0,
        ended_at_s=at_s,
        grabbed_at_s=at_s,
        received_at_s=at_s,
        box_rel=(0.1, 0.2, 0.3, 0.4),
        frames=20,
        embedding_model_id="osnet",
        embeddings=looks / np.linalg.norm(looks, axis=1, keepdims=True),
        qualities=np.array([0.5, 1.0], np.float32),
        thumbnail_jpeg=picture,
    )
    return ObservationRow(seen, Assignment(identity_id, state, 0.9))


def fill(path: Path) -> None:
    store: Any = open_store(path)
    store.record_cameras("node-1", {CAMERA: "Door"})
    store.commit(
        [
            row(1, track_id=7, part=0, identity_id="ada", state="new", picture=b"\xff\xd8\xff\xe0 a picture \xff\xd9"),
            row(2, track_id=7, part=1, identity_id="ada", state="matched"),
            row(3, track_id=8, part=0, identity_id="bob", state="matched"),
            GapRow("node-1", 1, 4, CoverageGap(CAMERA, NOON_S + 60, NOON_S + 90, "camera lost")),
            DroppedRow("node-1", 1, 5, "spool full", 6, 8, 3, NOON_S + 95),
        ]
    )
    store.record_heard({CAMERA: NOON_S + 100})
    store.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hub.db"
        fill(path)
        database = sqlite3.connect(path)
        for name in KEPT_OUTSIDE:
            sys.stdout.write(f"PRAGMA {name}={database.execute(f'PRAGMA {name}').fetchone()[0]};\n")
        sys.stdout.writelines(f"{line}\n" for line in database.iterdump())
        database.close()


if __name__ == "__main__":
    main()
