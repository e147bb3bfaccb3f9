"""Whole tracks go over to somebody else, however much else that somebody did."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hub_fakes import NOON_S, row, track
from ruid_hub.store import Store, hand, open_store
from ruid_hub.store.revising import revise
from ruid_hub.store.tables import appearances, identities


def founders(store: Store, identity_id: str) -> list[int]:
    """The tracks that somebody's identity was made for."""
    with store.reading() as connection:
        query = select(appearances.c.track_id).join(identities, identities.c.identity_key == appearances.c.identity_key)
        chosen = (appearances.c.newcomer, identities.c.identity_id == identity_id)
        return sorted(connection.scalars(query.where(*chosen)))


def spans(store: Store) -> dict[str, tuple[float, float]]:
    return {person.identity_id: (person.first_seen_s, person.last_seen_s) for person in store.recent_identities(9)}


def move(store: Store, track_ids: Iterable[int], identity_id: str) -> None:
    store.revise([(str(track(track_id)), identity_id) for track_id in track_ids])


def test_the_first_track_left_behind_founds_the_identity(store: Store):
    # Track 5 on another camera began first, though it was delivered last and ended after track 4.
    store.commit([row(seq, "ada", track_id=seq, at_s=NOON_S + seq) for seq in range(1, 5)])
    store.commit([row(5, "ada", node_id="node-2", track_id=5, at_s=NOON_S - 1)])
    move(store, [1], "bob")
    assert founders(store, "ada") == [5]
    assert founders(store, "bob") == [1]
    store.revise([(str(track(5, camera="node-2/cam")), "bob"), (str(track(2)), "bob")])
    assert founders(store, "ada") == [3]
    assert spans(store) == {"ada": (NOON_S + 1, NOON_S + 4), "bob": (NOON_S - 3, NOON_S + 2)}


def test_of_what_is_said_of_a_track_twice_the_last_stands(store: Store):
    store.commit([row(1, "ada", track_id=1), row(2, "bob", track_id=2)])
    store.revise([(str(track(1)), "between"), (str(track(1)), "bob")])
    assert set(spans(store)) == {"bob"}


def test_more_tracks_move_than_one_question_holds(store: Store):
    store.commit([row(seq, "ada", at_s=NOON_S + seq) for seq in range(1, 1203)])
    move(store, range(1, 1203), "bob")
    assert spans(store) == {"bob": (NOON_S - 1, NOON_S + 1202)}
    assert founders(store, "bob") == [1]


def test_a_track_of_whoever_passes_all_day_moves_in_as_few_steps_as_a_guest_s(tmp_path: Path):
    store = open_store(tmp_path / "hub.db")
    store.commit([row(seq, "regular", at_s=NOON_S + 60 * seq) for seq in range(1, 3001)])
    store.commit([row(3000 + seq, "guest", at_s=NOON_S + 60 * seq) for seq in range(1, 31)])
    regular, guest = (_steps(store, first, to) for first, to in ((1, "new"), (3001, "newer")))
    store.close()
    assert regular < 1.5 * guest + 500


def _steps(store: Store, track_id: int, identity_id: str) -> int:
    """How many steps SQLite's machine takes to move the founder's track."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with store.writing() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(count, 1)
        revise(connection, [(str(track(track_id)), identity_id)])
        driver.set_progress_handler(None, 0)
    return steps


def test_whoever_was_merged_into_somebody_is_known_as_long_as_the_tracks_are(store: Store):
    store.commit([row(1, "ada", track_id=1), row(2, "bob", track_id=2), row(3, "ada", track_id=3)])
    with store.writing() as connection:
        revise(connection, [(str(track(2)), "eve"), (str(track(3)), "eve")])
        hand.note_former(connection, [(str(track(2)), "bob"), (str(track(3)), "ada")], until_s=NOON_S, cause="merge")
        assert hand.merged_into(connection, "eve") == ["bob"]
        hand.erase_person(connection, "eve", ["bob"])
        assert [one.identity_id for one in hand.former_of(connection, track(3))] == ["ada"]
        assert hand.former_of(connection, track(2)) == []


def test_who_was_in_view_together_is_known_from_the_hours(store: Store):
    store.commit(
        [
            row(1, "ada", track_id=1, at_s=NOON_S),
            row(2, "bob", track_id=2, at_s=NOON_S + 1),
            row(3, "eve", track_id=3, at_s=NOON_S + 9),
            row(4, "eve", track_id=4, node_id="node-2", at_s=NOON_S),
        ]
    )
    with store.reading() as connection:
        pairs = [("ada", "bob"), ("bob", "ada"), ("ada", "eve"), ("eve", "bob"), ("ada", "nobody")]
        assert [hand.in_view_together(connection, *pair) for pair in pairs] == [True, True, False, False, False]
        assert sorted(hand.tracks_of(connection, "eve")) == ["node-1/cam/1/3", "node-2/cam/1/4"]
