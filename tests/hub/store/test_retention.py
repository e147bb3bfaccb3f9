"""Biometric data goes after a day, counts stay, and everything goes in the end."""

from pathlib import Path

import pytest

from hub_fakes import NOON_S, row, track
from ruid_hub.observations import CoverageGap
from ruid_hub.store import (
    BadRetention,
    CrossingRow,
    DroppedRow,
    Retention,
    Store,
    StoreWriteError,
    SweepOutcome,
    open_store,
)
from ruid_hub.store.rows import DAY_S
from ruid_hub.store.sqlite import SqliteDatabase
from ruid_hub.store.store import LEAST_ROOM_BYTES


def test_embeddings_and_pictures_go_after_a_day_and_the_count_stays(store: Store):
    old, new = store.commit([row(1, at_s=NOON_S), row(2, at_s=NOON_S + 3600)]).observation_ids
    assert old is not None
    assert new is not None
    swept = store.sweep(NOON_S + DAY_S + 1)
    assert (swept.embeddings, swept.thumbnails, swept.observations) == (1, 1, 0)
    assert store.thumbnail(old) is None
    assert store.thumbnail(new) is not None
    assert [held.observation.seq for held in store.observations_in_order()] == [2]
    assert store.counts().observations == 2


def test_nothing_goes_before_its_time(store: Store):
    store.commit([row(1, at_s=NOON_S)])
    assert store.sweep(NOON_S + DAY_S - 1) == SweepOutcome()


def test_history_goes_too_in_the_end_and_resume_points_stay(store: Store):
    gone = DroppedRow("node-1", 1, 3, "spool full", 1, 2, 2, NOON_S)
    store.commit([row(1), row(2, "bob", at_s=NOON_S + 750 * DAY_S), gone])
    store.record_gap("node-1", CoverageGap("node-1/cam", NOON_S, NOON_S + 5, "no message"))
    swept = store.sweep(NOON_S + 801 * DAY_S)
    assert (swept.observations, swept.identities, swept.gaps, swept.drops) == (1, 1, 1, 1)
    assert [person.identity_id for person in store.recent_identities(9)] == ["bob"]
    assert store.counts().observations == 1
    assert store.resume_points() == {"node-1": (1, 3)}


def test_a_sweep_takes_more_rows_than_one_transaction(store: Store):
    store.commit([row(seq) for seq in range(1, 1102)])
    assert store.sweep(NOON_S + 2 * DAY_S).thumbnails == 1101


def test_a_picture_from_the_future_goes_by_its_arrival(tmp_path: Path):
    store = open_store(tmp_path / "hub.db", retention=Retention(embeddings_s=60, thumbnails_s=60))
    early = row(1, at_s=NOON_S)
    object.__setattr__(early.observation, "ended_at_s", NOON_S + 9 * DAY_S)
    store.commit([early])
    assert store.sweep(NOON_S + 61).thumbnails == 1
    store.close()


def test_an_id_never_comes_back_for_another_picture(store: Store):
    [first] = store.commit([row(1)]).observation_ids
    store.sweep(NOON_S + 1000 * DAY_S)
    [second] = store.commit([row(2)]).observation_ids
    assert first is not None
    assert second is not None
    assert second > first


def test_what_was_swept_is_not_in_the_file_any_more(tmp_path: Path):
    store = open_store(tmp_path / "hub.db")
    secret = b"\xff\xd8 a face that must not be found again \xff\xd9" * 50
    store.commit([row(1, thumbnail_jpeg=secret)])
    store.sweep(NOON_S + 2 * DAY_S)
    # The hub still runs: neither the file nor its log may hold it.
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"must not be found again" not in left
    store.close()
    store_again = open_store(tmp_path / "hub.db")
    assert store_again.counts().observations == 1
    store_again.close()


def test_people_can_set_how_long_is_kept_and_nonsense_changes_nothing(store: Store):
    assert store.retention == Retention()
    wanted = Retention(embeddings_s=3600, thumbnails_s=600, history_s=30 * DAY_S)
    store.set_retention(wanted)
    assert store.retention == wanted
    for nonsense in (
        Retention(embeddings_s=1),
        Retention(thumbnails_s=100 * DAY_S),
        Retention(history_s=900 * DAY_S),
        Retention(most_bytes=5),
        Retention(least_free_bytes=-1),
        Retention(counts_s=float("nan")),
    ):
        with pytest.raises(BadRetention):
            store.set_retention(nonsense)
    assert store.retention == wanted
    store.commit([row(1, at_s=NOON_S)])
    assert store.sweep(NOON_S + 700).thumbnails == 1


def test_counts_outlive_the_history_that_they_came_from(store: Store):
    store.commit([row(1, at_s=NOON_S), CrossingRow("node-1", 1, 2, track(1), "door", 1, NOON_S)])
    swept = store.sweep(NOON_S + 91 * DAY_S)
    assert (swept.observations, swept.appearances, swept.crossings) == (1, 0, 0)
    swept = store.sweep(NOON_S + 801 * DAY_S)
    assert (swept.appearances, swept.crossings, swept.boots) == (1, 1, 1)


def test_pictures_go_before_the_disk_is_full_and_counts_never(tmp_path: Path):
    full = Retention(least_free_bytes=2**60)
    store = open_store(tmp_path / "hub.db", retention=full)
    store.commit([row(seq, at_s=NOON_S + seq) for seq in range(1, 1302)])
    swept = store.sweep(NOON_S + 2000)
    assert swept.thumbnails >= 1000
    assert swept.appearances == 0
    assert store.counts().database_bytes > 0
    store.close()


def test_a_database_that_grows_too_large_gives_up_its_oldest_pictures(tmp_path: Path):
    store = open_store(tmp_path / "hub.db", retention=Retention(most_bytes=8 * 2**20))
    newest = 0
    for first in range(1, 3002, 600):
        ids = store.commit(
            [row(seq, at_s=NOON_S + seq, thumbnail_jpeg=bytes([seq % 251]) * 6000) for seq in range(first, first + 600)]
        ).observation_ids
        newest = ids[-1] or 0
    swept = store.sweep(NOON_S + 4000)
    assert swept.thumbnails >= 1500
    assert store.counts().database_bytes < 9 * 2**20
    assert store.thumbnail(newest) is not None
    assert store.counts().observations == 3600
    store.close()


def test_a_full_disk_takes_nothing_in_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = open_store(tmp_path / "hub.db")
    assert store.troubles() == ()
    store.commit([row(1)])
    left = [LEAST_ROOM_BYTES - 1]

    def free_bytes(_: SqliteDatabase) -> int:
        return left[0]

    monkeypatch.setattr(SqliteDatabase, "free_bytes", free_bytes)
    assert "the disk is full: 34 MB are left" in store.troubles()[0]
    with pytest.raises(StoreWriteError, match="the disk is full"):
        store.commit([row(2, "bob")])
    assert store.counts().observations == 1
    # What makes room, and what people decide, still goes on.
    assert store.sweep(NOON_S + 1).thumbnails == 0
    left[0] += 1
    assert store.commit([row(2, "bob")]).stored == 1
    store.close()
