"""The units for plain Linux are ones that systemd accepts, and keep the services away from what is not theirs.

No systemd runs here: what a unit does on a machine is not tried.
"""

import json
import subprocess
from pathlib import Path

import pytest

from ruid_edge.settings import load_settings as load_edge_settings
from ruid_hub.settings import load_settings as load_hub_settings
from tooling import REPOSITORY, require_tool

UNITS = REPOSITORY / "tools/src/ruid_tools/appliance/systemd"
NAMES = ("ruid-edge.service", "ruid-hub.service")
MOST_EXPOSED = 5.0
"""Of 10, as systemd reckons: above this it calls a service exposed."""


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
