"""Which commands of balena's own program a job takes: values in, commands out; nothing is run here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["auto", "hub", "edge", "both"]
DeviceType = Literal["raspberrypi5", "raspberrypi4-64", "raspberrypi3-64", "raspberrypi0-2w-64"]


@dataclass(frozen=True, slots=True)
class Step:
    """One call of `balena`."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(("balena", *map(_quoted, self.words)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card to write: for which device of which fleet, from which image, to which drive.

    `image` is downloaded when `download` says so. Without `wifi_profile`, a file, the device expects a cable.
    """

    fleet: str
    device_type: DeviceType
    uuid: str
    image: str
    drive: str
    download: bool = True
    name: str = ""
    role: Role = "auto"
    wifi_profile: str = ""


def flash(card: Card) -> tuple[Step, ...]:
    """Register the device, so that name and role wait for it; configure the image; write the card."""
    steps: list[Step] = []
    if card.download:
        steps.append(Step(("os", "download", card.device_type, "--output", card.image)))
    steps.append(Step(("device", "register", card.fleet, "--uuid", card.uuid, "--deviceType", card.device_type)))
    if card.name:
        steps.append(Step(("device", "rename", card.uuid, card.name)))
    if card.role != "auto":
        steps.append(Step(("env", "set", "RUID_ROLE", card.role, "--device", card.uuid)))
    steps.append(_configured(card))
    if card.name:
        steps.append(Step(("config", "write", "hostname", host_name(card.name), "--drive", card.image)))
    return (*steps, Step(("local", "flash", card.image, "--drive", card.drive, "--yes")))


def push(fleet: str, *, draft: bool = True) -> tuple[Step, ...]:
    """Build a release on balena's builders; a draft is taken by no device until it is pinned or finalised."""
    return (Step(("push", fleet, *(("--draft",) if draft else ()))),)


def try_on(canaries: Sequence[str], release: str) -> tuple[Step, ...]:
    """Give a draft release to some devices alone."""
    return tuple(Step(("device", "pin", uuid, release)) for uuid in canaries)


def devices_of(fleet: str) -> Step:
    """Ask for a fleet's devices."""
    return Step(("device", "list", "--fleet", fleet, "--json"))


def tags_of(uuid: str) -> Step:
    """Ask for a device's tags."""
    return Step(("tag", "list", "--device", uuid))


def tag_keys(table: str) -> frozenset[str]:
    """The tags in the table that `balena tag list` prints: below its heading, each line's first word."""
    return frozenset(line.split()[0] for line in table.splitlines()[1:] if line.strip())


def finalise(release: str, canaries: Sequence[str] = ()) -> tuple[Step, ...]:
    """Give a release to the whole fleet, and let the devices that tried it follow the fleet again."""
    return (
        Step(("release", "finalize", release)),
        *(Step(("device", "track-fleet", uuid)) for uuid in canaries),
    )


def preload(image: str, *, fleet: str, release: str = "current") -> tuple[Step, ...]:
    """Put a release into an image, so that a device works before it is ever online."""
    return (Step(("preload", image, "--fleet", fleet, "--commit", release)),)


def push_local(device: str) -> tuple[Step, ...]:
    """Build on a device in local mode, found by its address, without balena's cloud."""
    return (Step(("push", device)),)


def host_name(name: str) -> str:
    """A name as a host may have it: lower case, digits and dashes, 63 characters at most."""
    dashed = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower())
    return dashed.strip("-")[:63].strip("-") or "ruid"


def wifi_profile(ssid: str, key: str) -> str:
    """A network as NetworkManager's key files spell it; a cable goes on working beside it."""
    return _PROFILE.format(ssid=_escaped(ssid), key=_escaped(key))


_PROFILE = """[connection]
id=ruid-wifi
type=wifi

[wifi]
mode=infrastructure
ssid={ssid}

[wifi-security]
key-mgmt=wpa-psk
psk={key}

[ipv4]
method=auto

[ipv6]
method=auto
"""


def _escaped(value: str) -> str:
    """Key files drop spaces at the start and read backslashes as escapes."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n")
    kept = escaped.lstrip(" ")
    return "\\s" * (len(escaped) - len(kept)) + kept


def _configured(card: Card) -> Step:
    words = ("os", "configure", card.image, "--device", card.uuid, "--config-network", "ethernet")
    return Step((*words, *(("--system-connection", card.wifi_profile) if card.wifi_profile else ())))


def _quoted(word: str) -> str:
    return f"'{word}'" if " " in word else word
