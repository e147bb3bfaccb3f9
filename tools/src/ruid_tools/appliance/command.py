"""`ruid appliance …`: shows each command of balena's own program, then runs it."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter
from rich.console import Console

from ruid_tools.appliance import plans
from ruid_tools.errors import ToolError

ROOT: Final = Path(__file__).resolve().parents[4]
BALENA_VERSION: Final = "22.5.5"
_CLI_FOLDER: Final = ROOT / "tools/balena"
_TIMEOUT_S: Final = 30
_NO_TAGS: Final = "No tags found"  # a device without tags is an error to balena

DryRun = Annotated[bool, Parameter(name="--dry-run", negative="")]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a job needs; `remedy` says how to get it where it is missing, and is empty where it is not."""

    what: str
    remedy: str = ""


def doctor() -> int:
    """Say what is needed to flash, push and preload, and how to get what is missing."""
    console = Console(highlight=False)
    findings = tuple(examine())
    for finding in findings:
        console.print(f"missing  {finding.what}: {finding.remedy}" if finding.remedy else f"there    {finding.what}")
    return int(any(finding.remedy for finding in findings))


def flash(
    drive: str,
    *,
    fleet: str,
    device_type: plans.DeviceType = "raspberrypi5",
    image: Path | None = None,
    name: str = "",
    role: plans.Role = "auto",
    wifi_ssid: str = "",
    dry_run: DryRun = False,
) -> None:
    """Write a card for a new device of a fleet. Everything on DRIVE is lost.

    The key of the Wi-Fi network is taken from the environment variable RUID_WIFI_KEY and handed on in a file, so that
    no list of processes or shell history of yours holds it.

    Parameters
    ----------
    drive
        The card's device file, for example /dev/sdb.
    fleet
        The fleet, as balena spells it: organisation/name.
    image
        A balenaOS image to use; without it, one is downloaded beside the current folder.
    name
        What the device is called, in the fleet and on the pages; its host name follows from it.
    role
        Whether it is the hub, a camera node, or both; auto leaves it to the device.
    """
    with wifi_profile(wifi_ssid) as profile:
        card = plans.Card(
            fleet=fleet,
            device_type=device_type,
            uuid=uuid.uuid4().hex,
            image=str(image or f"{device_type}.img"),
            drive=drive,
            download=image is None,
            name=name,
            role=role,
            wifi_profile=profile,
        )
        carry_out(plans.flash(card), dry_run=dry_run)


@contextmanager
def wifi_profile(ssid: str) -> Generator[str]:
    """A file of ours alone with the network and its key, while it is needed; no path without a network."""
    if not ssid:
        yield ""
        return
    key = os.environ.get("RUID_WIFI_KEY")
    if not key:
        raise ToolError("the Wi-Fi network's key is missing: put it into the environment variable RUID_WIFI_KEY")
    with TemporaryDirectory() as folder:
        profile = Path(folder) / "ruid-wifi"
        profile.write_text(plans.wifi_profile(ssid, key), encoding="utf-8")
        yield str(profile)


def push(
    fleet: str,
    *,
    draft: Annotated[bool, Parameter(negative="--final")] = True,
    release: str = "",
    canary: tuple[str, ...] = (),
    canary_tag: str = "",
    finalise: bool = False,
    dry_run: DryRun = False,
) -> None:
    """Bring this tree to a fleet: build a draft, try it on some devices, then give it to all.

    Parameters
    ----------
    fleet
        The fleet, as balena spells it: organisation/name.
    draft
        Build a draft, which no device takes by itself; --final builds a release for the whole fleet at once.
    release
        The commit of a draft that was built before: nothing is built then.
    canary
        The UUID of a device to try the draft on; may be given again.
    canary_tag
        Try it on every device of the fleet that has this tag.
    finalise
        Give the release to the whole fleet.
    """
    if not release:
        if canary or canary_tag or finalise:
            raise ToolError("name the draft that `ruid appliance push` built with --release COMMIT")
        return carry_out(plans.push(fleet, draft=draft), dry_run=dry_run)
    canaries = (*canary, *(tagged(fleet, canary_tag, dry_run=dry_run) if canary_tag else ()))
    steps = plans.finalise(release, canaries) if finalise else plans.try_on(canaries, release)
    return carry_out(steps, dry_run=dry_run)


