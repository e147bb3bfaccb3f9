"""A database as a busy site leaves it after a month: observations, appearances, crossings and people."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DAY_S = 86_400.0
HOUR_S = 3600.0
PARTS = 10
PART_S = 4.0
TRACKS_PER_PERSON = 3
TRACKS_PER_CROSSING = 5
PORTION = 50_000
NODE_KEY = 1


@dataclass(frozen=True, slots=True)
class Filling:
    """How much there is: `observations` over `days` until `until_s`, on so many cameras."""

    observations: int
    cameras: int
    days: int
    until_s: float


def fill(path: Path, filling: Filling) -> None:
    """Write straight into a database that no hub has open: what a hub would take a month to receive."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("INSERT INTO nodes VALUES (?, 'bench', 1, ?)", (NODE_KEY, filling.observations))
        cameras = [(key, NODE_KEY, f"bench/cam{key}", f"Camera {key}", None, 1) for key in _camera_keys(filling)]
        connection.executemany(
            "INSERT INTO cameras (camera_key, node_key, camera, name, last_heard_s, site_key) VALUES (?,?,?,?,?,?)",
            cameras,
        )
        started_s = filling.until_s - filling.days * DAY_S
        connection.execute(
            "INSERT INTO boots (node_key, boot_epoch, started_at_s, heard_at_s) VALUES (?, 1, ?, ?)",
            (NODE_KEY, started_s, filling.until_s),
        )
        for first in range(0, filling.observations // PARTS, PORTION // PARTS):
            _portion(
                connection, filling, np.arange(first, min(first + PORTION // PARTS, filling.observations // PARTS))
            )
        connection.commit()


def _camera_keys(filling: Filling) -> range:
    return range(1, filling.cameras + 1)


def _portion(connection: sqlite3.Connection, filling: Filling, tracks: "np.typing.NDArray[np.int64]") -> None:
    """Some tracks with all that belongs to them; people come by a few times within hours of each other."""
    span_s = filling.days * DAY_S
    start_s = filling.until_s - span_s + tracks * (span_s / (filling.observations // PARTS))
    camera = tracks % filling.cameras + 1
    person = tracks // (TRACKS_PER_PERSON * 40) * 40 + tracks % 40 + 1
    _write(connection, "identities", _people(person, start_s))
    _write(connection, "observations", _observations(tracks, start_s, camera, person))
    hour = (start_s // HOUR_S).astype(np.int64)
    newcomer = (tracks // 40) % TRACKS_PER_PERSON == 0
    appearances = zip(
        *(column.tolist() for column in (camera, tracks, hour, start_s, start_s + PARTS * PART_S, person, newcomer)),
        strict=True,
    )
    connection.executemany(
        "INSERT INTO appearances (camera_key, boot_epoch, track_id, hour, first_s, last_s, identity_key, probability, "
        "newcomer, begins) VALUES (?, 1, ?, ?, ?, ?, ?, 0.95, ?, 1)",
        appearances,
    )
    crossing = tracks[tracks % TRACKS_PER_CROSSING == 0]
    rows = zip(
        crossing.tolist(),
        (crossing % filling.cameras + 1).tolist(),
        crossing.tolist(),
        np.where(crossing % 2, 1, -1).tolist(),
        (start_s[tracks % TRACKS_PER_CROSSING == 0] + 1.0).tolist(),
        strict=True,
    )
    connection.executemany(
        "INSERT INTO crossings (node_key, boot_epoch, seq, camera_key, track_id, line_id, direction, at_s) "
        "VALUES (1, 1, -1 - ?, ?, ?, 'door', ?, ?)",
        rows,
    )


def _people(person: Any, start_s: Any) -> Iterator[tuple[Any, ...]]:
    keys, first = np.unique(person, return_index=True)
    for key, at_s in zip(keys.tolist(), start_s[first].tolist(), strict=True):
        yield key, f"person-{key:07d}", None, at_s, at_s + HOUR_S


def _observations(tracks: Any, start_s: Any, camera: Any, person: Any) -> Iterator[tuple[Any, ...]]:
    for track, at_s, key, who in zip(tracks.tolist(), start_s.tolist(), camera.tolist(), person.tolist(), strict=True):
        for part in range(PARTS):
            seq, from_s = track * PARTS + part + 1, at_s + part * PART_S
            to_s = from_s + PART_S
            yield (
                *(seq, NODE_KEY, 1, seq, key, track, part, part == PARTS - 1, from_s, to_s, to_s, to_s),
                *(0.1, 0.1, 0.2, 0.5, 40, who, "matched", 0.95),
            )


def _write(connection: sqlite3.Connection, table: str, rows: Iterator[tuple[Any, ...]]) -> None:
    first = next(rows)
    marks = ",".join("?" * len(first))
    connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", [first, *rows])  # noqa: S608 (our names)
