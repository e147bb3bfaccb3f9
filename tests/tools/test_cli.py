"""The list of commands."""

import contextlib
import subprocess
import sys

import pytest

from ruid_tools import cli
from ruid_tools.errors import ToolError

COMMANDS = [
    "demo",
    "edge",
    "hub",
    "hub backup",
    "hub restore",
    "hub setup-code",
    "bench hub",
    "hub nodes list",
    "hub nodes approve",
    "hub nodes reject",
    "hub nodes rename",
    "hub nodes revoke",
    "hub nodes replace",
    "test",
    "lock",
    "footage",
    "eval identity",
    "eval track",
    "eval detector",
    "eval reid",
    "eval quality",
    "eval crossings",
    "bench edge",
    "bench link",
    "bench kills",
    "bench identity",
    "bench runtimes",
    "models add",
    "models list",
    "appliance doctor",
    "appliance flash",
    "appliance push",
    "appliance preload",
    "appliance push-local",
    "fleet simulate",
    "fuzz link",
    "models verify",
    "models build detector",
    "models build reid",
    "train reid",
    "train detector",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_say_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        cli.app([*command.split(), "--help"])
    usage, _, help_text = capsys.readouterr().out.partition("\n")
    assert f"ruid {command}" in usage
    assert len(help_text.strip()) > 20


def test_a_command_that_does_not_exist_is_told_without_a_traceback() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "ruid_tools", "dance"], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode != 0
    assert "dance" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_the_user_can_mend_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(ToolError):
        exit_code = 66

    def fail(**options: object) -> None:
        raise Broken("there is no such clip: check its path")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 66
    assert capsys.readouterr().err == "ruid: there is no such clip: check its path\n"


def test_a_command_that_returns_a_number_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def three(**options: object) -> int:
        return 3

    monkeypatch.setattr(cli, "app", three)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 3
