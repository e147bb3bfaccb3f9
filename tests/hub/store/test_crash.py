"""A hub that is killed in the middle of writing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from hub_fakes import row
from ruid_hub.store import open_store

BATCH = 20
KILLS = 4

WRITER = f"""
import sys
from pathlib import Path
from hub_fakes import row
from ruid_hub.store import open_store
store = open_store(Path(sys.argv[1]))
first = store.resume_points().get("node-1", (1, 0))[1] + 1
while True:
    store.commit([row(seq, f"p{{seq % 7}}") for seq in range(first, first + {BATCH})])
    first += {BATCH}
    print(first - 1, flush=True)
"""


def commit_until_killed(database_path: Path, *, after_batches: int, wait_s: float) -> int:
    """Run a writer, kill it in the middle; the last sequence number that it said was committed."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(database_path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert writer.stdout is not None
    acknowledged = 0
    for _ in range(after_batches):
        acknowledged = int(writer.stdout.readline())
    time.sleep(wait_s)
    writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read().split()
    writer.stdout.close()
    writer.wait(10)
    return int(rest[-1]) if rest else acknowledged


def test_what_was_acknowledged_survives_kill_9_and_no_batch_is_half_there(tmp_path: Path):
    database_path = tmp_path / "hub.db"
    for kill in range(KILLS):
        # The wait moves the kill to another part of the next transaction each time.
        acknowledged = commit_until_killed(database_path, after_batches=2 + kill, wait_s=0.007 * kill)
        store = open_store(database_path)
        held = [stored.observation.seq for stored in store.observations_in_order()]
        assert held == list(range(1, len(held) + 1))
        assert len(held) >= acknowledged
        assert len(held) % BATCH == 0
        assert store.resume_points() == {"node-1": (1, held[-1])}
        assert store.counts().observations == len(held)
        again = store.commit([row(seq) for seq in held[-BATCH:]])
        assert (again.stored, again.duplicates) == (0, BATCH)
        store.close()
