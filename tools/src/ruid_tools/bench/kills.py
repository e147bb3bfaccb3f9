"""Hub and node are killed by turns, at random moments and under load: what is lost, what counts twice?

The hub is the whole program with the identity engine, a file database and its pages; the node is the real spool,
adoption and uplink over TLS, fed with tracklets of a synthetic world and with crossings. The node keeps a ledger of
what its spool took; in the end the ledger and the hub's database are compared, item by item.
"""

import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ruid_tools.bench.kills_node import LEDGER, UPS
from ruid_tools.bench.kills_victims import Victim, end_all, hub_victim, node_victim
from ruid_tools.demo.hub_client import HubClient
from ruid_tools.errors import ToolError

_READY_WITHIN_S = 60.0
_WELCOME_WITHIN_S = 90.0
_DRAINED_WITHIN_S = 180.0
_POLL_S = 0.02
_LONGEST_PAUSE_S = 0.5
_IMPATIENT = 0.25

Row = tuple[int, int, int]
"""Boot epoch, sequence number and the item's own number."""


class KillsFailed(ToolError):
    """The run could not be brought to its end."""


@dataclass(frozen=True, slots=True)
class KillSettings:
    """`times` kills of each side; the same seed draws the same moments. A quarter of the kills hit a start."""

    folder: Path
    times: int = 100
    items_per_s: float = 40.0
    seed: int = 0


@dataclass(slots=True)
class _Site:
    """A hub and a node, and how long it took until they talked again after each side's kills."""

    hub: Victim
    node: Victim
    client: HubClient
    ups: Path
    killed_s: float = 0.0
    again_s: dict[str, list[float]] = field(default_factory=lambda: {"hub": [], "node": []})

    def start(self) -> None:
        """Start both and wait until they talk."""
        started_s = time.monotonic()
        self.hub.start()
        _wait(self.client.ready, self.hub, within_s=_READY_WITHIN_S, what="the hub gets ready")
        self.node.start()
        self.welcomed_after(started_s)

    def welcomed_after(self, since_s: float) -> float:
        """Wait until the hub has welcomed the node after a moment; return when that was (monotonic)."""
        _wait(lambda: self._welcome_since(since_s), self.node, within_s=_WELCOME_WITHIN_S, what="the node is welcome")
        return self._last_up_s()

    def _welcome_since(self, since_s: float) -> bool:
        for name, victim in (("hub", self.hub), ("node", self.node)):
            if victim.exit_code is not None:
                raise KillsFailed(f"the {name} ended by itself ({victim.exit_code}): {victim.last_words}")
        return self._last_up_s() > since_s

    def _last_up_s(self) -> float:
        lines = self.ups.read_text(encoding="ascii").split() if self.ups.exists() else []
        return float(lines[-1]) if lines else 0.0


def bench_kills(settings: KillSettings) -> dict[str, Any]:
    """Run it all and return the figures as plain values."""
    draw = np.random.default_rng(settings.seed)
    started_s = time.monotonic()
    with _site(settings) as site:
        site.start()
        for _ in range(settings.times):
            for name, victim in (("hub", site.hub), ("node", site.node)):
                _kill(site, name, victim, draw)
        _drain(site)
    figures = compare(settings.folder / "node" / LEDGER, settings.folder / "hub" / "hub.db")
    return {
        "hub_kills": settings.times,
        "node_kills": settings.times,
        "asked_items_per_s": settings.items_per_s,
        **figures,
        "again_after_hub_kill_s": _percentiles(site.again_s["hub"]),
        "again_after_node_kill_s": _percentiles(site.again_s["node"]),
        "seconds": round(time.monotonic() - started_s, 1),
    }


def is_clean(figures: dict[str, Any]) -> bool:
    """Whether nothing was lost, nothing counted twice, and all came in order."""
    faults = ("items_lost", "items_duplicated", "items_out_of_order", "items_dropped")
    return figures["items_spooled"] > 0 and not any(figures[fault] for fault in faults)