def preload(image: Path, *, fleet: str, release: str = "current", dry_run: DryRun = False) -> None:
    """Put a release into a balenaOS image, so that a card made from it works without a network."""
    carry_out(plans.preload(str(image), fleet=fleet, release=release), dry_run=dry_run)


def push_local(device: str, *, dry_run: DryRun = False) -> None:
    """Build this tree on a device in local mode, by its address, without balena's cloud."""
    carry_out(plans.push_local(device), dry_run=dry_run)


def carry_out(steps: Sequence[plans.Step], *, dry_run: bool) -> None:
    """Show each step and run it; raise `ToolError` at the first that fails."""
    console = Console(highlight=False, soft_wrap=True)
    program = None if dry_run else balena_program()
    for step in steps:
        console.print(f"$ {step}", markup=False)
        if program is not None:
            ended = subprocess.run([program, *step.words], check=False, cwd=ROOT).returncode  # noqa: S603 - planned
            if ended != 0:
                raise ToolError(f"balena ended with {ended}; the steps after this one were not begun")


def tagged(fleet: str, tag: str, *, dry_run: bool) -> tuple[str, ...]:
    """The devices of a fleet that have a tag; raise `ToolError` where none has. A dry run makes one up."""
    if dry_run:
        carry_out((plans.devices_of(fleet), plans.tags_of("UUID")), dry_run=True)
        return ("UUID",)
    devices = msgspec.json.decode(ask(plans.devices_of(fleet)), type=list[_Device])
    found = tuple(device.uuid for device in devices if tag in plans.tag_keys(ask(plans.tags_of(device.uuid))))
    if not found:
        raise ToolError(f"no device of {fleet} has the tag {tag}: `balena tag set {tag} --device UUID` gives it to one")
    return found


def ask(question: plans.Step) -> str:
    """Show a question and return balena's answer to it; raise `ToolError` where it has none."""
    Console(highlight=False, soft_wrap=True).print(f"$ {question}", markup=False)
    done = subprocess.run(  # noqa: S603 - words of ours
        [balena_program(), *question.words], check=False, capture_output=True, encoding="utf-8", errors="replace"
    )
    if done.returncode != 0 and _NO_TAGS not in done.stderr:
        raise ToolError(f"balena ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class _Device(msgspec.Struct):
    uuid: str


def balena_program() -> Path:
    """The balena program of tools/balena, else the one on PATH; raise `ToolError` where there is none."""
    own = _CLI_FOLDER / "node_modules/.bin/balena"
    found = own if own.exists() else shutil.which("balena")
    if found is None:
        raise ToolError(f"balena's command line is not installed: {_HOW_TO_GET_BALENA}")
    return Path(found)


_HOW_TO_GET_BALENA: Final = "run `npm ci --ignore-scripts` in tools/balena"


def examine() -> Iterator[Finding]:
    """Look for everything that the commands of `ruid appliance` need."""
    yield _program("node", remedy="install Node.js 20 or newer; balena's command line runs on it")
    yield _balena()
    yield _program("docker", remedy="install Docker: `ruid appliance preload` and `balena build` use its engine")
    answers = _says("docker", "version", "--format", "{{.Server.Version}}")
    yield Finding("a Docker engine that answers", "" if answers else "start it, and be allowed to use it")
    logged_in = _says("balena", "whoami")
    yield Finding("a login at balena", "" if logged_in else "run `balena login` (`push-local` does without)")


def _balena() -> Finding:
    version = _says("balena", "version").split()
    if BALENA_VERSION in version:
        return Finding(f"balena's command line {BALENA_VERSION}")
    other = f"found {version[0]}, tried with {BALENA_VERSION}: " if version else ""
    return Finding(f"balena's command line {BALENA_VERSION}", other + _HOW_TO_GET_BALENA)


def _program(name: str, *, remedy: str) -> Finding:
    return Finding(name, "" if shutil.which(name) else remedy)


def _says(name: str, *words: str) -> str:
    """What a program prints; nothing where it is missing, fails, or takes too long."""
    try:
        program = str(balena_program()) if name == "balena" else name
        done = subprocess.run(  # noqa: S603 - words of ours
            [program, *words], check=False, capture_output=True, text=True, timeout=_TIMEOUT_S
        )
    except (ToolError, OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
