"""The pages' templates against their documented contexts, and against hostile names."""

from dataclasses import fields
from datetime import UTC, tzinfo
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from jinja2 import meta, nodes

from hub_fakes import NOON_S, WEB_DIR, health, hello, live, matched, track
from ruid_hub.access import Caller, Reach, Role, Way
from ruid_hub.live.picture import CARDS_SHOWN
from ruid_hub.pages import rendering
from ruid_hub.pages.audit import AuditPage
from ruid_hub.pages.by_picture import WhoIsMeantPage
from ruid_hub.pages.cameras import CameraPage, CamerasPage
from ruid_hub.pages.counts import CountsPage
from ruid_hub.pages.entry import LoginPage, SetupPage
from ruid_hub.pages.integrations import IntegrationsPage
from ruid_hub.pages.people import LookalikesPage, PeoplePage, ReviewPage
from ruid_hub.pages.person import PersonPage, WhyPage
from ruid_hub.pages.rendering import ErrorPage, LivePage, Templates
from ruid_hub.pages.settings import SettingsPage
from ruid_hub.pages.sign import SignPage
from ruid_hub.pages.sites import SitesPage
from ruid_hub.pages.texts import effort, lasting, percent, quickly, span
from ruid_hub.site import Site, SiteView, UniqueCount

HOSTILE = """</h3><script>alert(1)</script><img src=x onerror=alert(2)>" onload='x' {{ 7*7 }} </template>\r\ndata: x"""


def make_templates(*, site_name: str = "Corner shop", time_zone: tzinfo = UTC, now_s: float = NOON_S) -> Templates:
    return Templates(WEB_DIR, site_name=site_name, time_zone=time_zone, pictures_kept_s=86_400, clock=lambda: now_s)


ADMIN = Caller("mara", Role.ADMIN, Reach(), Way.SESSION)


def live_page(templates: Templates, view: SiteView) -> str:
    return templates.live_page(view, templates.frame("live", caller=ADMIN, csrf="token"))


@pytest.fixture
def templates() -> Templates:
    return make_templates()


@pytest.fixture
def busy() -> Site:
    site = Site()
    site.node_connected(hello(cameras={"cam": "Entrance", "yard": "Yard", "new": "Stock room"}), NOON_S)
    site.live("node-1", live(1, 2), NOON_S)
    site.health("node-1", health(drops={"late": 3}), NOON_S)
    site.live("node-1", live(camera_id="yard"), NOON_S - 30)
    site.tick(NOON_S)
    site.assigned(track(1), matched("ada"), at_s=NOON_S, latency_s=0.08, thumbnail_id=7)
    site.assigned(track(9), matched("bob"), at_s=NOON_S - 60)
    site.counted(UniqueCount(2, 2, 3))
    return site


