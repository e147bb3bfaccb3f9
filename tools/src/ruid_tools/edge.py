"""`ruid edge`: the program of a node's container, with options on top of its variables."""

import os
import shlex
from typing import Literal

from ruid_edge.bootstrap import run_node
from ruid_edge.settings import load_settings


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
        load_settings(
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
