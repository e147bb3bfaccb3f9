"""`ruid appliance`: what it would run, and that balena's real program takes those words.

The real program is asked for its help and its tables alone: what needs a login, a device or a card is not tried here.
Where its answers matter, a stand-in gives those that the real one's source has it print.
"""

import json
import re
import subprocess
from collections.abc import Callable
from configparser import ConfigParser
from functools import cache
from pathlib import Path

import pytest

from ruid_tools.appliance import command, plans
from ruid_tools.appliance.command import doctor, flash, preload, push, push_local
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
    wifi_profile="guests.wifi",
)
PLANS = {
    "flash": plans.flash(CARD),
    "flash by cable": plans.flash(
        plans.Card(fleet="acme/doors", device_type="raspberrypi3-64", uuid="0" * 32, image="p.img", drive="/dev/sdb")
    ),
    "push": plans.push("acme/doors"),
    "try on": plans.try_on(("a" * 32,), "abc123"),
    "finalise": plans.finalise("abc123", ("a" * 32,)),
    "canaries": (plans.devices_of("acme/doors"), plans.tags_of("a" * 32)),
    "preload": plans.preload("pi.img", fleet="acme/doors"),
    "push local": plans.push_local("192.0.2.7"),
}


@cache
def help_of(*topic: str) -> str:
    """What the real program says of a command; a topic without a page of its own lists others, and names no usage."""
    node = require_tool("node")
    program = REPOSITORY / "tools/balena/node_modules/balena-cli/bin/run.js"
    require_file(program, hint="run `npm ci` in tools/balena")
    done = subprocess.run([node, program, *topic, "--help"], capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize("name", PLANS)
def test_balena_s_real_program_knows_every_command_and_option(name: str) -> None:
    for step in PLANS[name]:
        topic = step.words[:1] if step.words[0] in {"push", "preload"} else step.words[:2]
        page = help_of(*topic)
        assert f"$ balena {' '.join(topic)}" in page, step
        for option in (word for word in step.words if word.startswith("--")):
            assert re.search(rf"{option}\b", page), (step, option)


def test_a_card_is_configured_before_it_is_written() -> None:
    said = [str(step) for step in PLANS["flash"]]
    assert said == [
        "balena os download raspberrypi5 --output pi.img",
        f"balena device register acme/doors --uuid {'f' * 32} --deviceType raspberrypi5",
        f"balena device rename {'f' * 32} 'Front Door'",
        f"balena env set RUID_ROLE hub --device {'f' * 32}",
        f"balena os configure pi.img --device {'f' * 32} --config-network ethernet --system-connection guests.wifi",
        "balena config write hostname front-door --drive pi.img",
        "balena local flash pi.img --drive /dev/sdb --yes",
    ]


def test_without_a_network_s_name_the_device_expects_a_cable() -> None:
    said = " ".join(map(str, PLANS["flash by cable"]))
    assert "--config-network ethernet" in said
    assert "--system-connection" not in said
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


def test_a_network_is_spelt_as_networkmanager_reads_it() -> None:
    """GLib's rules for key files, which Python's reader of similar files does not know."""
    profile = plans.wifi_profile("  guests", "back\\slash = ok")
    read = ConfigParser(interpolation=None)
    read.read_string(profile)
    assert read["connection"]["type"] == "wifi"
    assert read["wifi"]["ssid"] == "\\s\\sguests"
    assert read["wifi-security"]["psk"] == "back\\\\slash = ok"


def test_a_network_without_its_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUID_WIFI_KEY", raising=False)
    with pytest.raises(ToolError, match="RUID_WIFI_KEY"):
        flash("/dev/sdb", fleet="acme/doors", wifi_ssid="guests", dry_run=True)


def test_only_a_named_draft_can_be_tried_or_finalised(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ToolError, match="--release COMMIT"):
        push("acme/doors", canary=("a" * 32,), dry_run=True)
    push("acme/doors", release="abc123", canary=("a" * 32,), dry_run=True)
    assert capsys.readouterr().out == f"$ balena device pin {'a' * 32} abc123\n"


# ── tags ──────────────────────────────────────────────────────────────────────────────────────────────────────────

TABLE = """
const { table } = require("balena-cli/build/utils/lazy").getVisuals();
const tags = [{ tag_key: "canary", value: "" }, { tag_key: "floor", value: "the second one" }];
console.log(table.horizontal(tags, ["tag_key", "value"]));
"""


def test_the_tags_are_read_from_the_table_that_balena_s_real_program_draws() -> None:
    node, folder = require_tool("node"), REPOSITORY / "tools/balena"
    require_file(folder / "node_modules/balena-cli/build/utils/lazy.js", hint="run `npm ci` in tools/balena")
    drawn = subprocess.run([node, "-e", TABLE], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert plans.tag_keys(drawn) == {"canary", "floor"}


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a shell script in the place of balena's program; it notes what it is told in the file that is returned."""

    def put(script: str) -> Path:
        program, told = tmp_path / "balena", tmp_path / "told"
        program.write_text(f'#!/bin/sh\ntold={told}\necho "$*" >>$told\n{script}', encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setattr(command, "balena_program", lambda: program)
        return told

    return put


TAGS = f"""
case $* in
  "device list"*) echo '{json.dumps([{"uuid": "a1", "device_name": "door"}, {"uuid": "b2"}, {"uuid": "c3"}])}' ;;
  "tag list --device a1") printf 'TAG KEY VALUE\\nfloor   canary\\n' ;;
  "tag list --device b2") printf 'TAG KEY VALUE\\ncanary\\n' ;;
  "tag list"*) echo 'No tags found' >&2; exit 1 ;;
esac
"""


def test_a_draft_is_tried_on_the_devices_that_have_a_tag(stand_in: Callable[[str], Path]) -> None:
    told = stand_in(TAGS)
    push("acme/doors", release="abc123", canary=("d4",), canary_tag="canary")
    assert told.read_text(encoding="utf-8").splitlines() == [
        "device list --fleet acme/doors --json",
        *(f"tag list --device {uuid}" for uuid in ("a1", "b2", "c3")),
        "device pin d4 abc123",
        "device pin b2 abc123",
    ]


def test_a_tag_that_no_device_has_is_told_with_what_to_do(stand_in: Callable[[str], Path]) -> None:
    stand_in(TAGS)
    with pytest.raises(ToolError, match="balena tag set first --device UUID"):
        push("acme/doors", release="abc123", canary_tag="first")


def test_what_balena_cannot_answer_ends_the_push(stand_in: Callable[[str], Path]) -> None:
    stand_in("echo 'Login required' >&2; exit 1")
    with pytest.raises(ToolError, match="Login required"):
        push("acme/doors", release="abc123", canary_tag="canary")


def test_a_dry_run_asks_nobody_for_tags(stand_in: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    told = stand_in(TAGS)
    push("acme/doors", release="abc123", canary_tag="canary", dry_run=True)
    assert not told.exists()
    assert capsys.readouterr().out.splitlines() == [
        "$ balena device list --fleet acme/doors --json",
        "$ balena tag list --device UUID",
        "$ balena device pin UUID abc123",
    ]


# ── what is run ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_step_that_fails_is_the_last(stand_in: Callable[[str], Path]) -> None:
    told = stand_in('[ "$2" != register ]')
    with pytest.raises(ToolError, match="balena ended with 1; the steps after this one were not begun"):
        flash("/dev/sdb", fleet="acme/doors", image=Path("pi.img"))
    (only,) = told.read_text(encoding="utf-8").splitlines()
    assert only.startswith("device register acme/doors")


def test_the_network_s_key_is_handed_over_in_a_file_of_ours_alone(
    stand_in: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUID_WIFI_KEY", "a secret")
    told = stand_in('[ "$2" != configure ] || { for file; do :; done; stat -c %a "${file%/*}"; cat "$file"; } >>$told')
    flash("/dev/sdb", fleet="acme/doors", image=Path("pi.img"), wifi_ssid="guests")
    said = told.read_text(encoding="utf-8").splitlines()
    (configured,) = (line for line in said if line.startswith("os configure"))
    assert "a secret" not in configured
    assert said[said.index(configured) + 1] == "700"
    assert "psk=a secret" in said
    assert not Path(configured.split()[-1]).exists()


def test_preload_and_push_local_are_one_command_each(capsys: pytest.CaptureFixture[str]) -> None:
    preload(Path("pi.img"), fleet="acme/doors", dry_run=True)
    push_local("192.0.2.7", dry_run=True)
    assert capsys.readouterr().out.splitlines() == [
        "$ balena preload pi.img --fleet acme/doors --commit current",
        "$ balena push 192.0.2.7",
    ]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found: Node and a Docker whose engine answers."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("node", "docker"):
        (folder / name).write_text("#!/bin/sh\necho 1\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}")
    return folder


@pytest.mark.usefixtures("machine")
def test_the_doctor_is_content_where_nothing_is_missing(
    stand_in: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("echo 22.5.5")
    assert doctor() == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["there"] * 5


def test_the_doctor_says_how_to_get_what_is_missing(
    machine: Path, stand_in: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (machine / "node").unlink()
    (machine / "docker").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    stand_in('[ "$1" = version ] && echo 25.2.6')
    assert doctor() == 1
    said = capsys.readouterr().out
    assert "install Node.js 20" in said
    assert "start it, and be allowed to use it" in said
    assert "found 25.2.6, tried with 22.5.5" in said
    assert "run `balena login`" in said
