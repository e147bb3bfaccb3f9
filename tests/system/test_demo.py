"""`ruid demo` as a newcomer runs it."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from system.playing import CLIPS, free_port, poll, shorten


def demo(*options: str, port: int | None = None) -> Sequence[str]:
    return [sys.executable, "-m", "ruid_tools", "demo", "--port", str(port or free_port()), *options]


def run(*options: str, port: int | None = None, timeout_s: float = 300) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(demo(*options, port=port), capture_output=True, text=True, timeout=timeout_s, check=False)


@pytest.fixture(scope="module")
def account() -> dict[str, Any]:
    ended = run("--once", "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_the_whole_recording_goes_through_and_nothing_is_lost(account: dict[str, Any]) -> None:
    assert account["cameras"] == 2
    assert account["frames"] == 2 * 795
    assert account["frames_skipped"] == 0
    assert (account["items_lost"], account["items_duplicated"]) == (0, 0)
    assert account["observations"] == account["tracklets"] > 50
    assert account["refusals"] == {}


def test_somebody_is_recognised_by_both_cameras(account: dict[str, Any]) -> None:
    assert account["identities_on_several_cameras"] >= 1
    assert account["identities"] < account["tracklets"]


def test_the_account_says_how_fast_and_with_what(account: dict[str, Any]) -> None:
    assert set(account["fps_per_camera"]) == {"West", "East"}
    assert all(fps > 1 for fps in account["fps_per_camera"].values())
    latency = account["latency_capture_to_identity_ms"]
    assert 0 < latency["p50"] <= latency["p95"]
    assert {"detect", "track", "embed", "frame", "spool"} <= set(account["stage_ms"]["West"])
    assert len(account["model_ids"]) == 2
    assert account["wall_s"] > 0


def test_without_json_it_speaks_to_people(tmp_path: Path) -> None:
    ended = run("--once", "--source", str(shorten(CLIPS / "west.mp4", tmp_path / "short.avi", frames=12)))
    assert ended.returncode == 0, ended.stderr
    assert "identities" in ended.stdout
    assert "Lost 0, duplicated 0." in ended.stdout


def test_ctrl_c_stops_everything_within_two_seconds() -> None:
    """On a terminal, as a person would: the status lines appear, Ctrl-C ends it, nothing is left behind."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        demo("--no-browser"), stdin=follower, stdout=follower, stderr=follower, text=False
    ) as process:
        os.close(follower)
        seen = read_until(leader, b"fps", within_s=40)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 3
        assert b"http://localhost:" in seen
        os.write(leader, b"\x03")
        process.send_signal(signal.SIGINT)
        started_s = time.monotonic()
        drain(leader, process, within_s=5)
        assert process.wait(5) == 0
        assert time.monotonic() - started_s < 2.5
    poll(lambda: not any(alive(child) for child in children), within_s=1, what="every program is gone")
    os.close(leader)


def test_nothing_is_left_when_the_demo_itself_is_killed() -> None:
    with subprocess.Popen(demo("--no-browser"), stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.readline()
        poll(lambda: len(psutil.Process(process.pid).children()) == 3, within_s=40, what="hub and nodes run")
        children = psutil.Process(process.pid).children()
        process.kill()
    poll(lambda: not any(alive(child) for child in children), within_s=6, what="every program is gone")


@pytest.mark.parametrize(
    ("name", "content", "said", "exit_code"),
    [
        ("nowhere.mp4", None, "there is no file", 66),
        ("empty.mp4", b"", "holds no frame that can be decoded", 66),
    ],
)
def test_a_source_that_cannot_play_is_told_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, said: str, exit_code: int
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ended = run("--once", "--source", str(tmp_path / name))
    assert ended.returncode == exit_code
    assert said in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = run("--no-browser", port=taken.getsockname()[1])
    assert ended.returncode == 69
    assert "cannot be opened" in ended.stderr
    assert "Traceback" not in ended.stderr


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def read_until(terminal: int, wanted: bytes, *, within_s: float) -> bytes:
    seen, deadline_s = b"", time.monotonic() + within_s
    while wanted not in seen:
        assert time.monotonic() < deadline_s, seen
        seen += os.read(terminal, 4096)
    return seen


def drain(terminal: int, process: "subprocess.Popen[bytes]", *, within_s: float) -> None:
    """Keep reading, or the program would wait for room on its terminal."""
    os.set_blocking(terminal, False)
    deadline_s = time.monotonic() + within_s
    while process.poll() is None and time.monotonic() < deadline_s:
        try:
            os.read(terminal, 4096)
        except OSError:
            time.sleep(0.01)
