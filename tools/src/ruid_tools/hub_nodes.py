"""`ruid hub nodes …`: who waits to be let in, and who is in, asked of the hub that runs on this machine."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ruid_hub.nodes.local import HubUnreachable, command
from ruid_hub.settings import load_settings
from ruid_tools.errors import ToolError


class NodesCommandError(ToolError):
    """The hub does not answer, or says no."""

    exit_code = 1


def list_nodes(*, as_json: bool = False, state_dir: str | None = None) -> None:
    """Show the devices that ask to be let in, with their codes, and the nodes that are in.

    Parameters
    ----------
    as_json
        Print one JSON document instead of tables.
    state_dir
        The hub's folder, if not the one in RUID_STATE_DIR.
    """
    listed = _ask(state_dir, "list")
    if as_json:
        sys.stdout.write(json.dumps(listed) + "\n")
        return
    console = Console()
    console.print(f"Hub fingerprint {listed['fingerprint']}", soft_wrap=True, highlight=False)
    waiting = Table("Code", "Name", "Address", "Claims to be", title="Waiting to be approved", title_justify="left")
    for pending in listed["pending"]:
        waiting.add_row(pending["code"], pending["name"], pending["address"], pending["known_as"] or "a new node")
    console.print(waiting if listed["pending"] else "Nobody waits to be approved.")
    known = Table("Node", "Name", "State", "Software", "Approved", title="Nodes", title_justify="left")
    for node in listed["nodes"]:
        state = "revoked" if node["revoked"] else "connected" if node["connected"] else "away"
        since = f"{datetime.fromtimestamp(node['approved_at_s'], tz=UTC):%Y-%m-%d} by {node['approved_by']}"
        known.add_row(node["node_id"], node["name"], state, node["software_version"], since)
    console.print(known if listed["nodes"] else "No node was approved yet.")


def approve(code: str, *, state_dir: str | None = None) -> None:
    """Let in the device that shows this code in its log; or a revoked node, by its id, again."""
    node = _ask(state_dir, "approve", code=code)
    _tell(f"{node['name']} is in, as node {node['node_id']}.")


def reject(code: str, *, state_dir: str | None = None) -> None:
    """Turn away the device with this code."""
    _ask(state_dir, "reject", code=code)
    _tell("Turned away.")


def rename(node: str, name: str, *, state_dir: str | None = None) -> None:
    """Call a node something else."""
    _ask(state_dir, "rename", node_id=node, name=name)
    _tell(f"It is called {name} now.")


def revoke(node: str, *, state_dir: str | None = None) -> None:
    """Keep a node out from now on."""
    revoked = _ask(state_dir, "revoke", node_id=node)
    _tell(f"{revoked['name']} is out.")


def replace(node: str, code: str, *, state_dir: str | None = None) -> None:
    """Let the device with this code take a node's place: its id, name, cameras and configuration."""
    replaced = _ask(state_dir, "replace", node_id=node, code=code)
    _tell(f"The device is {replaced['name']} now.")


def setup_code(*, state_dir: str | None = None) -> None:
    """Show the code that whoever makes the owner of a new hub is asked for."""
    code = _ask(state_dir, "setup-code")
    _tell(code or "This hub is set up already: no code is needed any more.")


def _ask(state_dir: str | None, what: str, **arguments: str) -> Any:
    folder = Path(load_settings(os.environ, state_dir=state_dir).state_dir)
    try:
        reply = command(folder, what, **arguments)
    except HubUnreachable as error:
        raise NodesCommandError(f"{error}: is the hub running, with this RUID_STATE_DIR?") from error
    if "refused" in reply:
        raise NodesCommandError(reply["refused"])
    return reply["answer"]


def _tell(text: str) -> None:
    Console().print(text, soft_wrap=True, markup=False, highlight=False)
