"""A database as a busy site leaves it after a month: observations, appearances, crossings and people.

SQL alone makes the rows, and the indexes come last: ten million observations take a minute or two.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

DAY_S = 86_400.0
PARTS = 10
PART_S = 4.0
TRACKS_PER_CROSSING = 5
NODE_KEY = 1
FILLED = ("identities", "observations", "appearances", "crossings")
FAST = ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-300000", "temp_store=MEMORY")


@dataclass(frozen=True, slots=True)
class Filling:
    """How much there is: `observations` over `days` until `until_s`, on so many cameras."""

    observations: int
    cameras: int
    days: int
    until_s: float

    @property
    def tracks(self) -> int:
        """Each has PARTS observations."""
        return self.observations // PARTS

    @property
    def since_s(self) -> float:
        """When the first one begins."""
        return self.until_s - self.days * DAY_S


def fill(path: Path, filling: Filling) -> None:
    """Write straight into a database that no hub has open: what a hub would take a month to receive."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in FAST:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        indexes = _without_indexes(connection)
        _fill_cameras(connection, filling)
        _plan_tracks(connection, filling)
        for statement in (_PEOPLE, _OBSERVATIONS, _APPEARANCES, _CROSSINGS):
            connection.execute(statement, _SIZES)
        for statement in indexes:
            connection.execute(statement)
        connection.execute("COMMIT")


def _without_indexes(connection: sqlite3.Connection) -> list[str]:
    """Take the indexes off the tables that are filled; returns what makes them again."""
    query = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    made = [(name, sql) for name, table, sql in connection.execute(query) if table in FILLED]
    for name, _ in made:
        connection.execute(f"DROP INDEX {name}")
    return [sql for _, sql in made]


def _fill_cameras(connection: sqlite3.Connection, filling: Filling) -> None:
    connection.execute(
        "INSERT INTO nodes (node_key, node_id, resume_boot_epoch, resume_seq) VALUES (?, 'bench', 1, ?)",
        (NODE_KEY, filling.observations),
    )
    connection.executemany(
        "INSERT INTO cameras (camera_key, node_key, camera, name, site_key) VALUES (?, ?, ?, ?, 1)",
        [(key, NODE_KEY, f"bench/cam{key}", f"Camera {key}") for key in range(1, filling.cameras + 1)],
    )
    connection.execute(
        "INSERT INTO boots (node_key, boot_epoch, started_at_s, heard_at_s) VALUES (?, 1, ?, ?)",
        (NODE_KEY, filling.since_s, filling.until_s),
    )


def _plan_tracks(connection: sqlite3.Connection, filling: Filling) -> None:
    """Who came by where and when: everybody three times within minutes, forty people in turn."""
    connection.execute(
        "CREATE TEMP TABLE tracks "
        "(track INTEGER PRIMARY KEY, camera INTEGER, person INTEGER, start_s REAL, new INTEGER)"
    )
    step_s = filling.days * DAY_S / filling.tracks
    sizes = {"tracks": filling.tracks, "cameras": filling.cameras, "since_s": filling.since_s, "step_s": step_s}
    connection.execute(_TRACKS, sizes)


_SIZES = {"node": NODE_KEY, "parts": PARTS, "part_s": PART_S, "crossing": TRACKS_PER_CROSSING}

_TRACKS = """
WITH RECURSIVE numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < :tracks)
INSERT INTO tracks
SELECT number, number % :cameras + 1, number / 120 * 40 + number % 40 + 1, :since_s + number * :step_s,
  number / 40 % 3 = 0
FROM numbers
"""

_PEOPLE = """
INSERT INTO identities (identity_key, identity_id, first_seen_s, last_seen_s)
SELECT person, printf('person-%07d', person), min(start_s), max(start_s) + :parts * :part_s FROM tracks GROUP BY person
"""

_OBSERVATIONS = """
WITH RECURSIVE stretches (part) AS (SELECT 0 UNION ALL SELECT part + 1 FROM stretches WHERE part + 1 < :parts)
INSERT INTO observations (observation_id, node_key, boot_epoch, seq, camera_key, track_id, part, final, started_at_s,
  ended_at_s, grabbed_at_s, received_at_s, x1_rel, y1_rel, x2_rel, y2_rel, frames, identity_key, assignment_state,
  assignment_probability)
SELECT track * :parts + part + 1, :node, 1, track * :parts + part + 1, camera, track, part, part = :parts - 1,
  start_s + part * :part_s, start_s + (part + 1) * :part_s, start_s + (part + 1) * :part_s,
  start_s + (part + 1) * :part_s, 0.1, 0.1, 0.2, 0.5, 40, person, 'matched', 0.95
FROM tracks CROSS JOIN stretches
"""

_APPEARANCES = """
INSERT INTO appearances (camera_key, boot_epoch, track_id, hour, first_s, last_s, identity_key, probability, newcomer,
  begins)
SELECT camera, 1, track, CAST(start_s / 3600 AS INTEGER), start_s, start_s + :parts * :part_s, person, 0.95, new, 1
FROM tracks
"""

_CROSSINGS = """
INSERT INTO crossings (node_key, boot_epoch, seq, camera_key, track_id, line_id, direction, at_s)
SELECT :node, 1, -1 - track, camera, track, 'door', iif(track % 2, 1, -1), start_s + 1 FROM tracks
WHERE track % :crossing = 0
"""