def compare(ledger: Path, database: Path) -> dict[str, int]:
    """Compare what the node's spool took with what the hub's database holds.

    What was spooled but not noted, because the kill came in between, must be there at most once all the same.
    """
    spooled = _ledger_rows(ledger)
    tables = _database_rows(database)
    stored = [row for rows in tables.values() for row in rows]
    numbers = {row[2] for row in stored}
    return {
        "items_spooled": len(spooled),
        "items_stored": len(stored),
        "items_stored_unnoted": len(set(stored) - set(spooled)),
        "items_lost": len(set(spooled) - set(stored)),
        "items_duplicated": len(stored) - len(numbers),
        "items_out_of_order": sum(
            before[:2] >= after[:2] for rows in tables.values() for before, after in pairwise(rows)
        ),
        "items_dropped": _count(database, "drops"),
    }


def _ledger_rows(ledger: Path) -> list[Row]:
    rows: list[Row] = []
    for line in ledger.read_text(encoding="ascii").splitlines():
        boot_epoch, seq, serial, _ = line.split()
        rows.append((int(boot_epoch), int(seq), int(serial)))
    return rows


def _database_rows(database: Path) -> dict[str, list[Row]]:
    """The items by table in the order in which they were committed, read past the hub's own code: a second witness."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return {
            table: connection.execute(f"SELECT boot_epoch, seq, track_id FROM {table} ORDER BY {key}").fetchall()  # noqa: S608
            for table, key in (("observations", "observation_id"), ("crossings", "crossing_id"))
        }


def _count(database: Path, table: str) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own name


def _kill(site: _Site, name: str, victim: Victim, draw: np.random.Generator) -> None:
    """Kill one side at a random moment and start it again; mostly, wait until they talk."""
    time.sleep(draw.uniform(0.0, _LONGEST_PAUSE_S))
    if victim.exit_code is not None:
        raise KillsFailed(f"the {name} ended by itself: {victim.last_words}")
    killed_s = site.killed_s = time.monotonic()
    victim.send(signal.SIGKILL)
    victim.wait(timeout_s=10)
    victim.start()
    if draw.random() >= _IMPATIENT:
        site.again_s[name].append(site.welcomed_after(killed_s) - killed_s)


def _drain(site: _Site) -> None:
    """Let the node send all that it has, then end both; one that is just starting does not hear of its end."""
    site.welcomed_after(site.killed_s)
    site.node.send(signal.SIGTERM)
    if site.node.wait(timeout_s=_DRAINED_WITHIN_S) != 0:
        raise KillsFailed(f"the node did not get rid of what it had: {site.node.last_words}")
    site.hub.send(signal.SIGTERM)
    site.hub.wait(timeout_s=20)


@contextmanager
def _site(settings: KillSettings) -> Generator[_Site]:
    hub_folder, node_folder = settings.folder / "hub", settings.folder / "node"
    for folder in (hub_folder, node_folder):
        folder.mkdir(parents=True)
    page_port, node_port, join = free_port(), free_port(), str(settings.folder / "join")
    variables = hub_variables(hub_folder, page_port=page_port, node_port=node_port, join_file=join)
    hub = hub_victim(variables, hub_folder / "log.txt")
    arguments = [str(node_folder), f"wss://127.0.0.1:{node_port}", join, str(settings.items_per_s), str(settings.seed)]
    node = node_victim(arguments, node_folder / "log.txt")
    try:
        yield _Site(hub, node, HubClient(port=page_port), node_folder / UPS)
    finally:
        end_all((node, hub))


def _wait(holds: Callable[[], bool], victim: Victim, *, within_s: float, what: str) -> None:
    deadline_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline_s:
            raise KillsFailed(f"not within {within_s:.0f} s: {what}; it said: {victim.last_words}")
        time.sleep(_POLL_S)


def _percentiles(times_s: list[float]) -> dict[str, float]:
    if not times_s:
        return {}
    shares = {f"p{share}": round(float(np.percentile(times_s, share)), 2) for share in (50, 99)}
    return {**shares, "longest": round(max(times_s), 2), "timed": len(times_s)}


def hub_variables(folder: Path, *, page_port: int, node_port: int, join_file: str) -> dict[str, str]:
    """The environment of a hub that lets in whoever shares the file."""
    return {
        "RUID_HTTP_PORT": str(page_port),
        "RUID_NODE_PORT": str(node_port),
        "RUID_ACCESS": "open",
        "RUID_STATE_DIR": str(folder),
        "RUID_JOIN_FILE": join_file,
    }


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
