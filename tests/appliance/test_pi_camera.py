"""The node's camera source with the real picamera2, on libcamera's virtual cameras in the node's own image.

Virtual cameras have no hardware: what a sensor, its ribbon or the image processor do is not tried here.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from appliance.engine import build, run
from tooling import require_tool

IMAGE = "ruid-virtual-camera:test"
FOLDER = Path(__file__).parent / "virtual_camera"
COMPILED = ("-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC")


@pytest.fixture(scope="module", autouse=True)
def image(images: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The node's image with virtual cameras and a stand-in for the kernel's dma heap."""
    context = tmp_path_factory.mktemp("virtual") / "context"
    shutil.copytree(FOLDER, context)
    library = context / "dma_heap.so"
    subprocess.run([require_tool("gcc"), *COMPILED, "-o", library, context / "dma_heap.c", "-ldl"], check=True)
    build(IMAGE, str(context / "Dockerfile"), context=context)


def play(scene: str) -> Any:
    """Play one of the scenes of `virtual_camera/scenes.py` in a container; return what it tells."""
    said = run("docker", "run", "--rm", "--network", "none", IMAGE, scene, timeout_s=120)
    return json.loads(next(line for line in reversed(said.splitlines()) if line.startswith(("{", "[{", '["', '"'))))


UDEV = """
import ctypes, os, sys
from pathlib import Path
sys.path.insert(0, "/opt/ruid/src/ruid_edge")
import start
libudev = ctypes.CDLL("libudev.so.1")
libudev.udev_new.restype = libudev.udev_device_new_from_devnum.restype = ctypes.c_void_p
libudev.udev_device_new_from_devnum.argtypes = [ctypes.c_void_p, ctypes.c_char, ctypes.c_ulong]
libudev.udev_device_get_is_initialized.argtypes = [ctypes.c_void_p]
def initialised():
    device = libudev.udev_device_new_from_devnum(libudev.udev_new(), b"c", os.makedev(1, 3))
    return libudev.udev_device_get_is_initialized(device)
before = initialised()
start.note_in_udev(start.DeviceNode("null", 1, 3), Path("/run/udev"))
print(before, initialised())
"""


def test_libudev_takes_a_device_that_the_start_script_noted_for_initialised() -> None:
    """The library through which libcamera finds cameras, asked about a device that every machine has."""
    options = ("--user", "root", "--tmpfs", "/run/udev", "--env", "LD_PRELOAD=", "--entrypoint", "python3")
    assert run("docker", "run", "--rm", *options, IMAGE, "-c", UDEV).split() == ["0", "1"]


def test_ninety_frames_come_in_two_sizes() -> None:
    """The image processor's stand-in gives both streams; neither is scaled by us, both are converted."""
    told = play("frames")
    assert told["count"] == 90
    assert told["size"] == [1280, 960]
    assert told["formats"] == ["NV12", "NV12"]
    assert told["strides"] == [1280, 640]
    assert told["last"]["large"] == [960, 1280, 3]
    assert told["last"]["small"] == [480, 640, 3]
    assert told["last"]["colours"] > 1
    assert 0 <= told["last"]["age_s"] < 1
    assert told["in_order"]


def test_a_source_can_be_started_again_and_again() -> None:
    assert [shown["scene"] for shown in play("again")] == [1, 2, 3]


def test_two_cameras_run_in_one_process() -> None:
    assert [shown["large"] for shown in play("two")] == [[960, 1280, 3], [720, 1280, 3]]


def test_a_silent_sensor_is_told_and_its_return_used() -> None:
    told = play("loss")
    assert told["said"].startswith("SourceLost: camera 0 gives no picture (")
    assert "the sensor answers but sends no pictures" in told["said"]
    assert told["waited_s"] < 10
    assert (told["before"]["scene"], told["after"]["scene"]) == (1, 2)


def test_a_camera_that_stays_away_ends_the_process() -> None:
    """libcamera looks for cameras once in a process: only a new one finds it again."""
    *tries, last = play("gone")
    assert all(said.startswith("SourceLost: ") for said in tries)
    assert last.startswith("NodeFailed: camera 0 does not come back")


def test_a_busy_camera_is_told_from_a_missing_one() -> None:
    assert "another program holds the camera" in play("busy")
    assert "only 2 camera(s) were found" in play("absent")
