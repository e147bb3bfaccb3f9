"""`ruid appliance`: what it would run, and that balena's real program takes those words.

The real program is asked for its help alone: what needs a login, a device or a card is not tried here.
"""

import re
import subprocess
from functools import cache

import pytest

from ruid_tools.appliance import plans
from ruid_tools.appliance.command import flash, push
from ruid_tools.errors import ToolError
from tooling import REPOSITORY, require_file, require_tool

CARD = plans.Card(
    fleet="acme/doors",
    device_type="raspberrypi5",
    uuid="f" * 32,
    image="pi.img",
    drive="/dev/sdb",
    name="Front Door",
    role="hub",
    wifi_ssid="guests",
    wifi_key="a secret",
)
PLANS = {
    "flash": plans.flash(CARD),
    "flash by cable": plans.flash(
        plans.Card(fleet="acme/doors", device_type="raspberrypi3-64", uuid="0" * 32, image="p.img", drive="/dev/sdb")
    ),
    "push": plans.push("acme/doors"),
    "try on": plans.try_on(("a" * 32,), "abc123"),
    "finalise": plans.finalise("abc123", ("a" * 32,)),
    "preload": plans.preload("pi.img", fleet="acme/doors"),
    "push local": plans.push_local("192.0.2.7"),
}


@cache
def help_of(*command: str) -> str:
    """What the real program says of a command; a topic without a page of its own lists others, and names no usage."""
    node = require_tool("node")
    program = REPOSITORY / "tools/balena/node_modules/balena-cli/bin/run.js"
    require_file(program, hint="run `npm ci` in tools/balena")
    done = subprocess.run([node, program, *command, "--help"], capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize("name", PLANS)
def test_balena_s_real_program_knows_every_command_and_option(name: str) -> None:
    for step in PLANS[name]:
        command = step.words[:1] if step.words[0] in {"push", "preload"} else step.words[:2]
        page = help_of(*command)
        assert f"$ balena {' '.join(command)}" in page, step
        for option in (word for word in step.words if word.startswith("--")):
            assert re.search(rf"{option}\b", page), (step, option)


def test_a_card_is_configured_before_it_is_written() -> None:
    said = [str(step) for step in PLANS["flash"]]
    assert said == [
        "balena os download raspberrypi5 --output pi.img",
        f"balena device register acme/doors --uuid {'f' * 32} --deviceType raspberrypi5",
        f"balena device rename {'f' * 32} 'Front Door'",
        f"balena env set RUID_ROLE hub --device {'f' * 32}",
        f"balena os configure pi.img --device {'f' * 32} --config-network wifi"
        " --config-wifi-ssid guests --config-wifi-key ***",
        "balena config write hostname front-door --drive pi.img",
        "balena local flash pi.img --drive /dev/sdb --yes",
    ]


def test_without_a_network_s_name_the_device_expects_a_cable() -> None:
    said = " ".join(map(str, PLANS["flash by cable"]))
    assert "--config-network ethernet" in said
    assert "RUID_ROLE" not in said


@pytest.mark.parametrize(("name", "host"), [("Front Door", "front-door"), ("Büro 2", "b-ro-2"), ("…", "ruid")])
def test_a_host_name_is_made_of_what_hosts_may_have(name: str, host: str) -> None:
    assert plans.host_name(name) == host


def test_a_dry_run_shows_the_commands_and_keeps_the_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUID_WIFI_KEY", "a secret")
    flash("/dev/sdb", fleet="acme/doors", wifi_ssid="guests", dry_run=True)
    said = capsys.readouterr().out
    assert "$ balena local flash raspberrypi5.img --drive /dev/sdb --yes" in said
    assert "a secret" not in said


def test_a_network_without_its_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUID_WIFI_KEY", raising=False)
    with pytest.raises(ToolError, match="RUID_WIFI_KEY"):
        flash("/dev/sdb", fleet="acme/doors", wifi_ssid="guests", dry_run=True)


def test_only_a_named_draft_can_be_tried_or_finalised(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ToolError, match="--release COMMIT"):
        push("acme/doors", canary=("a" * 32,), dry_run=True)
    push("acme/doors", release="abc123", canary=("a" * 32,), dry_run=True)
    assert capsys.readouterr().out == f"$ balena device pin {'a' * 32} abc123\n"
