"""`ruid fleet simulate`: a synthetic world."""

from pathlib import Path

from rich.console import Console

from ruid_tools.errors import ToolError
from ruid_tools.evaluation.identity_streams import save_stream
from ruid_tools.fleet.stream import stream_of
from ruid_tools.fleet.world import World, WorldSettings


class FleetUsageError(ToolError):
    """The options make no world."""

    exit_code = 2


def simulate(  # noqa: PLR0913 - each is an option of the command
    *,
    out: Path,
    cameras: int = 6,
    people: int = 200,
    hours: float = 1.0,
    seed: int = 0,
    look_alikes: float = 0.1,
    bad_crops: float = 0.05,
    occlusions: float = 0.05,
    lost_tracks: float = 0.1,
    clock_error_s: float = 0.5,
) -> None:
    """Let people walk past cameras that do not exist, and write what those saw as a stream for `ruid eval identity`.

    Parameters
    ----------
    out
        The .npz file to write.
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
    if min(cameras, people) < 1 or hours <= 0:
        raise FleetUsageError("a world needs a camera, people and time: raise --cameras, --people or --hours")
    settings = WorldSettings(
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
    stream = stream_of(World(settings), name=out.stem)
    save_stream(stream, out)
    tracks = len(set(stream.track_names()))
    Console().print(f"{out}: {len(stream)} looks on {tracks} tracks of {people} people by {cameras} cameras")
