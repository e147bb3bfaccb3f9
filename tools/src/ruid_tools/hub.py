"""`ruid hub`: the program of the hub's container, with options on top of its variables."""

import os

from cyclopts import App

# The same program as `python -m ruid_hub`, which says before NumPy is imported how many threads it may have.
from ruid_hub.__main__ import load_settings, run_hub

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
        load_settings(os.environ, http_port=port, node_port=node_port, bind=bind, state_dir=state_dir, engine=engine)
    )
