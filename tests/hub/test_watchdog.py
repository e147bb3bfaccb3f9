"""A hub that hangs ends, so that its container starts anew."""

import asyncio
import subprocess
import sys

import pytest

from ruid_hub.watchdog import EXIT_CODE, watched

PROGRAM = """
import asyncio, ctypes, time
from ruid_hub.watchdog import watched
async def main():
    async with watched(limit_s=0.8):
        await asyncio.sleep(0.5)
        {hang}
asyncio.run(main())
"""


async def test_a_hub_that_works_is_left_alone() -> None:
    ended: list[int] = []
    async with watched(limit_s=0.2, end=ended.append) as thread:
        await asyncio.sleep(0.6)
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()
    assert ended == []


@pytest.mark.parametrize(
    ("hang", "exit_code", "said"),
    [
        ("time.sleep(60)", EXIT_CODE, b"the event loop did not turn"),
        ("ctypes.PyDLL(None).sleep(60)", 1, b"Timeout"),
    ],
    ids=["the event loop", "the whole interpreter"],
)
def test_what_hangs_ends_the_process(hang: str, exit_code: int, said: bytes) -> None:
    """The second does not let go of the interpreter, so that no thread of Python's gets a turn."""
    program = PROGRAM.format(hang=hang)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30, check=False)
    assert ended.returncode == exit_code
    assert said in ended.stderr
