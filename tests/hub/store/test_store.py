"""Commits, duplicates, resume points, revisions and what can be read back."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event, select

from hub_fakes import JPEG, NOON_S, observation, row, track
from ruid_hub.cards import Sighting
from ruid_hub.observations import CoverageGap
from ruid_hub.store import (
    Arrival,
    CameraRecord,
    DroppedRow,
    GapRow,
    Store,
    StoreBusyError,
    StoreError,
    StorePathError,
    StoreWriteError,
    open_store,
)
from ruid_hub.store.database import Database
from ruid_hub.store.opening import open_database
from ruid_hub.store.rows import Committed
from ruid_hub.store.tables import boots


def dropped(seq: int, items: int = 3) -> DroppedRow:
    return DroppedRow("node-1", 1, seq, "spool full", 5, 7, items, NOON_S)


def gap(seq: int) -> GapRow:
    return GapRow("node-1", 1, seq, CoverageGap("node-1/cam", NOON_S, NOON_S + 10, "source lost"))


def limit_pages(database: Database, pages: int) -> None:
    """Let the database grow to this many pages only; SQLite never goes below what there is."""
    with database.writer.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")


def statements_of(store: Store, batch: Sequence[Committed]) -> int:
    """How many statements go to the database for a batch, whatever number of rows each of them carries."""
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    with store.writing() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        store.commit(batch)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return count


class TestCommit:
    def test_every_kind_is_stored_once(self, store: Store):
        outcome = store.commit([row(1), gap(2), dropped(3)])
        assert (outcome.stored, outcome.duplicates) == (3, 0)
        counts = store.counts()
        assert (counts.observations, counts.identities, counts.gaps, counts.items_dropped) == (1, 1, 1, 3)

    def test_what_arrives_twice_is_counted_and_dropped(self, store: Store):
        store.commit([row(1), gap(2), dropped(3)])
        outcome = store.commit([row(1, "somebody else"), gap(2), dropped(3), row(4)])
        assert (outcome.stored, outcome.duplicates) == (1, 3)
        counts = store.counts()
        assert (counts.observations, counts.gaps, counts.items_dropped, counts.duplicates) == (2, 1, 3, 3)
        assert [person.identity_id for person in store.recent_identities(9)] == ["ada"]

    def test_twice_in_one_batch_is_a_duplicate_too(self, store: Store):
        outcome = store.commit([row(1), row(1)])
        assert (outcome.stored, outcome.duplicates) == (1, 1)

    def test_observation_ids_run_beside_the_batch(self, store: Store):
        first, duplicate, of_gap, second = store.commit([row(1), row(1), gap(2), row(3)]).observation_ids
        assert first is not None
        assert second is not None
        assert (duplicate, of_gap) == (None, None)
        assert store.thumbnail(first) == JPEG

    def test_many_nodes_take_no_more_statements_than_one(self, store: Store):
        assert statements_of(store, [row(1), gap(2), dropped(3)]) == statements_of(
            store,
            [row(seq, f"person-{seq}", node_id=f"node-{seq}") for seq in range(10, 40)] + [gap(51), dropped(52)],
        )

    def test_the_same_number_from_another_node_or_boot_is_another_item(self, store: Store):
        outcome = store.commit([row(1), row(1, node_id="node-2"), row(1, boot_epoch=2)])
        assert (outcome.stored, outcome.duplicates) == (3, 0)

    def test_a_failing_batch_leaves_nothing_behind(self, store: Store):
        broken = dropped(2, items="many")  # type: ignore[arg-type]
        object.__setattr__(broken, "items", object())
        with pytest.raises(Exception, match="type"):
            store.commit([row(1), broken])
        assert store.counts().observations == 0
        assert store.resume_points() == {}
        assert store.commit([row(1)]).stored == 1

    def test_a_full_disk_keeps_nothing_and_takes_it_once_there_is_room(self, tmp_path: Path):
        open_store(tmp_path / "hub.db").close()
        database = open_database(tmp_path / "hub.db")
        store = Store(database=database)
        limit_pages(database, 1)
        with pytest.raises(StoreWriteError, match=r"cannot write to .*hub\.db: database or disk is full"):
            store.commit([row(seq, thumbnail_jpeg=b"x" * 9000) for seq in range(1, 20)])
        assert store.counts().observations == 0
        limit_pages(database, 2**30)
        assert store.commit([row(1)]).stored == 1
        store.close()

    def test_an_observation_may_wait_for_its_identity(self, store: Store):
        store.commit([row(1, None)])
        assert store.counts().identities == 0
        [held] = store.observations_in_order()
        assert held.assignment is None


class TestResumePoints:
    def test_the_newest_item_of_each_node_by_boot_then_number(self, store: Store):
        store.commit([row(7, boot_epoch=2), row(90, boot_epoch=1), row(4, node_id="node-2"), dropped(95)])
        assert store.resume_points() == {"node-1": (2, 7), "node-2": (1, 4)}

    def test_they_never_go_back(self, store: Store):
        store.commit([row(7)])
        store.commit([row(3)])
        assert store.resume_points() == {"node-1": (1, 7)}

    def test_a_node_that_only_showed_its_cameras_has_none(self, store: Store):
        store.record_arrivals([Arrival("node-1", cameras={"node-1/cam": "Entrance"})])
        assert store.resume_points() == {}


class TestReadingBack:
    def test_observations_come_in_the_order_of_commit_with_their_identity(self, store: Store):
        store.commit([row(5, "ada"), row(2, "bob", node_id="node-2")])
        store.commit([row(9, "ada")])
        seen = [
            (held.observation.seq, held.assignment.identity_id)
            for held in store.observations_in_order()
            if held.assignment
        ]
        assert seen == [(5, "ada"), (2, "bob"), (9, "ada")]

    def test_an_observation_survives_but_for_half_precision_and_picture(self, store: Store):
        sent = observation(5)
        store.commit([row(5)])
        [held] = store.observations_in_order()
        back = held.observation
        for name in (
            "node_id",
            "boot_epoch",
            "seq",
            "track",
            "part",
            "final",
            "started_at_s",
            "ended_at_s",
            "grabbed_at_s",
            "received_at_s",
            "box_rel",
            "frames",
            "embedding_model_id",
        ):
            assert getattr(back, name) == getattr(sent, name), name
        assert back.embeddings.dtype == np.float32
        np.testing.assert_allclose(back.embeddings, sent.embeddings, atol=1e-3)
        np.testing.assert_allclose(back.qualities, sent.qualities, atol=1e-3)
        assert back.thumbnail_jpeg == b""

    def test_more_rows_than_a_page_arrive_all(self, store: Store):
        store.commit([row(seq) for seq in range(1, 1204)])
        assert [held.observation.seq for held in store.observations_in_order()] == list(range(1, 1204))

    def test_a_picture_is_found_by_its_database_id_only(self, store: Store):
        [with_picture, without] = store.commit([row(1), row(2, thumbnail_jpeg=b"")]).observation_ids
        assert with_picture is not None
        assert without is not None
        assert store.thumbnail(with_picture) == JPEG
        assert store.thumbnail(without) is None
        assert store.thumbnail(10**12) is None

    def test_recent_identities_know_places_times_and_newest_picture(self, store: Store):
        ids = store.commit(
            [
                row(1, "ada", at_s=NOON_S),
                row(2, "bob", at_s=NOON_S + 5),
                row(3, "ada", camera_id="yard", at_s=NOON_S + 9),
            ]
        ).observation_ids
        ada, bob = store.recent_identities(5)
        assert (ada.identity_id, ada.cameras, ada.last_camera) == ("ada", ("node-1/cam", "node-1/yard"), "node-1/yard")
        assert (ada.first_seen_s, ada.last_seen_s, ada.thumbnail_id) == (NOON_S - 2, NOON_S + 9, ids[2])
        assert bob.identity_id == "bob"
        assert ada.sightings == (
            Sighting(track(3, camera="node-1/yard"), NOON_S + 7, NOON_S + 9, ids[2]),
            Sighting(track(1), NOON_S - 2, NOON_S, ids[0]),
        )
        assert [person.identity_id for person in store.recent_identities(1)] == ["ada"]

    def test_many_arrivals_are_one_transaction_and_the_last_word_of_a_node_stands(self, store: Store):
        before = store.revision
        store.record_arrivals(
            [
                Arrival("node-1", 1, NOON_S, {"node-1/cam": "Entrance"}),
                Arrival("node-2", 4, NOON_S + 1, {"node-2/cam": "Yard"}),
                Arrival("node-1", 2, NOON_S + 2, {"node-1/cam": "Door"}),
            ]
        )
        assert store.revision == before + 1
        assert [(held.camera, held.name) for held in store.cameras()] == [
            ("node-1/cam", "Door"),
            ("node-2/cam", "Yard"),
        ]
        with store.reading() as connection:
            kept = [tuple(boot) for boot in connection.execute(select(boots.c.boot_epoch, boots.c.started_at_s))]
        assert sorted(kept) == [(1, NOON_S), (2, NOON_S + 2), (4, NOON_S + 1)]

    def test_cameras_keep_their_names_and_when_they_were_last_heard(self, store: Store):
        store.record_arrivals([Arrival("node-1", cameras={"node-1/cam": "Entrance", "node-1/b": "Yard"})])
        store.record_arrivals([Arrival("node-1", cameras={"node-1/cam": "Front door"})])
        store.record_heard({"node-1/cam": NOON_S, "unknown/cam": NOON_S})
        assert store.cameras() == [
            CameraRecord("node-1/b", "Yard", None),
            CameraRecord("node-1/cam", "Front door", NOON_S),
        ]

    def test_a_camera_that_no_hello_named_goes_by_its_id(self, store: Store):
        store.commit([row(1)])
        assert store.cameras() == [CameraRecord("node-1/cam", "cam", None)]

    def test_gaps_that_the_hub_saw_are_all_kept(self, store: Store):
        seen = CoverageGap("node-1/cam", NOON_S, NOON_S + 12, "connection lost")
        store.record_gap("node-1", seen)
        store.record_gap("node-1", seen)
        assert store.counts().gaps == 2


class TestRevisions:
    def test_a_whole_track_moves_and_an_empty_identity_goes(self, store: Store):
        store.commit([row(1, "ada", track_id=7), row(2, "ada", track_id=7), row(3, "bob", track_id=8)])
        store.commit([row(4, "bob", track_id=9)], revisions=[(str(track(7)), "bob")])
        assert {held.assignment.identity_id for held in store.observations_in_order() if held.assignment} == {"bob"}
        assert [person.identity_id for person in store.recent_identities(9)] == ["bob"]

    def test_both_identities_get_their_times_right(self, store: Store):
        store.commit([row(1, "ada", track_id=7, at_s=NOON_S), row(2, "ada", track_id=8, at_s=NOON_S + 100)])
        store.revise([(str(track(8)), "new")])
        spans = {held.identity_id: (held.first_seen_s, held.last_seen_s) for held in store.recent_identities(9)}
        assert spans == {"ada": (NOON_S - 2, NOON_S), "new": (NOON_S + 98, NOON_S + 100)}

    def test_a_track_that_is_not_there_changes_nothing(self, store: Store):
        store.commit([row(1, "ada")])
        store.revise([(str(track(99)), "ghost"), ("node-9/cam/1/1", "ghost")])
        assert [person.identity_id for person in store.recent_identities(9)] == ["ada"]


class TestOpening:
    def test_what_was_committed_is_there_after_reopening(self, opened: Callable[[], Store]):
        first = opened()
        first.commit([row(1), row(2)])
        first.close()
        again = opened()
        assert again.counts().observations == 2
        assert again.resume_points() == {"node-1": (1, 2)}
        assert again.commit([row(2), row(3)]).duplicates == 1

    def test_a_second_hub_is_refused_until_the_first_is_gone(self, opened: Callable[[], Store]):
        first = opened()
        with pytest.raises(StoreBusyError, match=r"hub.* is in use by another hub"):
            opened()
        first.close()
        opened()

    def test_a_server_that_is_not_there_is_named_without_its_password(self, tmp_path: Path):
        with pytest.raises(StorePathError, match=r"cannot use postgresql\+psycopg://hub:\*\*\*@.*No such file"):
            open_store(f"postgresql://hub:secret@/hub?host={tmp_path}")

    def test_a_folder_that_is_missing_is_named(self, tmp_path: Path):
        with pytest.raises(StorePathError, match=r"nowhere/hub\.db.*No such file"):
            open_store(tmp_path / "nowhere" / "hub.db")

    def test_a_folder_is_no_database(self, tmp_path: Path):
        with pytest.raises(StorePathError, match="it is a folder"):
            open_store(tmp_path)

    def test_another_file_is_no_database_and_stays_as_it_is(self, tmp_path: Path):
        other = tmp_path / "letter.txt"
        other.write_bytes(b"Dear reader, " * 500)
        with pytest.raises(StoreError, match="not a database"):
            open_store(other)
        assert other.read_bytes() == b"Dear reader, " * 500
