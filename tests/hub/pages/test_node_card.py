"""What the Cameras page says of a node besides its cameras."""

from hub.pages.test_rendering import ADMIN, Elements, make_templates
from hub_fakes import NOON_S, hello
from ruid_hub.nodes import Node
from ruid_hub.pages.cameras import CamerasPage, NodeCard
from ruid_hub.site import Site

NODE = Node("node-1", "Door", False, True, "192.0.2.7", "0.1.0", ("cam",), None, NOON_S, "mara", NOON_S, "mara")


def shown(site: Site) -> Elements:
    templates = make_templates()
    frame = templates.frame("cameras", caller=ADMIN, csrf="token")
    page = CamerasPage(frame, (), (NodeCard(NODE, site.view(NOON_S).cameras),), (), "")
    return Elements(templates.page(page))


def test_how_far_its_clock_is_off_is_said_once_it_is_known() -> None:
    site = Site()
    site.node_connected(hello(cameras={"cam": "Entrance", "yard": "Yard"}), NOON_S)
    assert "node-clock" not in shown(site).texts
    site.clock_measured("node-1", offset_s=-1.5, error_s=0.011)
    assert shown(site).text("node-clock") == "clock off by -1.50 s, give or take 0.02 s"
