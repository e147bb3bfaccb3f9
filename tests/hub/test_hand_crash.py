"""A hub that is killed while operators correct it goes on with the same people and holds to what was said."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from hub.test_hand import Running, picture
from ruid_hub.identities import RuidClusterer, build_engine
from ruid_hub.store import open_store
from ruid_hub.store.hand import recent_operations

KILLS = 3

CORRECTOR = """
import asyncio, json, sys
from pathlib import Path
import numpy as np
from hub.test_hand import Running, picture, track
from ruid_hub.hand import HandError
from ruid_hub.store import open_store

async def main():
    store = open_store(Path(sys.argv[1]))
    hub = await Running(store).start()
    if not store.counts().observations:
        for seq in range(24):
            await hub.see(seq % 12, track_id=seq, seq=seq + 1, at_s=100.0 * seq)
    generator = np.random.default_rng(int(sys.argv[2]))
    while True:
        one, other = (int(number) for number in generator.integers(24, size=2))
        here, there = hub.owner(one), hub.owner(other)
        undoable = [one.operation_id for one in await hub.hand.operations() if one.undoable] or [0]
        attempts = (
            lambda: hub.hand.rename(here, f"name {other}", "olga"),
            lambda: hub.hand.merge(here, there, "olga"),
            lambda: hub.hand.split(here, [track(one)], "olga"),
            lambda: hub.hand.not_this_person(track(one), there, "olga"),
            lambda: hub.hand.move(track(one), there, "olga"),
            lambda: hub.hand.undo(undoable[0], "olga"),
        )
        try:
            await attempts[int(generator.integers(len(attempts)))]()
        except HandError:
            continue
        print(json.dumps(picture(hub)), flush=True)

asyncio.run(main())
"""


def _correct_until_killed(database_path: Path, *, seed: int, after: int) -> dict[str, Any]:
    """Run a corrector and kill it; the last picture that it showed."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    arguments = [sys.executable, "-c", CORRECTOR, str(database_path), str(seed)]
    corrector = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment)
    assert corrector.stdout is not None
    shown = [corrector.stdout.readline() for _ in range(after)]
    time.sleep(0.01 * seed)
    corrector.send_signal(signal.SIGKILL)
    shown += [line for line in corrector.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    corrector.stdout.close()
    corrector.wait(10)
    return json.loads(shown[-1])


async def test_what_operators_said_survives_kill_9(tmp_path: Path) -> None:
    database_path = tmp_path / "hub.db"
    for seed in range(KILLS):
        shown = _correct_until_killed(database_path, seed=seed, after=6)
        store = open_store(database_path)
        engine = build_engine("ruid", next_identity_id=lambda: "nobody else")
        assert isinstance(engine, RuidClusterer)
        hub = await Running(store, engine).start()
        held = picture(hub)
        with store.reading() as connection:
            last = recent_operations(connection, limit=1, before=None)[0]
        # An operation may have been committed in the very moment before it could be shown.
        differing = {key for key, owner in held["owners"].items() if shown["owners"][key] != owner}
        assert differing <= _tracks_of(last.correction or "{}")
        assert {track: engine.identity_of(track) for track in held["owners"]} == held["owners"]
        for _, statement in engine.tracklets.hand.statements():
            left, right = ({held["owners"][track] for track in names} for names in (statement.left, statement.right))
            assert len(left) == 1 or statement.right
            assert not left & right
        await hub.close()
        store.close()


def _tracks_of(correction: str) -> set[str]:
    return {one["track"] for one in json.loads(correction).get("moved", ())}
