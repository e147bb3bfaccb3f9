"""How a container gets ready for its cameras; sysfs, /dev and udev are folders of the test's own."""

import os
import stat
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ruid_edge import start


def describe(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """A Pi 5 with two cameras on ribbons, one with a lens motor, and one on USB."""
    sysfs = tmp_path / "sys"
    video = sysfs / "class/video4linux"
    describe(video / "video0", name="rp1-cfe", index="0\n", uevent="MAJOR=81\nMINOR=3\nDEVNAME=video0\n")
    describe(video / "v4l-subdev0", name="imx708_wide 10-001a\n", uevent="MAJOR=81\nMINOR=0\nDEVNAME=v4l-subdev0\n")
    describe(video / "v4l-subdev1", name="dw9807 10-000c\n", uevent="MAJOR=81\nMINOR=1\nDEVNAME=v4l-subdev1\n")
    describe(video / "v4l-subdev2", name="imx219 11-0010\n", uevent="MAJOR=81\nMINOR=2\nDEVNAME=v4l-subdev2\n")
    describe(video / "v4l-subdev3", name="csi2\n")
    driver = describe(sysfs / "bus/usb/drivers/uvcvideo")
    for number, index in ((8, "0"), (9, "1")):
        folder = describe(video / f"video{number}", name="USB", index=f"{index}\n")
        (folder / "device").mkdir()
        (folder / "device/driver").symlink_to(driver)
    describe(sysfs / "bus/media/devices/media0", uevent="MAJOR=510\nMINOR=0\nDEVNAME=media0\n")
    describe(sysfs / "class/dma_heap/linux,cma", uevent="MAJOR=251\nMINOR=1\nDEVNAME=dma_heap/linux,cma\n")
    return sysfs


def test_cameras_are_found_ribbons_first(sysfs: Path) -> None:
    """A lens motor is no camera, and a USB camera's second node holds no pictures."""
    assert start.found_cameras(sysfs) == ["picamera:0", "picamera:1", "/dev/video8"]


def test_every_device_of_a_camera_is_named_by_sysfs(sysfs: Path) -> None:
    nodes = {node.path: (node.major, node.minor) for node in start.camera_nodes(sysfs)}
    assert nodes["media0"] == (510, 0)
    assert nodes["dma_heap/linux,cma"] == (251, 1)
    assert nodes["video0"] == (81, 3)
    assert len(nodes) == 6


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
def test_a_device_node_is_made_for_the_cameras_group_and_noted_as_initialised(tmp_path: Path) -> None:
    node = start.DeviceNode("dma_heap/zero", 1, 5)
    start.make_node(node, tmp_path)
    start.note_in_udev(node, tmp_path / "udev")
    made = (tmp_path / "dma_heap/zero").stat()
    assert stat.S_ISCHR(made.st_mode)
    assert (stat.S_IMODE(made.st_mode), made.st_gid, made.st_rdev) == (0o660, 44, os.makedev(1, 5))
    assert (tmp_path / "udev/data/c1:5").read_text(encoding="ascii") == "I:1\n"


def test_what_the_environment_says_is_left_alone(sysfs: Path) -> None:
    given = {"RUID_SOURCE": "clip.mp4", "RUID_NODE_NAME": "door", "BALENA_DEVICE_NAME_AT_INIT": "winter-sun"}
    assert start.completed(given, sysfs=sysfs) == given


def test_a_node_is_called_as_its_device_and_takes_the_cameras_that_are_there(sysfs: Path) -> None:
    filled = start.completed({"BALENA_DEVICE_NAME_AT_INIT": "winter-sun"}, sysfs=sysfs)
    assert filled["RUID_NODE_NAME"] == "winter-sun"
    assert filled["RUID_SOURCE"] == "picamera:0 picamera:1 /dev/video8"


def test_a_device_that_was_renamed_is_asked_for_its_name(tmp_path: Path) -> None:
    """The supervisor knows the name of today; its key stays behind."""
    asked: list[tuple[str, str]] = []

    class Supervisor(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status": "success", "deviceName": "front door"}')

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Supervisor) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        environment = {
            "BALENA_SUPERVISOR_ADDRESS": address,
            "BALENA_SUPERVISOR_API_KEY": "secret",
            "BALENA_DEVICE_NAME_AT_INIT": "winter-sun",
        }
        filled = start.completed(environment, sysfs=tmp_path)
        thread.join()
    assert filled["RUID_NODE_NAME"] == "front door"
    assert "BALENA_SUPERVISOR_API_KEY" not in filled
    assert asked == [("/v2/device/name", "Bearer secret")]


def test_a_supervisor_that_does_not_answer_leaves_the_first_name(tmp_path: Path) -> None:
    environment = {
        "BALENA_SUPERVISOR_ADDRESS": "http://127.0.0.1:1",
        "BALENA_SUPERVISOR_API_KEY": "secret",
        "BALENA_DEVICE_NAME_AT_INIT": "winter-sun",
    }
    assert start.completed(environment, sysfs=tmp_path)["RUID_NODE_NAME"] == "winter-sun"
