"""Cards are what their tracks say, whatever is corrected."""

from pathlib import Path

import pytest

from hub_fakes import NOON_S, row, track
from ruid_hub.cards import CARDS, SIGHTINGS, Cards, KnownPerson, Sighting
from ruid_hub.site import Site
from ruid_hub.store import open_store

YARD = "node-2/yard"


@pytest.fixture
def cards() -> Cards:
    return Cards()


def sighting(
    track_id: int, at_s: float = 0.0, *, camera: str = "node-1/cam", thumbnail_id: int | None = None
) -> Sighting:
    return Sighting(track(track_id, camera=camera), NOON_S + at_s, NOON_S + at_s, thumbnail_id)


def card(cards: Cards, identity_id: str) -> KnownPerson:
    return next(known for known in cards if known.identity_id == identity_id)


def known(identity_id: str, *sightings: Sighting, first_s: float = 0.0, label: str | None = None) -> KnownPerson:
    return KnownPerson(identity_id, label, NOON_S + first_s, NOON_S + 50, "node-1/cam", ("node-1/cam",), 3, sightings)


def test_parts_of_a_track_join(cards: Cards):
    for at_s, thumbnail_id in ((0, 5), (9, None), (4, 6)):
        cards.add("ada", sighting(1, at_s, thumbnail_id=thumbnail_id))
    ada = card(cards, "ada")
    assert (ada.first_seen_s, ada.last_seen_s, ada.thumbnail_id) == (NOON_S, NOON_S + 9, 5)


def test_a_moved_track_takes_its_time_place_and_picture_along(cards: Cards):
    cards.add("ada", sighting(1, 0, thumbnail_id=5))
    cards.add("ada", sighting(2, 60, camera=YARD, thumbnail_id=6))
    cards.move(track(2, camera=YARD), "bob")
    ada, bob = card(cards, "ada"), card(cards, "bob")
    assert (ada.last_seen_s, ada.last_camera, ada.cameras, ada.thumbnail_id) == (
        NOON_S,
        "node-1/cam",
        ("node-1/cam",),
        5,
    )
    assert (bob.first_seen_s, bob.last_camera, bob.cameras, bob.thumbnail_id) == (NOON_S + 60, YARD, (YARD,), 6)


def test_the_last_track_leaves_no_card_behind_but_the_name(cards: Cards):
    cards.remember([known("ada", sighting(1), label="Ada")])
    cards.add("bob", sighting(2))
    cards.move(track(1), "bob")
    assert [(person.identity_id, person.label) for person in cards] == [("bob", "Ada")]


def test_assigning_a_track_anew_moves_it_too(cards: Cards):
    cards.add("ada", sighting(1))
    cards.add("bob", sighting(1, 5))
    assert [person.identity_id for person in cards] == ["bob"]
    assert card(cards, "bob").first_seen_s == NOON_S


def test_a_revision_there_and_back_changes_nothing(cards: Cards):
    cards.add("ada", sighting(1, thumbnail_id=4))
    cards.add("ada", sighting(2, 9, camera=YARD))
    before = card(cards, "ada")
    cards.move(track(2, camera=YARD), "bob")
    cards.move(track(2, camera=YARD), "ada")
    assert list(cards) == [before]


def test_an_unknown_track_moves_nothing(cards: Cards):
    cards.move(track(1), "ada")
    cards.seen(track(1), NOON_S)
    assert list(cards) == []


def test_a_late_sighting_is_no_newer_place(cards: Cards):
    cards.add("ada", sighting(1, 60, camera=YARD))
    cards.add("ada", sighting(2, 0))
    ada = card(cards, "ada")
    assert (ada.last_camera, ada.cameras) == (YARD, ("node-1/cam", YARD))


def test_somebody_still_in_view_is_seen_until_now(cards: Cards):
    cards.add("ada", sighting(1))
    cards.seen(track(1), NOON_S + 7)
    assert card(cards, "ada").last_seen_s == NOON_S + 7
    cards.add("ada", sighting(2, 3, camera=YARD))
    assert card(cards, "ada").last_camera == "node-1/cam"


def test_old_tracks_settle_and_still_count(cards: Cards):
    for number in range(SIGHTINGS + 20):
        cards.add(
            "ada", sighting(number, number, camera=YARD if number == 0 else "node-1/cam", thumbnail_id=number + 1)
        )
    ada = card(cards, "ada")
    assert (ada.first_seen_s, ada.cameras[0], ada.thumbnail_id) == (NOON_S, YARD, SIGHTINGS + 20)
    assert cards.identity_of(track(19)) is None
    assert cards.identity_of(track(20)) == "ada"
    for number in range(20, SIGHTINGS + 20):
        cards.move(track(number), "bob")
    assert card(cards, "ada").last_seen_s == NOON_S + 19


def test_the_least_recently_seen_card_leaves_with_its_tracks(cards: Cards):
    for number in range(CARDS):
        cards.add(f"p{number}", sighting(number, number))
    cards.seen(track(0), NOON_S + 999)
    cards.add("new", sighting(CARDS))
    assert len(list(cards)) == CARDS
    assert cards.identity_of(track(0)) == "p0"
    assert cards.identity_of(track(1)) is None


def test_a_person_known_with_all_tracks_can_be_taken_apart(cards: Cards):
    cards.remember([known("ada", sighting(1, 0), sighting(2, 50))])
    cards.move(track(1), "bob")
    assert card(cards, "ada").first_seen_s == NOON_S + 50
    cards.move(track(2), "bob")
    assert [person.identity_id for person in cards] == ["bob"]


def test_a_person_known_in_part_keeps_what_is_not_told_apart(cards: Cards):
    cards.remember([known("ada", sighting(2, 50), first_s=-100)])
    cards.move(track(2), "bob")
    assert card(cards, "ada").first_seen_s == NOON_S - 100


def test_remembering_again_replaces(cards: Cards):
    cards.remember([known("ada", sighting(1))])
    cards.remember([known("ada", sighting(2, 50), first_s=50)])
    assert cards.identity_of(track(1)) is None
    assert card(cards, "ada").first_seen_s == NOON_S + 50


def test_what_the_store_remembers_can_be_corrected_after_a_start(tmp_path: Path):
    store = open_store(tmp_path / "hub.db")
    store.commit([row(1, "ada", track_id=1), row(2, "ada", track_id=2, at_s=NOON_S + 60)])
    site = Site()
    site.remember_people(store.recent_identities(CARDS))
    site.revised(track(2), "bob")
    site.revised(track(1), "bob")
    assert [person.identity_id for person in site.view(NOON_S + 60).people] == ["bob"]
    store.close()
