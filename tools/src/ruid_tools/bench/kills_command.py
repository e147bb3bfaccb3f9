"""`ruid bench kills`: hub and node are killed under load, and nothing is lost."""

import json as json_module
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from ruid_tools.bench.kills import KillSettings, bench_kills, is_clean


def kills(*, times: int = 100, rate: float = 40.0, seed: int = 0, json: bool = False) -> int:
    """Kill a hub and a node by turns under load; fail unless each item is in the hub's database once, in order.

    Parameters
    ----------
    times
        How often each of the two is killed.
    rate
        Durable items a second that the node makes.
    seed
        The same seed draws the same moments.
    json
        Print one JSON document and nothing else.
    """
    with tempfile.TemporaryDirectory(prefix="ruid-bench-kills-") as folder:
        figures = bench_kills(KillSettings(Path(folder), times=times, items_per_s=rate, seed=seed))
    if json:
        sys.stdout.write(json_module.dumps(figures) + "\n")
    else:
        Console().print(
            f"{figures['hub_kills']} kills of the hub and {figures['node_kills']} of the node in "
            f"{figures['seconds']:.0f} s; {figures['items_spooled']} items spooled.\n"
            f"Lost {figures['items_lost']}, duplicated {figures['items_duplicated']}, "
            f"out of order {figures['items_out_of_order']}, given up {figures['items_dropped']}.\n"
            f"From kill to welcome, in seconds, the program's own start included: "
            f"hub {figures['again_after_hub_kill_s']}, node {figures['again_after_node_kill_s']}.",
            soft_wrap=True,
            highlight=False,
        )
    return 0 if is_clean(figures) else 1
