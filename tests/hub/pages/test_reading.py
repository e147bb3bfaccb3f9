"""What the pages of people read from the store."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import update

from hub_fakes import NOON_S, row, track
from ruid_hub.store import Store
from ruid_hub.store import pages as reading
from ruid_hub.store.pages import PeopleFilter
from ruid_hub.store.tables import identities

EVERYBODY = PeopleFilter()


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
