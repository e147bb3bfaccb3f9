"""What hangs ends the node, with the reason on record."""

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

from ruid_edge.watchdog import EXIT_CODE, Watchdog, leave_last_words, show_life, take_last_words


async def test_a_node_that_works_is_left_alone(tmp_path: Path) -> None:
    ended: list[int] = []
    loop = asyncio.get_running_loop()
    watchdog = Watchdog(tmp_path, loop=loop, stuck_for_s=lambda: 0.0, end=ended.append, limit_s=0.2)
    watchdog.start()
    await asyncio.sleep(0.6)
    watchdog.stop()
    assert ended == []
    assert take_last_words(tmp_path) == ""


async def test_a_stuck_thread_ends_the_node(tmp_path: Path) -> None:
    ended = threading.Event()
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    loop = asyncio.get_running_loop()
    Watchdog(tmp_path, loop=loop, stuck_for_s=lambda: 11.0, end=end, limit_s=0.4).start()
    assert await asyncio.to_thread(ended.wait, 5)
    assert codes == [EXIT_CODE]
    assert take_last_words(tmp_path) == "a thread was stuck for 11 s"
    assert take_last_words(tmp_path) == ""


def test_a_wedged_loop_ends_the_process(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys, time; from pathlib import Path; from ruid_edge.watchdog import Watchdog\n"
        "async def main():\n"
        "    loop = asyncio.get_running_loop()\n"
        "    Watchdog(Path(sys.argv[1]), loop=loop, stuck_for_s=lambda: 0.0, limit_s=1.0).start()\n"
        "    await asyncio.sleep(0.3); time.sleep(60)\n"
        "asyncio.run(main())"
    )
    started_s = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, timeout=30, check=False)
    assert ended.returncode == EXIT_CODE
    assert b"event loop did not turn" in ended.stderr
    assert time.monotonic() - started_s < 10
    assert take_last_words(tmp_path).startswith("the event loop did not turn for")


def test_a_node_in_which_no_thread_gets_a_turn_ends(tmp_path: Path) -> None:
    """As an extension does that never lets go of the interpreter: the watchdog's own thread hangs as well."""
    program = (
        "import asyncio, ctypes, sys; from pathlib import Path; from ruid_edge.watchdog import Watchdog\n"
        "async def main():\n"
        "    loop = asyncio.get_running_loop()\n"
        "    Watchdog(Path(sys.argv[1]), loop=loop, stuck_for_s=lambda: 0.0, limit_s=0.8).start()\n"
        "    await asyncio.sleep(0.5); ctypes.PyDLL(None).sleep(60)\n"
        "asyncio.run(main())"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert b"Timeout" in ended.stderr


async def test_the_heartbeat_is_fresh_while_all_is_well_and_no_longer(tmp_path: Path) -> None:
    heartbeat, stuck_s, ended = tmp_path / "heartbeat", [0.0], threading.Event()
    watchdog = Watchdog(
        tmp_path,
        loop=asyncio.get_running_loop(),
        stuck_for_s=lambda: stuck_s[0],
        end=lambda code: ended.set(),
        limit_s=0.4,
        heartbeat=heartbeat,
    )
    watchdog.start()
    await asyncio.sleep(0.5)
    assert time.time() - heartbeat.stat().st_mtime < 0.4
    stuck_s[0] = 11.0
    assert await asyncio.to_thread(ended.wait, 5)
    show_life(tmp_path / "nowhere" / "heartbeat")


def test_a_folder_that_cannot_be_written_stops_no_end(tmp_path: Path) -> None:
    leave_last_words(tmp_path / "nowhere", "because")
    assert take_last_words(tmp_path / "nowhere") == ""
