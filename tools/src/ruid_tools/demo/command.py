"""The command: sets the stage, plays, and cleans up."""

import json
import shlex
import signal
import socket
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from ruid_tools.demo.hub_client import HubClient, HubSilent
from ruid_tools.demo.processes import Program, stop_all
from ruid_tools.demo.status import status_lines, status_text
from ruid_tools.demo.summary import add_up
from ruid_tools.errors import ToolError

_CLIPS = Path(__file__).parent / "clips"
_READY_WITHIN_S = 120.0
_RESTART_AFTER_S = 1.0
_STARTS = 5
_NO_USE_IN_TRYING_AGAIN = {66, 78}
_PLAIN_STATUS_EVERY_S = 10.0
_CLIP_HEADROOM_S = 3600.0


class DemoError(ToolError):
    """The demo cannot go on; `exit_code` is that of the program which ended it."""

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class _Interrupted(Exception):
    """Somebody wants the demo to stop."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The programs of a demo and where they leave their accounts."""

    folder: Path
    hub: Program
    nodes: tuple[Program, ...]
    client: HubClient

    @property
    def programs(self) -> tuple[Program, ...]:
        """Nodes before the hub: the order in which to stop them."""
        return (*self.nodes, self.hub)

    def account(self, program: Program) -> dict[str, Any]:
        """Return what a program said of itself when it ended."""
        return json.loads((self.folder / program.name / "summary.json").read_text(encoding="utf-8"))


def demo(
    *,
    once: bool = False,
    json: bool = False,
    port: int = 8080,
    browser: bool = True,
    source: list[str] | None = None,
) -> int:
    """Show the whole product on bundled footage: a hub and two camera nodes, in your browser.

    Parameters
    ----------
    once
        Play the clips once as fast as possible, wait until the hub has everything, and print what happened.
    json
        Print one JSON document at the end instead of text.
    port
        Where the pages appear.
    browser
        Open the live page in a browser.
    source
        Your own clips or cameras instead of the bundled footage; once per camera.
    """
    console = Console(stderr=True)
    names = _named_sources(source)
    with _interruptible(), tempfile.TemporaryDirectory(prefix="ruid-demo-") as folder:
        stage = _set_stage(Path(folder), names, port=port, once=once)
        try:
            return _play(stage, console, once=once, as_json=json, browser=browser)
        except _Interrupted:
            console.print("Stopping…")
            return 0
        finally:
            stop_all(stage.programs)


def _named_sources(source: Sequence[str] | None) -> dict[str, str]:
    if not source:
        return {"West": str(_CLIPS / "west.mp4"), "East": str(_CLIPS / "east.mp4")}
    return {f"Camera {number}": text for number, text in enumerate(source, start=1)}


def _set_stage(folder: Path, sources: dict[str, str], *, port: int, once: bool) -> Stage:
    node_port = _free_port()
    hub = _program(
        folder,
        "hub",
        "ruid_hub",
        {
            "RUID_HTTP_PORT": str(port),
            "RUID_NODE_PORT": str(node_port),
            "RUID_SITE_NAME": "RuID demo",
            "RUID_JOIN_FILE": str(folder / "join"),
            # Nobody signs in to a demo; such a hub answers to this machine alone.
            "RUID_ACCESS": "open",
        },
    )
    # Both clips show the same scene: they share its time, safely in the past however fast they play.
    start_at_s = time.time() - (_CLIP_HEADROOM_S if once else 0.0)
    nodes = [
        _program(
            folder,
            f"node{number}",
            "ruid_edge",
            {
                "RUID_SOURCE": shlex.quote(source),
                "RUID_NODE_NAME": name,
                "RUID_HUB_URL": f"wss://127.0.0.1:{node_port}",
                "RUID_JOIN_FILE": str(folder / "join"),
                "RUID_PACE": "fast" if once else "real",
                "RUID_LOOP": "false" if once else "true",
                "RUID_THREADS": "1",
                **({"RUID_START_AT_S": f"{start_at_s:.3f}"} if once else {}),
            },
        )
        for number, (name, source) in enumerate(sources.items(), start=1)
    ]
    return Stage(folder, hub, tuple(nodes), HubClient(port=port))


def _program(folder: Path, name: str, module: str, environment: dict[str, str]) -> Program:
    own = folder / name
    own.mkdir()
    places = {"RUID_STATE_DIR": str(own), "RUID_SUMMARY_FILE": str(own / "summary.json")}
    return Program(name, ["-m", module], {**environment, **places}, own / "log.txt")


