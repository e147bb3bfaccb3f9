"""`ruid bench link`: many nodes on one hub over TLS."""

import json as json_module
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from ruid_tools.bench.link import LinkBenchSettings, bench_link


def link(
    *, nodes: int = 200, rate: float = 2000.0, seconds: float = 20.0, embeddings: int = 1, json: bool = False
) -> None:
    """Time the link between many simulated nodes and a hub: items a second, send to acknowledgement, a storm.

    Parameters
    ----------
    nodes
        How many nodes.
    rate
        Durable items a second over all nodes.
    seconds
        For how long to send at that rate.
    embeddings
        Embeddings (512 half floats) in each item.
    json
        Print one JSON document and nothing else.
    """
    with tempfile.TemporaryDirectory(prefix="ruid-bench-link-") as folder:
        figures = bench_link(
            LinkBenchSettings(
                nodes=nodes, items_per_s=rate, seconds=seconds, embeddings=embeddings, folder=Path(folder)
            )
        )
    if json:
        sys.stdout.write(json_module.dumps(figures) + "\n")
        return
    paced, ack, storm = figures["paced"], figures["paced"]["send_to_ack_ms"], figures["storm"]
    Console().print(
        f"{figures['nodes']} nodes over TLS, {figures['item_bytes']} bytes an item, hub and nodes on this machine.\n"
        f"Asked for {paced['asked_items_per_s']:.0f} items/s: {paced['items_per_s']:.0f}/s acknowledged, "
        f"{ack['p50']} ms in the median, {ack['p99']} ms at the 99th percentile.\n"
        f"Hub: {paced['hub_cpu_percent']} % of a core, at most {paced['hub_memory_mb']['highest']} MB.\n"
        f"All at once: the last of the nodes is welcome after {storm['last_s']} s.\n"
        f"As fast as it goes: {figures['flood_items_per_s']:.0f} items/s decoded, checked and committed, "
        f"{figures['share_of_echo']:.0%} of a bare echo's {figures['echo_messages_per_s']:.0f} messages/s.\n"
        f"Lost {figures['items_lost']}, duplicated {figures['items_duplicated']}.",
        soft_wrap=True,
        highlight=False,
    )
