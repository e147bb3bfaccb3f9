"""What the pages of people read from the store."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, text, update

from hub_fakes import NOON_S, row, track
from ruid_hub.store import Retention, Store
from ruid_hub.store import pages as reading
from ruid_hub.store.by_person import cameras_of
from ruid_hub.store.pages import PeopleFilter, SightingRow
from ruid_hub.store.tables import appearances, identities

EVERYBODY = PeopleFilter()
DAY_S = 86_400.0
TRACKS = 10_000
PARTS = 10
_Answer = TypeVar("_Answer")


@pytest.fixture
def store(opened: Callable[[], Store]) -> Store:
    """Ada at two cameras, Bob at one, five more before them."""
    store = opened()
    store.commit(
        [
            row(1, "ada", track_id=1, at_s=NOON_S - 600),
            row(2, "ada", track_id=2, camera_id="yard", at_s=NOON_S),
            row(3, "ada", track_id=2, camera_id="yard", at_s=NOON_S + 1),
            row(4, "bob", track_id=3, at_s=NOON_S - 60, thumbnail_jpeg=b""),
            *(row(10 + number, f"p{number}", track_id=10 + number, at_s=NOON_S - 4000 - number) for number in range(5)),
        ]
    )
    with store.writing() as connection:
        connection.execute(update(identities).where(identities.c.identity_id == "ada").values(label="100% Ada_B"))
    return store


def ids(store: Store, wanted: PeopleFilter) -> list[str]:
    with store.reading() as connection:
        return [person.identity_id for person in reading.people(connection, wanted, limit=50)[0]]


def test_people_come_last_seen_first_with_tracks_and_cameras(store: Store):
    with store.reading() as connection:
        [ada, bob, *_], _ = reading.people(connection, EVERYBODY, limit=50)
    assert (ada.identity_id, ada.sightings, ada.cameras, ada.thumbnail_id) == (
        "ada",
        2,
        ("node-1/cam", "node-1/yard"),
        3,
    )
    assert (bob.identity_id, bob.sightings, bob.thumbnail_id) == ("bob", 1, None)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (PeopleFilter(text="ada_"), ["ada"]),
        (PeopleFilter(text="%"), ["ada"]),
        (PeopleFilter(text="Person BOB"), ["bob"]),
        (PeopleFilter(text="b"), ["ada", "bob"]),
        (PeopleFilter(text="100% aDA"), ["ada"]),
        (PeopleFilter(named=True), ["ada"]),
        (PeopleFilter(several_cameras=True), ["ada"]),
        (PeopleFilter(camera="node-1/yard"), ["ada"]),
        (PeopleFilter(camera="node-1/yard", until_s=NOON_S - 500), []),
        (PeopleFilter(camera="node-1/cam", since_s=NOON_S - 100), ["bob"]),
        (PeopleFilter(since_s=NOON_S - 500, until_s=NOON_S - 10), ["bob"]),
        (PeopleFilter(cameras=frozenset({"node-1/cam"}), since_s=NOON_S - 500), ["bob"]),
        (PeopleFilter(since_s=NOON_S - 100), ["ada", "bob"]),
        (PeopleFilter(until_s=NOON_S - 100, since_s=NOON_S - 5000, named=True), ["ada"]),
        (PeopleFilter(cameras=frozenset({"node-1/yard"})), ["ada"]),
        (PeopleFilter(cameras=frozenset()), []),
    ],
)
def test_filters_narrow_the_list(store: Store, wanted: PeopleFilter, found: list[str]):
    assert ids(store, wanted) == found


@pytest.mark.parametrize("wanted", [EVERYBODY, PeopleFilter(named=True)])
def test_a_list_goes_on_where_it_stopped(store: Store, wanted: PeopleFilter):
    with store.writing() as connection:
        connection.execute(update(identities).where(identities.c.label.is_(None)).values(label="Somebody"))
    seen: list[str] = []
    after = None
    with store.reading() as connection:
        while True:
            page, after = reading.people(connection, wanted, limit=3, after=after)
            seen += [person.identity_id for person in page]
            if after is None:
                break
    assert seen == ids(store, EVERYBODY)


def test_sightings_are_tracks_the_newest_first(store: Store):
    with store.reading() as connection:
        newest, oldest = reading.sightings(connection, "ada", limit=9)
        assert reading.sightings(connection, "ada", limit=9, before_s=newest.last_s) == [oldest]
    assert (newest.track, newest.observation_id, newest.last_s) == (track(2, camera="node-1/yard"), 3, NOON_S + 1)
    assert (oldest.state, oldest.probability) == ("matched", 0.9)


def test_a_sighting_leads_to_its_track_person_picture_and_look(store: Store):
    with store.reading() as connection:
        assert reading.track_of(connection, 4) == (track(3), "bob")
        assert reading.track_of(connection, 99) is None
        assert reading.pictures_of(connection, [track(1), track(3)]) == {track(1): 1}
        look = reading.embedding_of(connection, 1)
        assert look is not None
        assert look.shape == (4,)
        assert reading.embedding_of(connection, 99) is None


def test_people_are_found_by_identity(store: Store):
    with store.reading() as connection:
        assert reading.person(connection, "nobody") is None
        assert set(reading.persons(connection, ["ada", "bob", "nobody"])) == {"ada", "bob"}
        assert reading.named_people(connection, 10) == [("ada", "100% Ada_B")]
        assert replace(reading.persons(connection, ["bob"])["bob"], sightings=1) == reading.person(connection, "bob")


def test_a_card_tells_of_nothing_that_is_no_longer_in_the_history(store: Store):
    store.set_retention(Retention(history_s=10 * DAY_S, counts_s=100 * DAY_S))
    store.commit([row(20, "ada", track_id=20, at_s=NOON_S + 20 * DAY_S)])
    store.sweep(NOON_S + 20 * DAY_S)
    with store.reading() as connection:
        ada = reading.person(connection, "ada")
        assert cameras_of(connection, "ada") == ["node-1/cam"]
    assert ada is not None
    assert (ada.sightings, ada.cameras) == (1, ("node-1/cam",))
    assert ids(store, PeopleFilter(camera="node-1/yard")) == []
    assert ids(store, PeopleFilter(several_cameras=True)) == []


def test_a_track_whose_first_part_was_lost_is_a_sighting_all_the_same(store: Store):
    store.commit([row(30, "late", track_id=30, camera_id="yard", at_s=NOON_S)])
    with store.writing() as connection:
        connection.execute(update(appearances).where(appearances.c.track_id == 30).values(begins=False))
    with store.reading() as connection:
        late = reading.person(connection, "late")
    assert late is not None
    assert (late.sightings, late.cameras) == (1, ("node-1/yard",))


def test_whoever_passes_all_day_costs_a_page_no_look_at_each_observation(store: Store):
    with store.writing() as connection:
        _pass_by(connection, "regular", TRACKS, parts=PARTS)
        _pass_by(connection, "short", TRACKS, parts=1)
        _pass_by(connection, "guest", 100, parts=PARTS)
    middle_s, end_s = NOON_S + TRACKS / 2 * 60, NOON_S + 100 * 60

    def seen(identity_id: str, before_s: float) -> tuple[list[SightingRow], int]:
        return _effort(connection, lambda: reading.sightings(connection, identity_id, limit=50, before_s=before_s))

    with store.reading() as connection:
        card, card_steps = _effort(connection, lambda: reading.person(connection, "regular"))
        _, short_steps = _effort(connection, lambda: reading.person(connection, "short"))
        tracks, track_steps = seen("regular", middle_s)
        _, guest_steps = seen("guest", end_s)
    assert card is not None
    assert (card.sightings, card.cameras) == (TRACKS, ("node-1/cam",))
    assert len(tracks) == 50
    assert middle_s - 60 < tracks[0].last_s < middle_s
    assert card_steps < 1.1 * short_steps + 1000
    assert track_steps < 1.1 * guest_steps + 1000


def _pass_by(connection: Connection, identity_id: str, tracks: int, *, parts: int) -> None:
    """Somebody who comes by every minute, in so many parts each time."""
    sizes = {"who": identity_id, "tracks": tracks, "parts": parts, "noon_s": NOON_S, "boot": tracks + parts}
    for statement in (_PERSON, _OBSERVATIONS, _APPEARANCES):
        connection.execute(text(statement), sizes)


def _effort(connection: Connection, ask: Callable[[], _Answer]) -> tuple[_Answer, int]:
    """The answer, and how many steps SQLite's machine took for it; 0 on PostgreSQL, which does not say."""
    driver: Any = connection.connection.driver_connection
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 100
        return 0

    if connection.dialect.name == "sqlite":
        driver.set_progress_handler(count, 100)
    try:
        answer = ask()
        return answer, steps
    finally:
        if connection.dialect.name == "sqlite":
            driver.set_progress_handler(None, 0)


