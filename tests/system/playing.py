"""Hub and nodes as real programs, for tests that stop and start them."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from ruid_tools.demo.hub_client import HubClient, HubSilent

CLIPS = Path(__file__).parents[2] / "tools" / "src" / "ruid_tools" / "demo" / "clips"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def poll(until: Callable[[], bool], *, within_s: float, what: str) -> float:
    """Wait for a condition and return how long it took; fail with `what` when it does not come."""
    started_s = time.monotonic()
    while not until():
        if time.monotonic() - started_s > within_s:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - started_s


def shorten(clip: Path, target: Path, *, frames: int) -> Path:
    """Write the first frames of a clip to another file, at the same rate."""
    reader = cv2.VideoCapture(str(clip))
    size = (int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)), int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"MJPG"), reader.get(cv2.CAP_PROP_FPS), size)
    for _ in range(frames):
        writer.write(reader.read()[1])
    writer.release()
    return target


class Hub:
    """A hub program that can be stopped, killed and started again on the same state and ports."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.variables = variables
        self.port, self.node_port = free_port(), free_port()
        self.client = HubClient(port=self.port)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        variables = {
            "RUID_HTTP_PORT": str(self.port),
            "RUID_NODE_PORT": str(self.node_port),
            "RUID_ACCESS": "open",
            "RUID_STATE_DIR": str(self.folder),
            "RUID_JOIN_FILE": str(self.folder / "join"),
            "RUID_SUMMARY_FILE": str(self.folder / "summary.json"),
            **self.variables,
        }
        self.process = start("ruid_hub", variables, self.folder / "log.txt")
        poll(self.client.ready, within_s=120, what="the hub gets ready")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(10)

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "log.txt").read_text(encoding="utf-8")

    def cameras(self) -> dict[str, dict[str, Any]]:
        """The live picture's cameras by name; none while the hub does not answer."""
        try:
            return {camera["name"]: camera for camera in self.client.site()["cameras"]}
        except HubSilent:
            return {}

    @property
    def summary(self) -> dict[str, Any]:
        """The account that it wrote when it stopped."""
        return json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))


class Node:
    """A node program on a clip."""

    def __init__(self, folder: Path, name: str, hub: Hub, **variables: str) -> None:
        self.folder = folder / name
        self.name = name
        self.variables = {
            "RUID_NODE_NAME": name,
            "RUID_SOURCE": shlex.quote(str(CLIPS / f"{name}.mp4")),
            "RUID_HUB_URL": f"wss://127.0.0.1:{hub.node_port}",
            "RUID_JOIN_FILE": str(hub.folder / "join"),
            "RUID_STATE_DIR": str(self.folder),
            "RUID_SUMMARY_FILE": str(self.folder / "summary.json"),
            "RUID_THREADS": "1",
            **variables,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = start("ruid_edge", self.variables, self.folder / "log.txt")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(10)

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "log.txt").read_text(encoding="utf-8")

    @property
    def summary(self) -> dict[str, Any]:
        """The account that it wrote when it ended."""
        return json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))


def start(module: str, variables: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Start `python -m module` with its output in a file."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module], env={**os.environ, **variables}, stdout=output, stderr=output
        )


@contextmanager
def site(folder: Path) -> Generator[tuple[Hub, Callable[..., Node]]]:
    """A running hub and a way to start nodes; everything is gone afterwards."""
    hub = Hub(folder / "hub")
    nodes: list[Node] = []

    def add(name: str, **variables: str) -> Node:
        node = Node(folder, name, hub, **variables)
        node.start()
        nodes.append(node)
        return node

    try:
        hub.start()
        yield hub, add
    finally:
        for program in (*nodes, hub):
            if program.process is not None and program.process.poll() is None:
                program.process.kill()
                program.process.wait(10)
