"""What the engine and the hand say, as pages say it to people."""

from dataclasses import dataclass

from hub_fakes import NOON_S, hello, track
from ruid_hub.access import Reach
from ruid_hub.access.values import EVERYWHERE
from ruid_hub.hand import Explanation, InViewTogether, LaterOperations, Operation, OperationKind, Spoke
from ruid_hub.pages.notices import refusal, said
from ruid_hub.pages.person import reasons
from ruid_hub.pages.texts import browser
from ruid_hub.site import Site


@dataclass
class Caller:
    reach: Reach = EVERYWHERE


@dataclass
class Looking:
    """As much of a look as reasons need."""

    caller: Caller


def told(*spoke: Spoke, reach: Reach | None = None) -> tuple[str, ...]:
    site = Site()
    site.node_connected(hello(cameras={"cam": "Entrance", "yard": "Yard"}), NOON_S)
    explanation = Explanation(track(1), "ada", None, "matched", 0.9, (), spoke, (), ())
    return reasons(explanation, site, Looking(Caller(reach or EVERYWHERE)))  # pyright: ignore[reportArgumentType]


TIME = Spoke("time", -0.4, "in view of camera node-1/yard 26 s apart, which speaks -0.4 for the same person")


def test_reasons_name_cameras_as_people_do_and_leave_the_engines_words_out() -> None:
    assert told(Spoke("price", 0.32, "a newcomer's price here is 0.32"), Spoke("crops", 1.0, "1 crops"), TIME) == (
        "to be somebody known, a likeness of 0.32 is needed here",
        "it rests on 1 look at this sighting",
        "in view of camera Yard 26 s apart, which hardly speaks against the same person",
    )


def test_a_reason_that_names_a_camera_out_of_reach_is_not_told() -> None:
    assert told(TIME, reach=Reach.of({"node-1/cam"})) == ()


def test_refusals_show_no_numbers_of_sightings_and_operations() -> None:
    together = refusal(InViewTogether("node-1/cam/1/224", "node-1/cam/1/223")).text
    assert together.startswith("They were in one picture at the same time")
    assert "224" not in together
    assert refusal(LaterOperations(7, (9, 8))).text.startswith("Later corrections build on this one")


def test_a_split_leads_to_who_came_of_it() -> None:
    split = Operation(3, OperationKind.SPLIT, "mara", NOON_S, "new", "ada", (), "2 sightings are somebody else", True)
    assert (said(split).person, said(split).undo_id) == ("new", 3)


def test_a_browser_is_called_what_people_call_it():
    chrome = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
    safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 (KHTML, like Gecko) Safari/604.1"
    assert [browser(said) for said in (chrome, safari, "curl/8.9", "")] == [
        "Chrome on Android",
        "Safari on iPhone",
        "curl/8.9",
        "Unknown browser",
    ]