_PERSON = """
INSERT INTO identities (identity_id, first_seen_s, last_seen_s) VALUES (:who, :noon_s, :noon_s + :tracks * 60)
"""

_OBSERVATIONS = """
WITH RECURSIVE
  passes (track) AS (SELECT 0 UNION ALL SELECT track + 1 FROM passes WHERE track + 1 < :tracks),
  stretches (part) AS (SELECT 0 UNION ALL SELECT part + 1 FROM stretches WHERE part + 1 < :parts)
INSERT INTO observations (node_key, boot_epoch, seq, camera_key, track_id, part, final, started_at_s, ended_at_s,
  grabbed_at_s, received_at_s, x1_rel, y1_rel, x2_rel, y2_rel, frames, identity_key, assignment_state,
  assignment_probability)
SELECT node_key, :boot, track * :parts + part, camera_key, track, part, part + 1 = :parts, :noon_s + track * 60 + part,
  :noon_s + track * 60 + part + 1, :noon_s, :noon_s, 0.1, 0.1, 0.2, 0.5, 4, identity_key, 'matched', 0.9
FROM passes, stretches, cameras, identities WHERE camera = 'node-1/cam' AND identity_id = :who
"""

_APPEARANCES = """
INSERT INTO appearances (camera_key, boot_epoch, track_id, hour, first_s, last_s, identity_key, probability, newcomer,
  begins)
SELECT camera_key, boot_epoch, track_id, CAST((min(started_at_s) - 1800) / 3600 AS INTEGER), min(started_at_s),
  max(ended_at_s), max(identity_key), 0.9, max(part) < 0, min(part) = 0
FROM observations WHERE boot_epoch = :boot GROUP BY camera_key, boot_epoch, track_id
"""
