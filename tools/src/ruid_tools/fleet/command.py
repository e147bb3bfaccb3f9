"""`ruid fleet simulate`: a synthetic world, as a stream in a file or as nodes on a hub."""

import json as json_module
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from ruid_edge.bootstrap import configure_logging
from ruid_tools.errors import ToolError
from ruid_tools.evaluation.identity_streams import save_stream
from ruid_tools.fleet.live import FleetSettings, FleetState, run_fleet
from ruid_tools.fleet.stream import stream_of
from ruid_tools.fleet.world import World, WorldSettings


class FleetUsageError(ToolError):
    """The options make no world."""

    exit_code = 2


def simulate(  # noqa: PLR0913 - each is an option of the command
    *,
    out: Path | None = None,
    hub: str = "",
    nodes: int = 0,
    join_file: str = "",
    state: Path | None = None,
    seconds: float = 60.0,
    speed: float = 1.0,
    json: bool = False,
    cameras: int = 6,
    people: int = 200,
    hours: float = 1.0,
    seed: int = 0,
    look_alikes: float = 0.1,
    bad_crops: float = 0.05,
    occlusions: float = 0.05,
    lost_tracks: float = 0.1,
    clock_error_s: float = 0.5,
) -> int:
    """Let people walk past cameras that do not exist, for `ruid eval identity` (--out) or for a running hub (--hub).

    Parameters
    ----------
    out
        The .npz file to write.
    hub
        A running hub (wss://host:8765) to bring the cameras to, each on a node of its own.
    nodes
        How many nodes to bring to the hub; the same as --cameras.
    join_file
        The file that the hub on this machine writes (its RUID_JOIN_FILE); without it each node waits to be approved.
    state
        A folder for the nodes' keys and spools, so that the same nodes come back; otherwise they are new each time.
    seconds
        For how long the nodes send, once the hub has let them all in.
    speed
        How many times as fast as real people those of the world walk.
    json
        With --hub: print one JSON document at the end and nothing else.
    cameras
        How many cameras.
    people
        How many different people.
    hours
        Over how many hours they come.
    seed
        The same seed gives the same world.
    look_alikes
        Which share of the people has a look-alike or is one.
    bad_crops
        Which share of the crops is bad.
    occlusions
        Which share of the crops shows somebody else as well.
    lost_tracks
        Which share of the longer stays becomes two tracks.
    clock_error_s
        How far a camera's clock may be off.
    """
    cameras = nodes or cameras
    if min(cameras, people) < 1 or min(hours, speed, seconds) <= 0:
        raise FleetUsageError("a world needs a camera, people and time: raise --cameras, --people or --hours")
    if (out is None) == (not hub):
        raise FleetUsageError("say where to: either --out FILE.npz, or --hub wss://host:8765")
    world = World(
        WorldSettings(
            cameras=cameras,
            people=people,
            hours=hours,
            seed=seed,
            look_alikes=look_alikes,
            bad_crops=bad_crops,
            occlusions=occlusions,
            lost_tracks=lost_tracks,
            clock_error_s=clock_error_s,
        )
    )
    if out is not None:
        _write(world, out)
        return 0
    with nullcontext(state) if state else tempfile.TemporaryDirectory(prefix="ruid-fleet-") as folder:
        settings = FleetSettings(hub, Path(folder), join_file=join_file, seconds=seconds, speed=speed)
        return _bring(world, settings, as_json=json)


def _write(world: World, out: Path) -> None:
    stream = stream_of(world, name=out.stem)
    save_stream(stream, out)
    tracks, settings = len(set(stream.track_names())), world.settings
    Console().print(
        f"{out}: {len(stream)} looks on {tracks} tracks of {settings.people} people by {settings.cameras} cameras"
    )


def _bring(world: World, settings: FleetSettings, *, as_json: bool) -> int:
    configure_logging("error" if as_json else "warning")
    console = Console(quiet=as_json)

    def tell(state: FleetState) -> None:
        console.print(
            f"{state.connected} of {state.nodes} nodes connected, {state.spooled} items, {state.acked} acknowledged",
            highlight=False,
        )

    figures = run_fleet(world, settings, tell)
    if as_json:
        sys.stdout.write(json_module.dumps(figures) + "\n")
    ack = figures["spool_to_ack_ms"]
    console.print(
        f"{figures['nodes']} nodes, {figures['seconds']} s: {figures['items_acked']} items acknowledged, "
        f"{figures['items_per_s']}/s, {figures['items_waiting']} wait"
        + (f"; {ack['p50']} ms in the median, {ack['p99']} ms at the 99th percentile." if ack else "."),
        highlight=False,
        soft_wrap=True,
    )
    return 0 if figures["items_acked"] and not figures["items_waiting"] else 1
