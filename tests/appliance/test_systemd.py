"""The units for plain Linux: systemd accepts them, and runs both services as they say.

The machine is a container with a systemd of its own: no device, and no limit of memory, which its control group lacks.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance.engine import build, run, until
from ruid_edge.settings import load_settings as load_edge_settings
from ruid_hub.settings import load_settings as load_hub_settings
from tooling import REPOSITORY, require_tool

UNITS = REPOSITORY / "tools/src/ruid_tools/appliance/systemd"
NAMES = ("ruid-edge.service", "ruid-hub.service")
MOST_EXPOSED = 5.0
"""Of 10, as systemd reckons: above this it calls a service exposed."""
MACHINE = Path(__file__).with_name("systemd_machine")
IMAGE = "ruid-systemd:test"
CONTAINER = "ruid-systemd-test"
STOP_S = 10.0
# What systemd itself needs beside a container's usual rights; the services get none of them.
RIGHTS = (
    *("--cap-add", "SYS_ADMIN", "--cgroupns", "private", "--tmpfs", "/run", "--tmpfs", "/run/lock"),
    *(word for kind in ("seccomp", "apparmor", "systempaths") for word in ("--security-opt", f"{kind}=unconfined")),
)
STORED = """
import json, sqlite3
db = sqlite3.connect("file:/var/lib/ruid-hub/hub.db?mode=ro", uri=True)
print(json.dumps(db.execute("SELECT count(*), count(DISTINCT boot_epoch) FROM observations").fetchone()))
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they would lie on a machine, with the program where they look for it."""
    program = tmp_path / "opt/ruid/ruid"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    for name in NAMES:
        text = (UNITS / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/ruid/ruid", str(program)), encoding="utf-8")
    return tmp_path


def analyse(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = require_tool("systemd-analyze")
    return subprocess.run([program, *arguments], capture_output=True, encoding="utf-8", check=False, timeout=60)


@pytest.mark.parametrize("name", NAMES)
def test_systemd_finds_nothing_wrong_with_a_unit(installed: Path, name: str) -> None:
    said = analyse("verify", "--man=no", "--recursive-errors=no", str(installed / name))
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_does_not_leave_its_service_exposed(installed: Path, name: str) -> None:
    threshold = str(int(10 * MOST_EXPOSED))
    said = analyse("security", "--offline=yes", f"--threshold={threshold}", "--json=short", str(installed / name))
    open_doors = [item["json_field"] for item in json.loads(said.stdout) if item.get("exposure") and not item["set"]]
    assert said.returncode == 0, f"{said.stderr} {open_doors}"


def test_the_variables_in_the_units_are_settings() -> None:
    edge, hub = (environment(name) for name in NAMES)
    assert load_edge_settings(edge).state_dir == "/var/lib/ruid-edge"
    assert load_hub_settings(hub).bind == "0.0.0.0"  # noqa: S104 - what the unit says


def environment(name: str) -> dict[str, str]:
    lines = (UNITS / name).read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("Environment="))
    return dict(word.split("=", 1) for word in line.removeprefix("Environment=").split())


# ── a machine with systemd ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Machine:
    """A container in which systemd is the first process."""

    name: str

    def inside(self, *command: str, check: bool = True) -> str:
        return run("docker", "exec", self.name, *command, check=check)

    def unit(self, name: str, *properties: str) -> dict[str, str]:
        """What systemd says of a service."""
        said = self.inside("systemctl", "show", name, f"--property={','.join(properties)}")
        return dict(line.split("=", 1) for line in said.splitlines())

    def main_process(self, name: str) -> str:
        return self.unit(name, "MainPID")["MainPID"]

    def may_write(self, process: str, folder: str) -> bool:
        """Whether the service's user may, as the service sees the machine's files."""
        command = ("touch", f"/proc/{process}/root{folder}/written")
        done = subprocess.run(
            ["docker", "exec", "--user", "ruid", self.name, *command], check=False, capture_output=True, timeout=60
        )
        return done.returncode == 0

    def stored(self) -> tuple[int, int]:
        """How many observations the hub's database holds, and of how many starts of the node."""
        said = self.inside("/opt/ruid/venv/bin/python", "-c", STORED, check=False)
        observations, boots = json.loads(said) if said.startswith("[") else (0, 0)
        return observations, boots

    def logs(self) -> str:
        return self.inside("journalctl", "--no-pager", "--lines=60", check=False)

    def stores_more(self) -> None:
        """The node sees people, the hub takes them: both work."""
        before, _ = self.stored()
        until(lambda: self.stored()[0] > before, within_s=120, what="the hub stores observations", logs=self.logs)


@pytest.fixture(scope="module")
def machine(images: None, tmp_path_factory: pytest.TempPathFactory) -> Generator[Machine]:
    """A machine that has started both services by itself."""
    context = tmp_path_factory.mktemp("machine") / "context"
    shutil.copytree(MACHINE, context)
    for name in NAMES:
        shutil.copy(UNITS / name, context)
    build(IMAGE, str(context / "Dockerfile"), context=context)
    machine = Machine(CONTAINER)
    run("docker", "rm", "--force", CONTAINER, check=False)
    run("docker", "run", "--detach", "--name", CONTAINER, *RIGHTS, IMAGE)
    try:
        machine.stores_more()
        yield machine
    finally:
        run("docker", "rm", "--force", "--volumes", CONTAINER)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_under_systemd_has_no_rights(machine: Machine, name: str) -> None:
    process = machine.main_process(name)
    status: dict[str, Any] = dict(
        line.split(":\t", 1) for line in machine.inside("cat", f"/proc/{process}/status").splitlines() if ":\t" in line
    )
    assert status["Uid"].split()[0] == machine.inside("id", "-u", "ruid").strip()
    assert {int(status[kind], 16) for kind in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    own = f"/var/lib/{name.removesuffix('.service')}"
    (others,) = {"/var/lib/ruid-edge", "/var/lib/ruid-hub"} - {own}
    assert [machine.may_write(process, folder) for folder in (own, others, "/opt/ruid", "/home")] == [
        True,
        *[False] * 3,
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_service_that_is_killed_comes_back_under_systemd(machine: Machine, name: str) -> None:
    process, (_, boots) = machine.main_process(name), machine.stored()
    machine.inside("systemctl", "kill", "--signal=KILL", "--kill-whom=main", name)
    until(
        lambda: machine.main_process(name) not in {process, "0"}, within_s=30, what="it starts again", logs=machine.logs
    )
    assert machine.unit(name, "NRestarts")["NRestarts"] == "1"
    machine.stores_more()
    if name == "ruid-edge.service":
        until(lambda: machine.stored()[1] > boots, within_s=60, what="the new start's items", logs=machine.logs)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_stops_in_time_under_systemd(machine: Machine, name: str) -> None:
    """By itself: systemd would kill it at its limit and call that a failure."""
    started_s = time.monotonic()
    machine.inside("systemctl", "stop", name)
    assert time.monotonic() - started_s < STOP_S
    ended = machine.unit(name, "ActiveState", "Result", "ExecMainStatus")
    assert ended == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
