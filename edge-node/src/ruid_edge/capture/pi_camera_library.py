"""picamera2, which Raspberry Pi's package archive installs (it is not a wheel), and what its failures mean."""

import importlib
import importlib.util
import re
import sys
from types import ModuleType
from typing import Any

from ruid_edge.errors import SourceMissing

_WIRING = (
    "switch the power off and seat the ribbon at both ends; a sensor that is not found by itself wants its overlay "
    "(dtoverlay=imx708, say) beside camera_auto_detect=0"
)

# What libcamera, picamera2 and the kernel say, and what to do about it; the first that fits is taken.
_REMEDIES = (
    (r"time.?out|no frame|queue request", f"the sensor answers but sends no pictures: {_WIRING}"),
    (r"resource busy|in use by another|acquire", "another program holds the camera: stop it, or start this node anew"),
    (
        r"cannot allocate|out of memory|enomem|errno 12\b",
        "the kernel's contiguous memory is too small: set dtoverlay=vc4-kms-v3d,cma-320 and start the device anew",
    ),
    (
        r"dma.?heap",
        "/dev/dma_heap is not to be had here: the container must start as root and privileged, "
        "as docker-compose.yml has it",
    ),
    (
        r"permission denied|errno 13\b",
        "its device files may not be opened: the user must be in the group video, "
        "and in a container the start script must run as root",
    ),
)


def picamera2_library() -> Any:
    """Import picamera2; raise `SourceMissing` where it is not installed.

    It insists on kms, which only its previews on a screen use: where that is not installed, an empty module does.
    """
    _stand_in_for_kms()
    try:
        return importlib.import_module("picamera2")
    except ImportError as error:
        raise SourceMissing(
            f"picamera2 cannot be used ({error}): on a Raspberry Pi install python3-picamera2, "
            "elsewhere name another source (RUID_SOURCE)"
        ) from error


def remedy(error: BaseException, *, index: int, found: int) -> str:
    """What to do about a camera that fails with `error`, while `found` cameras are there."""
    if found == 0:
        return f"no camera was found: {_WIRING}; in a container it must start as root and privileged"
    if index >= found:
        return f"only {found} camera(s) were found, counted from 0: name one of them, or {_WIRING}"
    said = f"{error} {error.__cause__ or ''}"
    return next((advice for pattern, advice in _REMEDIES if re.search(pattern, said, re.IGNORECASE)), _WIRING)


class _AnyFormat(type):
    """The previews list the formats that they know when they are imported."""

    def __getattr__(cls, name: str) -> str:
        return name


class _PixelFormat(metaclass=_AnyFormat):
    """Has every format."""


def _stand_in_for_kms() -> None:
    if not any(name in sys.modules or importlib.util.find_spec(name) for name in ("kms", "pykms")):
        module = ModuleType("pykms")
        module.__dict__["PixelFormat"] = _PixelFormat
        sys.modules["pykms"] = module