def _play(stage: Stage, console: Console, *, once: bool, as_json: bool, browser: bool) -> int:
    started_s = time.monotonic()
    stage.hub.start()
    _wait_for_hub(stage)
    for node in stage.nodes:
        node.start()
    if not once:
        console.print(f"The live page is at [link={stage.client.url}]{stage.client.url}[/link]; Ctrl-C stops the demo.")
        if browser:
            webbrowser.open(stage.client.url)
    with _shown(stage, console, quiet=as_json) as show:
        _watch(stage, show, once=once)
    if once:
        _tell(_account(stage, wall_s=time.monotonic() - started_s), as_json=as_json)
    return 0


def _wait_for_hub(stage: Stage) -> None:
    deadline_s = time.monotonic() + _READY_WITHIN_S
    while not stage.client.ready():
        if stage.hub.exit_code is not None:
            raise DemoError(stage.hub.last_words, stage.hub.exit_code)
        if time.monotonic() > deadline_s:
            raise DemoError(f"the hub did not get ready in {_READY_WITHIN_S:.0f} s: {stage.hub.last_words}")
        time.sleep(0.05)


def _watch(stage: Stage, show: Callable[[], None], *, once: bool) -> None:
    """Show what happens until everything is played; outside `once`, bring back what has ended."""
    ended_s: dict[str, float] = {}
    while True:
        show()
        for program in stage.programs:
            if program.exit_code is not None:
                _deal_with_end(stage, program, ended_s, once=once)
        if once and all(node.exit_code is not None for node in stage.nodes):
            break
        time.sleep(0.25)
    stage.hub.ask_to_stop()
    stage.hub.wait(timeout_s=10)


def _deal_with_end(stage: Stage, program: Program, ended_s: dict[str, float], *, once: bool) -> None:
    hopeless = program.exit_code in _NO_USE_IN_TRYING_AGAIN or (once and program.exit_code != 0)
    if hopeless and (once or all(node.exit_code in _NO_USE_IN_TRYING_AGAIN for node in stage.nodes)):
        raise DemoError(program.last_words, program.exit_code or 1)
    if once or hopeless:
        return
    if program.starts > _STARTS:
        raise DemoError(f"{program.name} ended {_STARTS} times, at last with: {program.last_words}", 70)
    since_s = time.monotonic() - ended_s.setdefault(program.name, time.monotonic())
    if since_s >= _RESTART_AFTER_S:
        del ended_s[program.name]
        program.start()


@contextmanager
def _shown(stage: Stage, console: Console, *, quiet: bool) -> Generator[Callable[[], None]]:
    """Yield what shows the state: living lines on a terminal, a line now and then elsewhere, nothing if quiet."""
    if quiet:
        yield lambda: None
    elif console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            yield lambda: _show_live(stage, live)
    else:
        told_s = [time.monotonic() - _PLAIN_STATUS_EVERY_S + 2.0]
        yield lambda: _show_plain(stage, console, told_s)


def _show_live(stage: Stage, live: Live) -> None:
    try:
        live.update(status_lines(stage.client.site(), url=stage.client.url, troubles=_troubles(stage)))
    except HubSilent:
        live.update("the hub does not answer")


def _troubles(stage: Stage) -> list[str]:
    return [f"{program.name} ended: {program.last_words}" for program in stage.programs if program.exit_code]


def _show_plain(stage: Stage, console: Console, told_s: list[float]) -> None:
    if time.monotonic() - told_s[0] < _PLAIN_STATUS_EVERY_S:
        return
    told_s[0] = time.monotonic()
    try:
        console.print(status_text(stage.client.site(), troubles=_troubles(stage)), soft_wrap=True, highlight=False)
    except HubSilent:
        console.print("the hub does not answer")


def _account(stage: Stage, *, wall_s: float) -> dict[str, Any]:
    return add_up(stage.account(stage.hub), [stage.account(node) for node in stage.nodes], wall_s=wall_s)


def _tell(account: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(account) + "\n")
        return
    latency = account["latency_capture_to_identity_ms"]
    Console().print(
        f"{account['frames']} frames of {account['cameras']} cameras in {account['wall_s']} s: "
        f"{account['detections']} detections, {account['tracklets']} tracklets, "
        f"{account['identities']} identities ({account['identities_on_several_cameras']} seen by several cameras).\n"
        f"Frame to identity: {latency['p50']:.0f} ms in the median, {latency['p95']:.0f} ms at the 95th percentile. "
        f"Lost {account['items_lost']}, duplicated {account['items_duplicated']}.",
        soft_wrap=True,
    )


@contextmanager
def _interruptible() -> Generator[None]:
    """Turn SIGINT and SIGTERM into one exception; while cleaning up, further ones are ignored."""

    def interrupt(number: int, frame: object) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise _Interrupted

    former = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
