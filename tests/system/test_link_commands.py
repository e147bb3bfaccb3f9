"""The link as its commands show it: kills lose nothing, and a fleet without cameras talks to a real hub."""

import json
import subprocess
import sys
from pathlib import Path

from ruid_tools.bench.kills import KillSettings, bench_kills, is_clean
from system.playing import site


def test_hub_and_node_are_killed_under_load_and_each_item_arrives_once_and_in_order(tmp_path: Path) -> None:
    figures = bench_kills(KillSettings(tmp_path, times=3, seed=3))
    assert is_clean(figures), figures
    assert figures["hub_kills"] == figures["node_kills"] == 3


def test_simulated_nodes_are_let_in_by_a_running_hub_and_everything_is_acknowledged(tmp_path: Path) -> None:
    with site(tmp_path) as (hub, _):
        options = ["--nodes", "3", "--people", "60", "--hours", "0.2", "--seconds", "4", "--speed", "20", "--json"]
        where = ["--hub", f"wss://127.0.0.1:{hub.node_port}", "--join-file", str(hub.folder / "join")]
        ended = subprocess.run(
            [sys.executable, "-m", "ruid_tools", "fleet", "simulate", *where, *options],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert set(hub.cameras()) == {"simulated-1", "simulated-2", "simulated-3"}
        assert hub.stop() == 0
        figures = json.loads(ended.stdout)
        assert hub.summary["observations"] == figures["items_acked"] == figures["items_spooled"] > 10
        assert figures["items_waiting"] == 0
