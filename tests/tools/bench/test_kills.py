"""The comparison of ledger and database finds what it is there to find."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ruid_tools.bench.kills import compare, is_clean

SPOOLED = [(1, 1, 101), (1, 2, 102), (1, 3, 103), (2, 1, 201)]


def figures(folder: Path, stored: list[tuple[int, int, int]], *, drops: int = 0) -> dict[str, int]:
    ledger = folder / "ledger.txt"
    ledger.write_text("".join(f"{boot} {seq} {serial} Crossing\n" for boot, seq, serial in SPOOLED))
    with closing(sqlite3.connect(folder / "hub.db")) as connection:
        for table, key in (("observations", "observation_id"), ("crossings", "crossing_id")):
            connection.execute(f"CREATE TABLE {table} ({key} INTEGER PRIMARY KEY, boot_epoch, seq, track_id)")
        connection.execute("CREATE TABLE drops (drop_id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO crossings (boot_epoch, seq, track_id) VALUES (?, ?, ?)", stored)
        connection.executemany("INSERT INTO drops VALUES (?)", [(number,) for number in range(drops)])
        connection.commit()
    return compare(ledger, folder / "hub.db")


def test_all_once_and_in_order_is_clean(tmp_path: Path) -> None:
    assert is_clean(figures(tmp_path, SPOOLED))


def test_what_was_spooled_but_killed_before_it_was_noted_is_no_fault(tmp_path: Path) -> None:
    found = figures(tmp_path, [*SPOOLED[:3], (1, 4, 104), SPOOLED[3]])
    assert found["items_stored_unnoted"] == 1
    assert is_clean(found)


@pytest.mark.parametrize(
    ("stored", "fault"),
    [
        ([*SPOOLED[:2], SPOOLED[3]], "items_lost"),
        ([*SPOOLED[:3], (1, 3, 103), SPOOLED[3]], "items_duplicated"),
        ([*SPOOLED, (2, 2, 201)], "items_duplicated"),
        ([SPOOLED[1], SPOOLED[0], *SPOOLED[2:]], "items_out_of_order"),
        ([*SPOOLED[:3], (2, 1, 999)], "items_lost"),
    ],
)
def test_each_fault_is_found(tmp_path: Path, stored: list[tuple[int, int, int]], fault: str) -> None:
    found = figures(tmp_path, stored)
    assert found[fault] == 1
    assert not is_clean(found)


def test_what_the_node_gave_up_is_a_fault_here(tmp_path: Path) -> None:
    assert not is_clean(figures(tmp_path, SPOOLED, drops=1))
