"""`ruid bench link`: many nodes on one hub over TLS."""

import json as json_module
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from ruid_tools.bench.link import LinkBenchSettings, bench_link


def link(
    *,
    nodes: int = 200,
    rate: float = 2000.0,
    seconds: float = 20.0,
    embeddings: int = 1,
    people: int = 0,
    soak: bool = False,
    json: bool = False,
) -> None:
    """Time the link between many simulated nodes and a hub: items a second, to acknowledgement and identity, a storm.

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
    people
        How many different people the items show; the hub then tells who is who. 0: it gives nobody an identity.
    soak
        Only send at that rate, to see how the hub's memory goes (with --seconds 600, say).
    json
        Print one JSON document and nothing else.
    """
    with tempfile.TemporaryDirectory(prefix="ruid-bench-link-") as folder:
        figures = bench_link(
            LinkBenchSettings(
                nodes=nodes,
                items_per_s=rate,
                seconds=seconds,
                embeddings=embeddings,
                people=people,
                folder=Path(folder),
                soak=soak,
            )
        )
    if json:
        sys.stdout.write(json_module.dumps(figures) + "\n")
        return
    Console().print("\n".join(_lines(figures)), soft_wrap=True, highlight=False)


def _lines(figures: dict[str, Any]) -> Iterator[str]:
    paced, ack, hub = figures["paced"], figures["paced"]["send_to_ack_ms"], figures["hub"]
    memory = paced["hub_memory_mb"]
    yield f"{figures['nodes']} nodes over TLS, {figures['item_bytes']} bytes an item, hub and nodes on this machine."
    yield (
        f"Asked for {paced['asked_items_per_s']:.0f} items/s: {paced['items_per_s']:.0f}/s acknowledged, "
        f"{ack['p50']} ms in the median, {ack['p99']} ms at the 99th percentile."
    )
    if "identity_ms" in paced:
        yield from _identity_lines(paced)
    yield (
        f"Hub: {paced['hub_cpu_percent']} % of a core, {paced['hub_cpu_us_per_item']:.0f} µs an item, "
        f"{hub['commit_cpu_us_per_item']:.0f} of them to recognise and commit it ({hub['items_per_commit']} at once)."
    )
    yield (
        f"Hub's memory: {memory['warm']} MB once warm, {memory['middle']} in the middle, {memory['end']} in the end, "
        f"{memory['slope_mb_per_hour']} MB an hour."
    )
    if "storm" in figures:
        yield f"All at once: the last of the nodes is welcome after {figures['storm']['last_s']} s."
        yield (
            f"As fast as it goes: {figures['flood_items_per_s']:.0f} items/s decoded, checked and committed, "
            f"{figures['share_of_echo']:.0%} of a bare echo's {figures['echo_messages_per_s']:.0f} messages/s."
        )
        yield (
            f"A node's spool writes {figures['spool']['written_bytes_each']} bytes for each that passes, "
            f"{figures['spool']['written_mb_per_day']} MB for {figures['spool']['passages_per_day']} a day."
        )
    yield f"Lost {figures['items_lost']}, duplicated {figures['items_duplicated']}."


def _identity_lines(paced: dict[str, Any]) -> Iterator[str]:
    until, thinking = paced["identity_ms"], paced["send_to_ack_while_thinking_ms"]
    yield f"From send to identity {until['p50']} ms in the median, {until['p99']} ms at the 99th percentile."
    if thinking:
        yield (
            f"While the hub thought again ({paced['consolidations']} times, {paced['longest_step_ms']} ms the longest "
            f"step): send to acknowledgement {thinking['p50']} ms, {thinking['p99']} ms at the 99th percentile."
        )
