"""`ruid edge` and `ruid hub`: the programs of the two containers, with options on top of their variables."""

import os
import shlex
from typing import Literal

from cyclopts import App

from ruid_edge.bootstrap import run_node
from ruid_edge.settings import load_settings as load_edge_settings
from ruid_hub.app import run_hub
from ruid_hub.settings import load_settings as load_hub_settings


def edge(
    *,
    source: list[str] | None = None,
    hub: str | None = None,
    name: str | None = None,
    pace: Literal["real", "fast"] | None = None,
    loop: bool | None = None,
    thumbnails: Literal["off", "blurred", "on"] | None = None,
    state_dir: str | None = None,
) -> None:
    """Run a camera node; every option wins over its RUID_… variable.

    Parameters
    ----------
    source
        A file, a folder of images, a V4L2 device or index, an RTSP address, or picamera; once per camera.
    hub
        The hub's address for nodes, such as wss://hub.local:8765; without one it is looked for.
    name
        What people call this node.
    pace
        Play a recording in real time, or as fast as it can be worked on.
    loop
        Begin a recording again when it is over.
    thumbnails
        Whether small pictures of people may leave the node.
    state_dir
        Where the spool lives.
    """
    run_node(
        load_edge_settings(
            os.environ,
            source=shlex.join(source) if source else None,
            hub_url=hub,
            node_name=name,
            pace=pace,
            loop=loop,
            thumbnails=thumbnails,
            state_dir=state_dir,
        )
    )


hub_app = App(name="hub", help="Run a hub.")
nodes_app = App(name="nodes", help="Look after the nodes of the hub that runs here.")
nodes_app.command("ruid_tools.hub_nodes:list_nodes", name="list", help="Show who waits to be let in, and who is in.")
nodes_app.command("ruid_tools.hub_nodes:approve", name="approve", help="Let a device in by its code.")
nodes_app.command("ruid_tools.hub_nodes:reject", name="reject", help="Turn a device away.")
nodes_app.command("ruid_tools.hub_nodes:rename", name="rename", help="Call a node something else.")
nodes_app.command("ruid_tools.hub_nodes:revoke", name="revoke", help="Keep a node out.")
nodes_app.command("ruid_tools.hub_nodes:replace", name="replace", help="Let a device take a node's place.")
hub_app.command(nodes_app)
hub_app.command("ruid_tools.hub_nodes:setup_code", name="setup-code", help="Show the code that sets a new hub up.")
hub_app.command("ruid_tools.hub_backup:backup", name="backup", help="Write the whole hub into one file.")
hub_app.command("ruid_tools.hub_backup:restore", name="restore", help="Put a backup in a stopped hub's place.")


@hub_app.default
def hub(
    *,
    port: int | None = None,
    node_port: int | None = None,
    bind: str | None = None,
    state_dir: str | None = None,
    engine: str | None = None,
) -> None:
    """Run a hub; every option wins over its RUID_… variable.

    Parameters
    ----------
    port
        Where browsers find the pages.
    node_port
        Where nodes connect.
    bind
        The address to listen on; 0.0.0.0 for every network.
    state_dir
        Where the database lives.
    engine
        Which identity engine to use.
    """
    run_hub(
        load_hub_settings(
            os.environ, http_port=port, node_port=node_port, bind=bind, state_dir=state_dir, engine=engine
        )
    )
