"""Which fragments travel, and when."""

import re

import pytest

from ruid_hub.live.picture import ANNOUNCE_EVERY_S, CARDS_SHOWN, UPDATES_KEPT, LivePicture, Pieces, element_id, event
from ruid_hub.site import CameraState, CameraView, PersonCard, SiteView, UniqueCount


def camera(name: str, people: int = 0) -> CameraView:
    return CameraView(name, name, "node", CameraState.UP, 0.0, "", people, 9.0, 0, None, (), None)


def person(name: str, *, place: str = "door") -> PersonCard:
    return PersonCard(
        name, name, present=True, last_camera=place, cameras=(), first_seen_s=0, last_seen_s=0, thumbnail_id=None
    )


def view(people_now: int = 0, *, cameras: tuple[CameraView, ...] = (), people: tuple[PersonCard, ...] = ()) -> SiteView:
    return SiteView(people_now, UniqueCount(0), cameras, people)


class CountingRenderer:
    """Renders names and numbers, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.rendered: list[str] = []

    def title(self, view: SiteView) -> str:
        return f"<title>{view.people_now}</title>"

    def summary(self, view: SiteView) -> str:
        return f"<b>{view.people_now}</b>"

    def announcement(self, view: SiteView) -> str:
        return f"{view.people_now} people"

    def cameras_end(self, view: SiteView) -> str:
        return "" if view.cameras else "none"

    def camera(self, camera: CameraView) -> str:
        self.rendered.append(camera.camera)
        return f"<i>{camera.camera}={camera.people_now}</i>"

    def people_end(self, view: SiteView) -> str:
        return f"{len(view.people)} of them"

    def person(self, person: PersonCard) -> str:
        self.rendered.append(person.identity_id)
        return f"<u>{person.identity_id}</u>"


@pytest.fixture
def renderer() -> CountingRenderer:
    return CountingRenderer()


@pytest.fixture
def picture(renderer: CountingRenderer) -> LivePicture:
    return LivePicture(renderer)


def targets(update: bytes) -> list[str]:
    return re.findall(r'<hx-partial id="([^"]*)"', update.decode())


def test_a_new_page_gets_everything(picture: LivePicture):
    assert picture.update(view(1, cameras=(camera("a"),), people=(person("ada"),)), 0.0)
    assert targets(picture.since(0)) == ["summary", "cameras", "people", "announcement"]


def test_the_same_view_again_is_no_change(picture: LivePicture):
    picture.update(view(1), 0.0)
    assert not picture.update(view(1), 1.0)
    assert picture.revision == 1


def test_one_camera_that_changes_travels_alone(picture: LivePicture, renderer: CountingRenderer):
    picture.update(view(cameras=(camera("a"), camera("b"))), 0.0)
    renderer.rendered.clear()
    assert picture.update(view(cameras=(camera("a"), camera("b", 2))), 0.1)
    assert targets(picture.since(1)) == [element_id("camera", "b")]
    assert renderer.rendered == ["b"]


def test_a_change_that_looks_the_same_is_no_change(picture: LivePicture):
    picture.update(view(people=(person("ada", place="door"),)), 0.0)
    assert not picture.update(view(people=(person("ada", place="yard"),)), 0.1)


@pytest.mark.parametrize("then", [("b", "a"), ("a",), ("a", "b", "c")])
def test_a_list_that_changes_its_members_or_order_travels_whole(picture: LivePicture, then: tuple[str, ...]):
    picture.update(view(cameras=(camera("a"), camera("b"))), 0.0)
    picture.update(view(cameras=tuple(camera(name) for name in then)), 0.1)
    assert targets(picture.since(1)) == ["cameras"]


def test_people_beyond_the_page_only_change_how_many_there_are(picture: LivePicture, renderer: CountingRenderer):
    crowd = tuple(person(f"p{number}") for number in range(CARDS_SHOWN + 2))
    picture.update(view(people=crowd), 0.0)
    assert len(renderer.rendered) == CARDS_SHOWN
    assert not picture.update(view(people=(*crowd[:-1], person("other"))), 0.1)
    picture.update(view(people=crowd[:-1]), 0.2)
    assert targets(picture.since(1)) == ["people"]


def test_a_page_that_missed_revisions_gets_all_that_changed_since(picture: LivePicture):
    picture.update(view(0, cameras=(camera("a"), camera("b"))), 0.0)
    picture.update(view(1, cameras=(camera("a", 1), camera("b"))), 0.1)
    picture.update(view(1, cameras=(camera("a", 1), camera("b", 1))), 0.2)
    assert targets(picture.since(1)) == ["summary", element_id("camera", "a"), element_id("camera", "b")]
    assert targets(picture.since(2)) == [element_id("camera", "b")]


def test_a_list_travels_whole_without_being_drawn_again(picture: LivePicture, renderer: CountingRenderer):
    picture.update(view(cameras=(camera("a"), camera("b"))), 0.0)
    renderer.rendered.clear()
    picture.update(view(cameras=(camera("b"), camera("a", 3))), 0.1)
    assert b"<i>b=0</i><i>a=3</i>" in picture.since(1)
    assert renderer.rendered == ["a"]


def test_an_empty_list_says_so(picture: LivePicture):
    picture.update(view(cameras=(camera("a"),)), 0.0)
    picture.update(view(), 0.1)
    assert b">none</hx-partial>" in picture.since(1)


def test_pictures_of_several_reaches_share_their_pieces(renderer: CountingRenderer):
    pieces = Pieces(renderer)
    everywhere, here = LivePicture(renderer, pieces), LivePicture(renderer, pieces)
    everywhere.update(view(cameras=(camera("a"), camera("b"))), 0.0)
    here.update(view(cameras=(camera("b"),)), 0.0)
    assert renderer.rendered == ["a", "b"]
    assert targets(here.since(0)) == ["summary", "cameras", "people", "announcement"]


def test_pages_from_ever_so_many_revisions_do_not_fill_the_memory(picture: LivePicture):
    newest = UPDATES_KEPT + 2
    for count in range(newest):
        picture.update(view(count), 0.0)
    first = picture.since(0)
    for revision in range(1, newest):
        assert targets(picture.since(revision)) == ["summary"]
    assert picture.since(0) == first
    assert picture.since(0) is not first


def test_pages_at_the_same_revision_share_the_same_bytes(picture: LivePicture):
    picture.update(view(0), 0.0)
    picture.update(view(1), 0.1)
    assert picture.since(1) is picture.since(1)


def test_announcements_keep_their_distance(picture: LivePicture):
    picture.update(view(0), 0.0)
    picture.update(view(1), 1.0)
    assert "announcement" not in targets(picture.since(1))
    picture.update(view(1), ANNOUNCE_EVERY_S)
    assert targets(picture.since(2)) == ["announcement"]


def test_an_event_keeps_its_lines_together_whatever_the_text_holds():
    sent = event("<p>\none\r\n\r\ndata: x\rid: 9\n\nevent: y</p>", event_id="7").decode()
    assert sent == "id: 7\ndata: <p>\ndata: one\ndata: data: x\ndata: id: 9\ndata: event: y</p>\n\n"


def test_element_ids_are_plain_and_tell_apart():
    assert re.fullmatch(r"camera-[0-9a-f]{12}", element_id("camera", '"><script>'))
    assert element_id("camera", "a") != element_id("camera", "b")
