"""Makes a container ready for its cameras, gives up every right, and becomes the program that it is given.

    python3 -I start.py python -m ruid_edge

As root (a privileged container, the only kind that balena lets near a camera) it

1. makes the device nodes of cameras, media controllers and dma heaps that sysfs names and /dev lacks, and gives them
   to the group `video`;
2. notes them as initialised in /run/udev, where libcamera looks: it passes over a device without such a note, and no
   udev runs in a container;
3. lets that user make the file that holds balena's updates off;
4. becomes the user `ruid`, without capabilities and without a way to regain any.

Then, as any user: it names the node after the device and picks the cameras that it finds, where the environment says
neither. Only the standard library: nothing else is trusted with root.
"""

import ctypes
import os
import re
import stat
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam

_USER = "ruid"
_CAMERA_GROUP_GID = 44  # Debian's `video`, and the group that balenaOS and Raspberry Pi OS give the same number
_CAMERA_CLASSES = ("class/video4linux", "bus/media/devices", "class/dma_heap")
_TOLD = re.compile(r"^([A-Z]+)=(.*)$", re.MULTILINE)
_SENSOR = re.compile(r"^\S+ (?P<bus>\d+)-[0-9a-f]{4}$")
_SUPERVISOR_TIMEOUT_S = 3.0
_CAPABILITIES = range(64)
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAPBSET_DROP = 24
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4


@dataclass(frozen=True, slots=True)
class DeviceNode:
    """A character device as sysfs names it; `path` is where it belongs below /dev."""

    path: str
    major: int
    minor: int


def camera_nodes(sysfs: Path) -> Iterator[DeviceNode]:
    """Every device that a camera needs."""
    for camera_class in _CAMERA_CLASSES:
        for folder in sorted((sysfs / camera_class).glob("*")):
            told = dict(_TOLD.findall(_read(folder / "uevent")))
            if {"MAJOR", "MINOR", "DEVNAME"} <= told.keys():
                yield DeviceNode(told["DEVNAME"], int(told["MAJOR"]), int(told["MINOR"]))


def make_node(node: DeviceNode, dev: Path, *, gid: int = _CAMERA_GROUP_GID) -> None:
    """Make the node where /dev lacks it, and let the cameras' group use it."""
    path = dev / node.path
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mknod(path, stat.S_IFCHR | 0o660, os.makedev(node.major, node.minor))
    os.chown(path, 0, gid)
    path.chmod(0o660)


def note_in_udev(node: DeviceNode, udev: Path) -> None:
    """Write the entry by which libudev knows that a device is initialised."""
    entries = udev / "data"
    entries.mkdir(parents=True, exist_ok=True)
    (entries / f"c{node.major}:{node.minor}").write_text("I:1\n", encoding="ascii")


def found_cameras(sysfs: Path) -> list[str]:
    """The cameras of this machine as `RUID_SOURCE` spells them: those on a ribbon, then those on USB.

    A sensor on a ribbon is a sub-device named after its chip and its place on an I2C bus ("imx708 10-001a"), one bus
    for each connector; a lens motor shares its sensor's bus. A USB camera has one node for pictures, of index 0.
    """
    folders = sorted((sysfs / "class/video4linux").glob("*"), key=lambda folder: (len(folder.name), folder.name))
    sensors = (
        _SENSOR.match(_read(folder / "name").strip()) for folder in folders if folder.name.startswith("v4l-subdev")
    )
    ribbons = {sensor["bus"] for sensor in sensors if sensor}
    usb = [
        folder.name
        for folder in folders
        if (folder / "device/driver").resolve().name == "uvcvideo" and _read(folder / "index").strip() == "0"
    ]
    return [f"picamera:{index}" for index in range(len(ribbons))] + [f"/dev/{name}" for name in usb]


def device_name(environment: Mapping[str, str]) -> str:
    """What balena calls this device: as it is called now where the supervisor may be asked, else as at its start."""
    address, key = environment.get("BALENA_SUPERVISOR_ADDRESS"), environment.get("BALENA_SUPERVISOR_API_KEY")
    if address and key:
        with suppress(OSError, ValueError):
            request = urllib.request.Request(f"{address}/v2/device/name", headers={"Authorization": f"Bearer {key}"})  # noqa: S310
            with urllib.request.urlopen(request, timeout=_SUPERVISOR_TIMEOUT_S) as answer:  # noqa: S310
                found = re.search(r'"deviceName"\s*:\s*"([^"\\]+)"', answer.read(4096).decode())
                if found:
                    return found.group(1)
    return environment.get("BALENA_DEVICE_NAME_AT_INIT", "")


def completed(environment: Mapping[str, str], *, sysfs: Path) -> dict[str, str]:
    """The environment with a name for the node and the cameras that were found, where it says neither.

    The supervisor's key goes no further: whoever holds it holds the device.
    """
    filled = {name: value for name, value in environment.items() if name != "BALENA_SUPERVISOR_API_KEY"}
    if not filled.get("RUID_NODE_NAME") and (name := device_name(environment)):
        filled["RUID_NODE_NAME"] = name[:80]
    if not filled.get("RUID_SOURCE") and (cameras := found_cameras(sysfs)):
        filled["RUID_SOURCE"] = " ".join(cameras)
    return filled


def give_up_rights(user: str = _USER, *, groups: tuple[int, ...] = (_CAMERA_GROUP_GID,)) -> None:
    """Become `user` for good: no capability is left, and no program that this one starts can gain any."""
    account = getpwnam(user)
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in _CAPABILITIES:
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    os.setgroups(groups)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel does not let this process give up its rights")


def prepare_cameras(*, sysfs: Path, dev: Path, udev: Path) -> None:
    """Make and note every camera device; one that cannot be made is left to the node, which tells of it."""
    for node in camera_nodes(sysfs):
        try:
            make_node(node, dev)
            note_in_udev(node, udev)
        except OSError as error:
            sys.stderr.write(f"ruid start: /dev/{node.path} cannot be made ready ({error})\n")


def open_lock_folder(environment: Mapping[str, str]) -> None:
    """As the supervisor itself does before its first update: the folder is root's until then."""
    if named := environment.get("BALENA_APP_LOCK_PATH"):
        with suppress(OSError):
            Path(named).parent.chmod(0o1777)


def main(arguments: list[str]) -> None:
    """Get ready and become the program; it never returns."""
    sysfs = Path("/sys")
    if os.geteuid() == 0:
        prepare_cameras(sysfs=sysfs, dev=Path("/dev"), udev=Path("/run/udev"))
        open_lock_folder(os.environ)
        give_up_rights()
    os.execvpe(arguments[0], arguments, completed(os.environ, sysfs=sysfs))  # noqa: S606 - what the image names


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    main(sys.argv[1:])