class Elements(HTMLParser):
    """Every element's attributes, and the text below each data-testid."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open: list[str | None] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        if tag not in ("img", "meta", "link"):
            self._open.append(dict(attrs).get("data-testid"))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for testid in self._open:
            if testid:
                self.texts[testid] = self.texts.get(testid, "") + " " + " ".join(data.split())

    def text(self, testid: str) -> str:
        return " ".join(self.texts[testid].split())


PAGES = (
    LivePage,
    ErrorPage,
    PeoplePage,
    LookalikesPage,
    WhoIsMeantPage,
    ReviewPage,
    PersonPage,
    WhyPage,
    CountsPage,
    CamerasPage,
    CameraPage,
    SettingsPage,
    IntegrationsPage,
    SitesPage,
    SignPage,
    AuditPage,
    LoginPage,
    SetupPage,
)
CONSTANTS = {"parts", "behind_ms", "cards_shown", "label_of", "plural", "range"}
ALONE = {"pages/live.html": {"camera", "person"}}
"""What blocks of a page get when the stream renders them alone."""


class TestContexts:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
    def test_a_page_uses_exactly_what_its_context_documents(self, page: type[rendering.PageContext]):
        environment = make_templates()._environment  # pyright: ignore[reportPrivateUsage]
        used: set[str] = set()
        for part in ("layout.html", page.template):
            parsed = environment.parse((WEB_DIR / "templates" / part).read_text())
            own = {macro.name for macro in parsed.find_all(nodes.Macro)}
            own |= {name.name for name in parsed.find_all(nodes.Name) if name.ctx == "store"}
            used |= meta.find_undeclared_variables(parsed) - own
        assert used - CONSTANTS - ALONE.get(page.template, set()) == {field.name for field in fields(page)}

    def test_every_template_has_a_context(self):
        templates = {path.name for path in (WEB_DIR / "templates" / "pages").iterdir()}
        assert templates == {page.template.removeprefix("pages/") for page in PAGES}


class TestLivePage:
    def test_the_numbers_carry_stable_names(self, templates: Templates, busy: Site):
        page = Elements(live_page(templates, busy.view(NOON_S)))
        assert page.text("people-now") == "2"
        assert page.text("unique-people") == "2"
        assert page.text("unique-interval") == "between 2 and 3"
        assert page.text("cameras-up") == "1"
        assert page.text("uncounted") == "without 1 camera that is down"

    def test_each_camera_says_how_it_does(self, templates: Templates, busy: Site):
        page = live_page(templates, busy.view(NOON_S))
        entrance = Elements(templates.camera(busy.view(NOON_S).cameras[0]))
        assert 'data-testid="camera-node-1/cam"' in page
        assert entrance.text("camera-state") == "Up"
        assert entrance.text("camera-people") == "2"
        assert entrance.text("camera-fps") == "9.9 a second"
        assert entrance.text("camera-frame-age") == "just now"
        assert entrance.text("camera-latency") == "80 ms 95 of 100 within 80 ms"
        assert entrance.text("camera-drops") == "3 late"

    def test_a_camera_that_is_down_shows_since_when_and_no_count(self, templates: Templates, busy: Site):
        yard = Elements(templates.camera(busy.view(NOON_S).cameras[2]))
        assert yard.text("camera-state") == "Down"
        assert yard.text("camera-people") == "–"
        assert yard.text("camera-away") == "Away since 14:12:50: no message"
        assert yard.text("camera-frame-age") == "30 s ago"

    def test_a_camera_that_is_back_says_how_long_it_was_away(self, templates: Templates, busy: Site):
        busy.live("node-1", live(camera_id="yard"), NOON_S - 18)
        yard = Elements(templates.camera(busy.view(NOON_S - 18).cameras[2]))
        assert yard.text("camera-state") == "Up"
        assert yard.text("camera-gap") == "Was away 12 s, 14:12:50–14:13:02 (no message)"

    def test_a_camera_that_ended_is_not_an_alarm(self, templates: Templates, busy: Site):
        busy.node_disconnected("node-1", NOON_S, "recording ended", finished=True)
        ended = Elements(templates.camera(busy.view(NOON_S).cameras[0]))
        assert ended.text("camera-state") == "Ended"
        assert "camera-away" not in ended.texts

    def test_a_camera_that_sends_what_it_saw_meanwhile_says_so(self, templates: Templates):
        site = Site()
        site.node_connected(hello(), NOON_S)
        site.live("node-1", live(1), NOON_S)
        site.assigned(track(1), matched("ada"), at_s=NOON_S, latency_s=200)
        late = Elements(templates.camera(site.view(NOON_S).cameras[0]))
        assert late.text("camera-latency") == "3 min 20 s it catches up on what it saw meanwhile"

    def test_cards_show_picture_place_and_presence(self, templates: Templates, busy: Site):
        ada, bob = busy.view(NOON_S).people
        here, gone = Elements(templates.person(ada)), Elements(templates.person(bob))
        assert here.text("person-place") == "Here now Entrance"
        assert gone.text("person-place") == "Last at Entrance"
        [image] = [attributes for tag, attributes in here.attributes if tag == "img"]
        assert image["src"] == "/thumbnails/7"
        assert [tag for tag, _ in gone.attributes if tag == "img"] == []

    def test_it_says_how_long_pictures_are_kept(self, templates: Templates):
        assert "Pictures here are kept for 24 hours." in live_page(templates, Site().view(NOON_S))

    def test_an_empty_hub_says_what_to_do(self, templates: Templates):
        page = Elements(live_page(templates, Site().view(NOON_S)))
        assert page.text("people-now") == "0"
        assert page.text("no-cameras").startswith("No cameras yet.")
        assert page.text("no-people").startswith("Nobody has been seen yet.")

    def test_more_people_than_fit_are_counted(self, templates: Templates):
        site = Site()
        for number in range(CARDS_SHOWN + 7):
            site.assigned(track(number), matched(f"p{number}"), at_s=NOON_S)
        page = live_page(templates, site.view(NOON_S))
        assert page.count('data-testid="person"') == CARDS_SHOWN
        assert '<a href="/people">and 7 more, seen earlier</a>' in page

    def test_times_are_the_sites_and_carry_the_date_when_it_is_not_today(self, busy: Site):
        berlin = make_templates(time_zone=ZoneInfo("Europe/Berlin"), now_s=NOON_S + 86_400)
        assert "Away since 21 Sep 16:12" in berlin.camera(busy.view(NOON_S).cameras[2])

    def test_no_style_or_script_is_inline(self, templates: Templates, busy: Site):
        for tag, attributes in Elements(live_page(templates, busy.view(NOON_S))).attributes:
            assert tag != "style"
            assert tag != "script" or attributes.get("src")
            assert not {name for name in attributes if name == "style" or name.startswith("on")}


class TestHostileNames:
    def hostile_site(self) -> Site:
        site = Site()
        site.node_connected(hello(HOSTILE, cameras={HOSTILE: HOSTILE}), NOON_S)
        site.live(HOSTILE, live(1, camera_id=HOSTILE), NOON_S - 20)
        site.health(HOSTILE, health(HOSTILE, capturing=False, trouble=HOSTILE, drops={HOSTILE: 3}), NOON_S)
        site.assigned(track(1, camera=f"{HOSTILE}/{HOSTILE}"), matched(HOSTILE), at_s=NOON_S)
        site.tick(NOON_S)
        return site

    def test_names_are_text_everywhere(self):
        templates = make_templates(site_name=HOSTILE)
        page = Elements(live_page(templates, self.hostile_site().view(NOON_S)))
        calm = make_templates()
        usual = Site()
        usual.node_connected(hello(), NOON_S)
        usual.live("node-1", live(1), NOON_S - 20)
        usual.health("node-1", health(capturing=False, trouble="x", drops={"x": 3}), NOON_S)
        usual.assigned(track(1), matched("ada"), at_s=NOON_S)
        tags = [tag for tag, _ in Elements(live_page(calm, usual.view(NOON_S))).attributes]
        assert [tag for tag, _ in page.attributes] == tags
        for _, attributes in page.attributes:
            assert not {name for name in attributes if name.startswith("on")}
        assert "{{ 7*7 }}" in page.text("person-place")

    def test_the_error_page_escapes_too(self, templates: Templates):
        page = templates.error_page(templates.frame(), title=HOSTILE, advice=HOSTILE)
        assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (12.3, "12 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (100_000, "1 d 3 h"),
        (90_000_000, "1041 d 16 h"),
    ],
)
def test_spans_read_like_speech(duration_s: float, text: str):
    assert span(duration_s) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.001, "under 1 %"), (0.966, "97 %"), (0.999, "over 99 %"), (1, "100 %")]
)
def test_a_share_is_whole_only_where_it_is_all(share: float, text: str):
    assert percent(share) == text


class TestFrame:
    def test_everybody_is_led_only_where_they_may_go(self, templates: Templates):
        viewer = Caller("ed", Role.VIEWER, Reach(), Way.SESSION)
        page = Elements(templates.live_page(Site().view(NOON_S), templates.frame("live", caller=viewer)))
        paths = {attributes.get("href") for tag, attributes in page.attributes if tag == "a"}
        assert "/people" in paths
        assert "/audit" not in paths

    def test_every_form_that_changes_something_carries_the_token(self, templates: Templates):
        page = live_page(templates, Site().view(NOON_S))
        assert page.count('method="post"') == page.count('name="_csrf" value="token"') == 1


@pytest.mark.parametrize(
    ("duration_s", "words"),
    [(86_400, "24 hours"), (3600, "1 hour"), (90 * 86_400, "90 days"), (36 * 3600, "36 hours"), (1800, "30 min")],
)
def test_how_long_something_is_kept_is_said_in_whole_hours_or_days(duration_s: float, words: str):
    assert lasting(duration_s) == words


@pytest.mark.parametrize(("duration_ms", "words"), [(80, "80 ms"), (1440, "1.4 s"), (168_681, "2 min 49 s")])
def test_a_short_time_is_said_in_the_unit_that_one_reads_at_a_glance(duration_ms: float, words: str):
    assert quickly(duration_ms) == words


def test_what_a_node_gave_up_is_one_plain_sentence_with_the_last_rate_alone():
    steps = ("embeddings_halved", "detector_input_smaller", "detector_10_per_s", "detector_5_per_s")
    assert effort(steps) == "looks at most 5 times a second, describes people less often and looks at a smaller picture"
    assert effort(steps[:1]) == "describes people less often"
    assert effort(("new_step",)) == "new step"


def test_devices_that_wait_are_told_to_admins_on_every_page():
    templates = Templates(
        WEB_DIR,
        site_name="Corner shop",
        time_zone=UTC,
        pictures_kept_s=86_400,
        clock=lambda: NOON_S,
        waiting=lambda: 2,
    )
    viewer = Caller("vera", Role.VIEWER, Reach(), Way.SESSION)
    assert Elements(live_page(templates, Site().view(NOON_S))).text("waiting") == "2 ask to be let in"
    assert templates.frame("live", caller=viewer).waiting == templates.frame().waiting == 0
