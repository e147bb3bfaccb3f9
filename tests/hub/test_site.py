"""The live picture, in worked examples with times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_fakes import NOON_S, health, hello, live, matched, track
from ruid_hub.observations import CoverageGap
from ruid_hub.site import (
    CAMERAS,
    CARDS,
    CameraState,
    CameraView,
    KnownPerson,
    PersonCard,
    Site,
    UniqueCount,
    default_label,
)


@pytest.fixture
def site() -> Site:
    """A node with one camera has said hello at noon."""
    site = Site()
    site.node_connected(hello(), NOON_S)
    return site


def camera(site: Site, at_s: float = NOON_S, key: str = "node-1/cam") -> CameraView:
    return next(view for view in site.view(at_s).cameras if view.camera == key)


def card(site: Site, identity_id: str, at_s: float = NOON_S) -> PersonCard:
    return next(person for person in site.view(at_s).people if person.identity_id == identity_id)


def known(identity_id: str, at_s: float) -> KnownPerson:
    return KnownPerson(identity_id, None, at_s - 5, at_s, "node-1/cam", ("node-1/cam",), None)


class TestPeopleNow:
    def test_a_live_message_counts_at_once(self, site: Site):
        site.live("node-1", live(1, 2, 3), NOON_S)
        assert site.view(NOON_S).people_now == 3
        assert camera(site).people_now == 3

    def test_each_message_replaces_the_last_one(self, site: Site):
        site.live("node-1", live(1, 2, 3), NOON_S)
        site.live("node-1", live(2), NOON_S + 0.1)
        assert site.view(NOON_S + 0.1).people_now == 1

    def test_tracks_that_no_message_repeats_for_two_seconds_are_gone(self, site: Site):
        site.live("node-1", live(1), NOON_S)
        assert site.view(NOON_S + 2.0).people_now == 1
        assert site.view(NOON_S + 2.01).people_now == 0

    def test_an_ended_track_leaves_without_waiting(self, site: Site):
        site.live("node-1", live(1, 2), NOON_S)
        site.track_ended(track(1))
        assert site.view(NOON_S).people_now == 1

    def test_a_camera_that_is_away_counts_nobody(self, site: Site):
        site.live("node-1", live(1), NOON_S)
        site.node_disconnected("node-1", NOON_S + 0.5, "connection lost")
        assert site.view(NOON_S + 0.5).people_now == 0

    def test_one_person_in_two_views_is_one_person(self, site: Site):
        site.node_connected(hello("node-2"), NOON_S)
        site.live("node-1", live(1, 2), NOON_S)
        site.live("node-2", live(7), NOON_S)
        assert site.view(NOON_S).people_now == 3
        site.assigned(track(1), matched("ada"), at_s=NOON_S)
        site.assigned(track(7, camera="node-2/cam"), matched("ada"), at_s=NOON_S)
        assert site.view(NOON_S).people_now == 2

    def test_two_in_one_view_are_two_whatever_they_are_called(self, site: Site):
        site.live("node-1", live(1, 2), NOON_S)
        site.assigned(track(1), matched("ada"), at_s=NOON_S)
        site.assigned(track(2), matched("ada"), at_s=NOON_S)
        assert site.view(NOON_S).people_now == 2

    def test_track_numbers_of_an_earlier_boot_are_other_tracks(self, site: Site):
        site.assigned(track(1), matched("ada"), at_s=NOON_S)
        site.node_connected(hello(boot_epoch=2), NOON_S + 1)
        site.live("node-1", live(1), NOON_S + 1)
        assert not card(site, "ada", NOON_S + 1).present


class TestCameraState:
    def test_a_camera_waits_until_it_is_heard(self, site: Site):
        assert camera(site).state is CameraState.NEVER
        assert site.tick(NOON_S + 60) == []

    def test_live_brings_it_up(self, site: Site):
        site.live("node-1", live(), NOON_S + 1)
        [change] = site.tick(NOON_S + 1)
        assert (change.camera, change.state, change.gap) == ("node-1/cam", CameraState.UP, None)
        assert site.tick(NOON_S + 1) == []

    def test_silence_of_four_seconds_is_an_absence_since_it_was_last_heard(self, site: Site):
        site.live("node-1", live(), NOON_S)
        site.tick(NOON_S)
        assert site.tick(NOON_S + 4.0) == []
        [change] = site.tick(NOON_S + 4.1)
        assert (change.state, change.at_s, change.reason) == (CameraState.DOWN, NOON_S, "no message")
        assert camera(site).since_s == NOON_S

    def test_coming_back_gives_the_gap(self, site: Site):
        site.live("node-1", live(), NOON_S)
        site.node_disconnected("node-1", NOON_S + 1, "connection lost")
        site.tick(NOON_S + 1)
        site.node_connected(hello(), NOON_S + 11)
        assert camera(site).state is CameraState.DOWN
        site.live("node-1", live(), NOON_S + 12)
        [change] = site.tick(NOON_S + 12)
        assert change.gap == CoverageGap("node-1/cam", NOON_S, NOON_S + 12, "connection lost")
        assert camera(site, NOON_S + 12).last_gap == change.gap

    def test_health_keeps_a_camera_up_that_sees_nobody(self, site: Site):
        site.live("node-1", live(), NOON_S)
        for second in range(1, 10):
            site.health("node-1", health(), NOON_S + second)
            site.tick(NOON_S + second)
        assert camera(site).state is CameraState.UP

    def test_a_lost_source_is_down_with_the_nodes_own_words(self, site: Site):
        site.live("node-1", live(1), NOON_S)
        site.health("node-1", health(capturing=False, trouble="USB camera unplugged"), NOON_S + 1)
        assert (camera(site).state, camera(site).reason) == (CameraState.DOWN, "USB camera unplugged")
        assert site.view(NOON_S + 1).people_now == 0

    def test_the_gap_of_a_lost_source_is_the_nodes_to_report(self, site: Site):
        site.live("node-1", live(), NOON_S)
        site.health("node-1", health(capturing=False), NOON_S + 1)
        site.live("node-1", live(), NOON_S + 8)
        changes = site.tick(NOON_S + 8)
        assert [change.gap for change in changes] == [None, None, None]
        assert camera(site).last_gap == CoverageGap("node-1/cam", NOON_S + 1, NOON_S + 8, "the camera gives no picture")

    def test_a_recording_that_ended_is_no_absence(self, site: Site):
        site.live("node-1", live(), NOON_S)
        site.node_disconnected("node-1", NOON_S + 1, "recording ended", finished=True)
        site.tick(NOON_S + 60)
        assert camera(site).state is CameraState.ENDED
        site.live("node-1", live(), NOON_S + 100)
        assert [change.gap for change in site.tick(NOON_S + 100)] == [None]
        assert camera(site).last_gap is None

    def test_a_camera_from_before_the_start_was_away_since_it_was_last_heard(self):
        site = Site()
        site.remember_camera("node-1/cam", name="Entrance", last_heard_s=NOON_S)
        assert camera(site).state is CameraState.DOWN
        site.node_connected(hello(), NOON_S + 9)
        site.live("node-1", live(), NOON_S + 10)
        gap = CoverageGap("node-1/cam", NOON_S, NOON_S + 10, "the hub was away")
        assert site.tick(NOON_S + 10)[-1].gap == gap

    def test_a_camera_that_never_was_heard_is_remembered_as_such(self):
        site = Site()
        site.remember_camera("node-1/cam", name="Entrance", last_heard_s=None)
        assert (camera(site).state, camera(site).name) == (CameraState.NEVER, "Entrance")

    def test_a_gap_that_a_node_reports_is_shown_if_it_is_the_newest(self, site: Site):
        newer = CoverageGap("node-1/cam", NOON_S - 50, NOON_S - 20, "source lost")
        site.gap(newer)
        site.gap(CoverageGap("node-1/cam", NOON_S - 90, NOON_S - 80, "older"))
        site.gap(CoverageGap("elsewhere/cam", NOON_S, NOON_S, "unknown"))
        assert camera(site).last_gap == newer

    def test_another_node_is_not_touched(self, site: Site):
        site.node_connected(hello("node-1b"), NOON_S)
        site.live("node-1", live(), NOON_S)
        site.live("node-1b", live(), NOON_S)
        site.node_disconnected("node-1", NOON_S + 1, "connection lost")
        assert camera(site, key="node-1b/cam").state is CameraState.UP


class TestCameraNumbers:
    def test_names_come_from_the_hello(self, site: Site):
        assert (camera(site).name, camera(site).node_name) == ("Entrance", "Pi by the door")

    def test_health_gives_rate_and_drops_by_name(self, site: Site):
        site.health("node-1", health(fps=9.87, drops={"late": 4, "full": 2, "none": 0}), NOON_S)
        view = camera(site)
        assert (view.fps, view.drops, view.dropped) == (9.9, (("full", 2), ("late", 4)), 6)

    def test_a_rate_from_before_the_absence_is_not_shown(self, site: Site):
        site.health("node-1", health(), NOON_S)
        site.node_disconnected("node-1", NOON_S + 1, "connection lost")
        assert camera(site).fps is None

    def test_the_age_of_the_last_frame_counts_from_its_arrival(self, site: Site):
        assert camera(site).last_frame_age_s is None
        site.live("node-1", live(at_s=NOON_S + 3600), NOON_S)
        assert camera(site, NOON_S + 7.9).last_frame_age_s == 7

    def test_a_frame_from_the_future_is_as_old_as_its_message(self, site: Site):
        site.health("node-1", health(last_frame_at_s=NOON_S + 3600), NOON_S)
        assert camera(site, NOON_S + 5).last_frame_age_s == 5

    def test_latency_is_over_the_last_two_hundred_identities(self, site: Site):
        for milliseconds in (*[9999] * 50, *range(1, 201)):
            site.assigned(track(milliseconds), matched("ada"), at_s=NOON_S, latency_s=milliseconds / 1000)
        latency = camera(site).latency
        assert latency is not None
        assert (latency.p50_ms, latency.p95_ms) == (100, 190)

    def test_the_clock_of_a_node_is_with_its_cameras_until_it_connects_anew(self, site: Site):
        assert camera(site).clock_offset_s is None
        site.clock_measured("node-1", offset_s=-1.2345, error_s=0.0123)
        site.clock_measured("node-2", offset_s=9.0, error_s=0.0)
        assert (camera(site).clock_offset_s, camera(site).clock_error_s) == (-1.23, 0.02)
        site.node_connected(hello(), NOON_S)
        assert camera(site).clock_offset_s is None

    def test_no_identity_no_latency(self, site: Site):
        assert camera(site).latency is None


class TestCards:
    def test_a_card_says_where_and_when(self, site: Site):
        site.node_connected(hello("node-2", cameras={"yard": "Yard"}), NOON_S)
        site.assigned(track(1), matched("ada"), at_s=NOON_S, seen_at_s=NOON_S - 3.5, thumbnail_id=11)
        site.assigned(track(5, camera="node-2/yard"), matched("ada"), at_s=NOON_S + 9)
        ada = card(site, "ada", NOON_S + 20)
        assert (ada.cameras, ada.last_camera, ada.present) == (("Entrance", "Yard"), "Yard", False)
        assert (ada.first_seen_s, ada.last_seen_s, ada.thumbnail_id) == (NOON_S - 4, NOON_S + 9, 11)

    def test_the_newest_picture_is_shown_and_kept_when_the_next_has_none(self, site: Site):
        for thumbnail_id in (11, 12, None):
            site.assigned(track(1), matched("ada"), at_s=NOON_S, thumbnail_id=thumbnail_id)
        assert card(site, "ada").thumbnail_id == 12

    def test_present_follows_the_live_messages(self, site: Site):
        site.assigned(track(1), matched("ada"), at_s=NOON_S)
        assert not card(site, "ada").present
        site.live("node-1", live(1), NOON_S + 5)
        ada = card(site, "ada", NOON_S + 5)
        assert (ada.present, ada.last_seen_s) == (True, NOON_S + 5)
        assert not card(site, "ada", NOON_S + 8).present

    def test_those_in_view_come_first_then_the_last_seen(self, site: Site):
        for number, name in enumerate(("ada", "bob", "cleo", "dan")):
            site.assigned(track(number), matched(name), at_s=NOON_S + number)
        site.live("node-1", live(0), NOON_S + 5)
        order = [person.identity_id for person in site.view(NOON_S + 5).people]
        assert order == ["ada", "dan", "cleo", "bob"]

    def test_a_late_observation_does_not_move_the_last_sight_back(self, site: Site):
        site.assigned(track(1), matched("ada"), at_s=NOON_S, seen_at_s=NOON_S)
        site.assigned(track(2), matched("ada"), at_s=NOON_S + 1, seen_at_s=NOON_S - 600)
        ada = card(site, "ada")
        assert (ada.first_seen_s, ada.last_seen_s) == (NOON_S - 600, NOON_S)

    def test_unique_people_are_what_the_engine_says(self, site: Site):
        site.counted(UniqueCount(12, 10, 13))
        assert site.view(NOON_S).unique == UniqueCount(12, 10, 13)

    def test_people_from_before_the_start_have_their_cards(self, site: Site):
        site.remember_people([known("ada", NOON_S - 10), known("bob", NOON_S - 5)])
        people = site.view(NOON_S).people
        assert [person.identity_id for person in people] == ["bob", "ada"]
        assert people[0].last_camera == "Entrance"

    def test_a_forgotten_identity_has_no_card(self, site: Site):
        site.assigned(track(1), matched("ada"), at_s=NOON_S)
        site.forget("ada")
        site.forget("nobody")
        assert site.view(NOON_S).people == ()

    def test_labels_are_short_and_stay_the_same(self):
        assert default_label("3fa9c2d41b77") == "Person 3FA9C2"
        assert default_label("p-12") == "Person 12"


class TestRevisions:
    def test_two_that_were_one_become_one_card(self, site: Site):
        site.assigned(track(1), matched("ada"), at_s=NOON_S, thumbnail_id=3)
        site.assigned(track(2), matched("bob"), at_s=NOON_S + 60)
        site.revised(track(2), "ada")
        [ada] = site.view(NOON_S + 60).people
        assert (ada.identity_id, ada.first_seen_s, ada.last_seen_s) == ("ada", NOON_S, NOON_S + 60)
        assert ada.thumbnail_id == 3

    def test_one_that_was_two_becomes_two_cards(self, site: Site):
        site.assigned(track(1), matched("ada"), at_s=NOON_S)
        site.assigned(track(2), matched("ada"), at_s=NOON_S + 60)
        site.revised(track(2), "bob")
        spans = {person.identity_id: (person.first_seen_s, person.last_seen_s) for person in site.view(NOON_S).people}
        assert spans == {"ada": (NOON_S, NOON_S), "bob": (NOON_S + 60, NOON_S + 60)}

    def test_who_is_in_view_follows_the_revision(self, site: Site):
        site.assigned(track(1), matched("ada"), at_s=NOON_S)
        site.assigned(track(2), matched("ada"), at_s=NOON_S)
        site.live("node-1", live(2), NOON_S)
        site.revised(track(2), "bob")
        assert (card(site, "ada").present, card(site, "bob").present) == (False, True)

    def test_saying_the_same_again_changes_nothing(self, site: Site):
        site.assigned(track(1), matched("ada"), at_s=NOON_S)
        before = site.view(NOON_S)
        site.revised(track(1), "ada")
        assert site.view(NOON_S) == before

    def test_a_track_that_nobody_remembers_makes_no_card(self, site: Site):
        site.revised(track(1), "ghost")
        assert site.view(NOON_S).people == ()


class TestBounds:
    def test_cards_are_the_last_seen(self, site: Site):
        for number in range(CARDS + 50):
            site.assigned(track(number), matched(f"p{number}"), at_s=NOON_S + number)
        people = site.view(NOON_S).people
        assert len(people) == CARDS
        assert people[-1].identity_id == "p50"

    def test_more_people_than_cards_can_be_remembered(self, site: Site):
        site.remember_people(known(f"p{number}", NOON_S + number) for number in range(CARDS + 5))
        assert len(site.view(NOON_S).people) == CARDS

    def test_a_node_cannot_fill_the_memory_with_cameras(self, site: Site):
        for number in range(CAMERAS + 20):
            site.live("node-1", live(camera_id=f"cam-{number}"), NOON_S)
            site.health("node-1", health(f"cam-{number}"), NOON_S)
            site.remember_camera(f"node-1/cam-{number}", name="x", last_heard_s=None)
        site.node_connected(hello(cameras={"one too many": "x"}), NOON_S)
        assert len(site.view(NOON_S).cameras) == CAMERAS
        assert len(site.tick(NOON_S)) <= 10 * CAMERAS


def test_last_heard_is_what_the_next_start_needs(site: Site):
    assert site.last_heard() == {}
    site.live("node-1", live(), NOON_S + 3)
    site.health("node-1", health(), NOON_S + 5)
    assert site.last_heard() == {"node-1/cam": NOON_S + 5}


@given(
    views=st.dictionaries(
        st.sampled_from(["a", "b", "c"]), st.lists(st.integers(0, 5), unique=True, max_size=5), min_size=1
    ),
    identities=st.dictionaries(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 5)), st.sampled_from(["ada", "bob", "cleo"])
    ),
)
def test_the_site_never_has_fewer_people_than_a_camera_nor_more_than_all(
    views: dict[str, list[int]], identities: dict[tuple[str, int], str]
):
    site = Site()
    site.node_connected(hello(cameras={name: name for name in views}), NOON_S)
    for camera_id, track_ids in views.items():
        site.live("node-1", live(*track_ids, camera_id=camera_id), NOON_S)
    for (camera_id, track_id), identity_id in identities.items():
        site.assigned(track(track_id, camera=f"node-1/{camera_id}"), matched(identity_id), at_s=NOON_S)
    view = site.view(NOON_S)
    in_cameras = [seen.people_now for seen in view.cameras]
    assert max(in_cameras) <= view.people_now <= sum(in_cameras)
    assert sum(person.present for person in view.people) <= view.people_now
