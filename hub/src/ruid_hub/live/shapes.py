"""Tells the live picture what zones and lines are called."""

from ruid_hub.nodes import NodeRegister
from ruid_hub.site import Site


def name_shapes(site: Site, nodes: NodeRegister) -> None:
    """Give the site the names of every zone and line that the nodes are told; call it when those change."""
    for node in nodes.nodes():
        for camera in nodes.configuration(node.node_id).cameras:
            site.shapes_named(
                f"{node.node_id}/{camera.camera_id}",
                zones={zone.zone_id: zone.name for zone in camera.zones},
                lines={line.line_id: line.name for line in camera.lines},
            )
