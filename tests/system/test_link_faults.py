"""A hub and a node, each a program of its own, with a bad network between them: nothing is lost or counts twice."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fault_proxy import Fault, drawn_fates, fault_proxy
from ruid_tools.bench.kills import compare, free_port, hub_variables, is_clean
from ruid_tools.bench.kills_node import LEDGER
from ruid_tools.bench.kills_victims import end_all, hub_victim, node_victim
from ruid_tools.demo.hub_client import HubClient

RATE = 60.0
EACH = 2
FAULTS_WITHIN_S = 90.0
DRAINED_WITHIN_S = 60.0


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_item_takes_effect_once_whatever_the_network_does(tmp_path: Path, seed: int) -> None:
    hub_folder, node_folder, join = tmp_path / "hub", tmp_path / "node", str(tmp_path / "join")
    for folder in (hub_folder, node_folder):
        folder.mkdir()
    page_port, node_port = free_port(), free_port()
    variables = hub_variables(hub_folder, page_port=page_port, node_port=node_port, join_file=join)
    hub = hub_victim(variables, hub_folder / "log.txt")
    async with fault_proxy(node_port, drawn_fates(seed, each=EACH)) as (proxy, port):
        arguments = [str(node_folder), f"wss://127.0.0.1:{port}", join, str(RATE), str(seed)]
        node = node_victim(arguments, node_folder / "log.txt")
        try:
            hub.start()
            client = HubClient(port=page_port)
            await until(lambda: asyncio.to_thread(client.ready), within_s=60)
            node.start()
            await until(lambda: asyncio.sleep(0.05, result=not proxy.fates), within_s=FAULTS_WITHIN_S)
            node.send(signal.SIGTERM)
            assert await asyncio.to_thread(lambda: node.wait(timeout_s=DRAINED_WITHIN_S)) == 0, node.last_words
            hub.send(signal.SIGTERM)
            assert await asyncio.to_thread(lambda: hub.wait(timeout_s=20)) == 0, hub.last_words
        finally:
            end_all((node, hub))
    figures = compare(node_folder / LEDGER, hub_folder / "hub.db")
    assert is_clean(figures), figures
    assert figures["items_spooled"] > 100
    assert set(proxy.met) >= set(Fault) - {Fault.NONE}


async def until(holds: Callable[[], Awaitable[bool]], *, within_s: float) -> None:
    deadline_s = time.monotonic() + within_s
    while not await holds():
        assert time.monotonic() < deadline_s, "it took too long"
        await asyncio.sleep(0.05)
