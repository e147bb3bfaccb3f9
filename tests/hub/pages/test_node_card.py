"""What the Cameras page says of a node besides its cameras."""

from dataclasses import replace as with_fields

from msgspec.structs import replace

from hub.pages.test_rendering import ADMIN, Elements, make_templates
from hub_fakes import NOON_S, health, hello
from ruid_hub import __version__
from ruid_hub.nodes import Node
from ruid_hub.pages.cameras import CamerasPage, NodeCard
from ruid_hub.site import Site

NODE = Node("node-1", "Door", False, True, "192.0.2.7", "0.1.0", ("cam",), None, NOON_S, "mara", NOON_S, "mara")


def shown(site: Site) -> Elements:
    templates = make_templates()
    frame = templates.frame("cameras", caller=ADMIN, csrf="token")
    page = CamerasPage(frame, (), (NodeCard(NODE, site.view(NOON_S).cameras),), (), "", {})
    return Elements(templates.page(page))


def test_how_far_its_clock_is_off_is_said_once_it_is_known() -> None:
    site = Site()
    site.node_connected(hello(cameras={"cam": "Entrance", "yard": "Yard"}), NOON_S)
    assert "node-clock" not in shown(site).texts
    site.clock_measured("node-1", offset_s=-1.5, error_s=0.011)
    assert shown(site).text("node-clock") == "clock off by -1.50 s, give or take 0.02 s"


def test_a_clock_that_is_right_as_far_as_one_can_tell_is_said_to_be() -> None:
    site = Site()
    site.node_connected(hello(), NOON_S)
    site.clock_measured("node-1", offset_s=-0.004, error_s=0.011)
    assert shown(site).text("node-clock") == "clock right to 0.02 s"


def test_a_device_that_was_just_let_in_is_not_called_away() -> None:
    templates = make_templates()
    frame = templates.frame("cameras", caller=ADMIN, csrf="token")
    for node, state in (
        (with_fields(NODE, connected=False), "Waiting"),
        (with_fields(NODE, connected=False, seen_at_s=NOON_S), "Away"),
    ):
        page = CamerasPage(frame, (), (NodeCard(node, ()),), (), "", {})
        assert Elements(templates.page(page)).text("node-state") == state


def test_an_open_page_gets_how_each_node_does_with_what_waits() -> None:
    templates, site = make_templates(), Site()
    site.node_connected(hello(cameras={"cam": "Entrance"}), NOON_S)
    frame = templates.frame("cameras", caller=ADMIN, csrf="token")
    page = CamerasPage(frame, (), (NodeCard(NODE, site.view(NOON_S).cameras),), (), "", {}, partial=True)
    sent = templates.block(page, "pending")
    assert sent.index('id="pending"') < sent.index("<hx-partial id=") < sent.index("Entrance")
    assert "<hx-partial" not in templates.page(with_fields(page, partial=False))


def test_why_it_started_anew_is_said_as_text_until_a_run_that_began_well() -> None:
    site, reason = Site(), "camera 0 <b>does not come back</b>"
    site.node_connected(hello(), NOON_S)
    site.health("node-1", replace(health(), started_after=reason), NOON_S)
    assert site.view(NOON_S).cameras[0].started_after == reason
    assert shown(site).text("node-restart") == f"started anew because: {reason}"
    site.health("node-1", health(), NOON_S)
    assert "node-restart" not in shown(site).texts


def test_the_version_of_a_device_is_said_also_while_it_is_away_and_where_it_is_not_the_hubs() -> None:
    templates = make_templates()
    frame = templates.frame("cameras", caller=ADMIN, csrf="token")
    for node, said in (
        (with_fields(NODE, connected=False, seen_at_s=NOON_S, software_version=__version__), f"version {__version__}"),
        (
            with_fields(NODE, software_version="0.0.9"),
            f"version 0.0.9 The hub has version {__version__}: one of the two waits for its update.",
        ),
    ):
        page = CamerasPage(frame, (), (NodeCard(node, ()),), (), "", {})
        assert Elements(templates.page(page)).text("node-version") == said


def test_what_slows_a_device_down_is_said_with_its_cameras() -> None:
    site = Site()
    site.node_connected(hello(), NOON_S)
    site.health("node-1", replace(health(last_frame_at_s=NOON_S), slowed_by=("under_voltage", "<i>")), NOON_S)
    said = shown(site).text("camera-node-1/cam")
    assert "its power supply is too weak · <i>" in said
    site.health("node-1", health(last_frame_at_s=NOON_S), NOON_S)
    assert "power supply" not in shown(site).text("camera-node-1/cam")
