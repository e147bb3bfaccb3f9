"""The node's image for arm64, run by an emulator beside the same image for this machine.

Emulated: the image as it runs, that is Debian's Python and libraries for arm64, the aarch64 wheels of the lock file,
our models, our code and the start script; and the commands of the Dockerfile's last stage while it is built. Not
emulated: the Dockerfile's stages that only build (pip fetches the aarch64 wheels on this machine and compiles them to
bytecode, which is the same everywhere), and the base image, whose packages are unpacked but not configured. So neither
apt nor pip is tried on arm64, nor is the camera software.

It takes minutes, so it is only run where RUID_TRY_ARM64=1 asks for it. No instruction of a Raspberry Pi's own is tried,
and how long it takes says nothing of one.
"""

import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.engine import BASE_IMAGE, DOCKERFILES, IMAGES, run
from system.playing import Hub, shorten, site
from tooling import REPOSITORY, missing, require_tool

HERE, ARM64 = IMAGES["edge"], "ruid-edge:test-arm64"
ARM64_BASE = "ruid-base:test-arm64"
AARCH64_WHEELS = " ".join(
    (*(f"manylinux_2_{minor}_aarch64" for minor in range(41, 16, -1)), "manylinux2014_aarch64", "linux_aarch64")
)
"""What pip takes on Debian 13's glibc, 2.41, the newest first."""
EMULATOR = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
LOOK = Path(__file__).with_name("look.py")
PROCESSOR = (
    "--env",
    "QEMU_CPU=cortex-a72",
    "--volume",
    f"{Path(__file__).with_name('cpuinfo-arm64')}:/proc/cpuinfo:ro",
)
"""A Raspberry Pi 4's. With the emulator's own choice, which has vector instructions (SVE), numpy's matrix products
come out wrong under qemu 7.2; at this machine's own /proc/cpuinfo the aarch64 build of onnxruntime crashes."""
CLIPS = REPOSITORY / "tools/src/ruid_tools/demo/clips"
PICTURES = 4
FRAMES = 16
SURE = 0.5
"""Below it a person may be seen by one and missed by the other: video decoders and networks round differently there."""
BOX_TOLERANCE_PX = 3.0
CONFIDENCE_TOLERANCE = 0.05
LEAST_SIMILARITY = 0.98
"""Cosine of the two embeddings of one person."""
TRACKS = """
SELECT track_id, frames, x1_rel, y1_rel, x2_rel, y2_rel, dim, embeddings_f16
FROM observations JOIN cameras USING (camera_key) JOIN embeddings USING (observation_id)
WHERE name = ? ORDER BY track_id, part
"""

pytestmark = pytest.mark.skipif(
    os.environ.get("RUID_TRY_ARM64") != "1", reason="set RUID_TRY_ARM64=1: an emulator takes its time"
)


@pytest.fixture(scope="module")
def emulator() -> Generator[None]:
    """Programs for arm64 start as if they were this machine's own, in containers too."""
    require_tool("qemu-aarch64-static")
    known = EMULATOR.exists()
    if not known:
        run("mount", "-t", "binfmt_misc", "binfmt_misc", str(EMULATOR.parent), check=False)
        run(str(require_tool("update-binfmts")), "--enable", EMULATOR.name, check=False)
    if not EMULATOR.exists() or "F" not in EMULATOR.read_text(encoding="utf-8").split("flags:")[1].split()[0]:
        missing("the kernel does not take qemu-aarch64 for all containers (binfmt_misc, flag F)")
    yield
    if not known:
        run("update-binfmts", "--disable", EMULATOR.name)


@pytest.fixture(scope="module")
def both(images: None, emulator: None) -> None:
    """The node's image for arm64 beside that for this machine."""
    if not run("docker", "images", "--quiet", ARM64_BASE).strip():
        run(str(Path(__file__).with_name("base-image")), ARM64_BASE, "arm64", timeout_s=1200)
    text = for_arm64((REPOSITORY / DOCKERFILES["edge"]).read_text(encoding="utf-8"))
    options = ("--network", "host", "--build-arg", "CAMERA_STACK=none", "--file", "-", "--tag", ARM64)
    run("docker", "build", *options, str(REPOSITORY), text=text, timeout_s=1800)


def for_arm64(dockerfile: str) -> str:
    """The node's Dockerfile with its last stage on arm64, and pip fetching wheels for that in a stage before."""
    head, base, wheels, code, last = re.split(r"^(?=FROM )", dockerfile, flags=re.MULTILINE)
    assert base.startswith(f"FROM {BASE_IMAGE} AS base\n")
    assert last.startswith("FROM base\n")
    fetch, install = wheels.split("COPY requirements/", 1)
    aarch64 = f'ENV PIP_PLATFORM="{AARCH64_WHEELS}" PIP_TARGET=/opt/ruid/venv/lib/python3.13/site-packages\n'
    there = base.replace(f"FROM {BASE_IMAGE} AS base\n", f"FROM {ARM64_BASE} AS there\n")
    on_top = last.replace("FROM base\n", "FROM there\n", 1)
    return "".join((head, base, fetch, aarch64, "COPY requirements/", install, code, there, on_top))


def sure(seen: dict[str, Any]) -> list[int]:
    return [place for place, confidence in enumerate(seen["confidences"]) if confidence >= SURE]


@dataclass
class Differences:
    """How far two machines' sightings of the same people are apart."""

    people: int = 0
    box_px: float = 0.0
    confidence: float = 0.0
    similarity: float = 1.0

    def learn(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        """Compare every sure sighting of `one` with the nearest of `other`."""
        for place in sure(one):
            apart_px = np.abs(np.subtract(other["boxes"], one["boxes"][place])).max(axis=1)
            nearest = int(apart_px.argmin())
            self.people += 1
            self.box_px = max(self.box_px, float(apart_px[nearest]))
            self.confidence = max(self.confidence, abs(one["confidences"][place] - other["confidences"][nearest]))
            alike = float(np.dot(one["embeddings"][place], other["embeddings"][nearest]))
            self.similarity = min(self.similarity, alike)


def look(image: str) -> dict[str, Any]:
    """What the image's networks make of the first pictures of a clip that it brings."""
    options = ("--rm", "--network", "none", "--volume", f"{LOOK}:/look.py:ro", *(PROCESSOR if image == ARM64 else ()))
    return json.loads(
        run(
            "docker",
            "run",
            *options,
            image,
            "python",
            "/look.py",
            "/opt/ruid/demo/west.mp4",
            str(PICTURES),
            timeout_s=1800,
        )
    )


@pytest.mark.usefixtures("both")
def test_the_same_people_are_seen_on_arm64_as_here() -> None:
    here, there = look(HERE), look(ARM64)
    assert there["machine"] == "aarch64"
    differences = Differences()
    for ours, theirs in zip(here["pictures"], there["pictures"], strict=True):
        assert theirs["mean"] == pytest.approx(ours["mean"], abs=0.5)
        for detector in ("accurate", "fast"):
            assert len(sure(ours[detector])) == len(sure(theirs[detector]))
            differences.learn(ours[detector], theirs[detector])
    sys.stdout.write(f"{differences}; {there['took_s']:.1f} s emulated, {here['took_s']:.1f} s here\n")
    assert differences.people >= PICTURES
    assert differences.box_px <= BOX_TOLERANCE_PX
    assert differences.confidence <= CONFIDENCE_TOLERANCE
    assert differences.similarity >= LEAST_SIMILARITY


@pytest.fixture
def hub(tmp_path: Path) -> Generator[Hub]:
    """A hub of this machine, whose secret the containers' user may read."""
    with site(tmp_path) as (hub, _):
        (hub.folder / "join").chmod(0o644)
        yield hub


def play(image: str, name: str, *, hub: Hub, clip: Path) -> float:
    """Run the node as its image starts it until the hub has all that it saw; return how long it took."""
    variables = {
        "RUID_NODE_NAME": name,
        "RUID_SOURCE": f"/{clip.name}",
        "RUID_PACE": "fast",
        "RUID_DETECTOR": "fast",  # a frame may take no longer than the watchdog allows, emulated too
        "RUID_HUB_URL": f"wss://127.0.0.1:{hub.node_port}",
    }
    options = [word for key, value in variables.items() for word in ("--env", f"{key}={value}")]
    mounts = ("--volume", f"{clip}:/{clip.name}:ro", "--volume", f"{hub.folder}/join:/join/secret:ro")
    rights = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    if image == ARM64:
        mounts += PROCESSOR
    started_s = time.monotonic()
    run("docker", "run", "--rm", "--network", "host", *rights, *mounts, *options, image, timeout_s=1800)
    return time.monotonic() - started_s


@dataclass(frozen=True)
class Track:
    """A person as a node told the hub of them: how often seen, where last, and the best look."""

    frames: int
    box_rel: NDArray[np.float64]
    embedding: NDArray[np.float32]


def tracks(hub: Hub, name: str) -> list[Track]:
    """Everybody whom the hub knows from this node."""
    with closing(sqlite3.connect(f"file:{hub.folder}/hub.db?mode=ro", uri=True)) as database:
        rows = database.execute(TRACKS, (name,)).fetchall()
    return [
        Track(row[1], np.array(row[2:6]), np.frombuffer(row[7], "<f2")[: row[6]].astype(np.float32)) for row in rows
    ]


@pytest.mark.usefixtures("both")
def test_a_node_on_arm64_tells_the_hub_of_the_same_people(hub: Hub, tmp_path: Path) -> None:
    """The image's own start, its user, the link with its certificates, and all between; the hub is this machine's."""
    clip = shorten(CLIPS / "east.mp4", tmp_path / "clip.avi", frames=FRAMES)
    took_s = [play(image, name, hub=hub, clip=clip) for name, image in (("here", HERE), ("there", ARM64))]
    here, there = tracks(hub, "here"), tracks(hub, "there")
    assert len(here) == len(there) >= 2
    size_px = np.array([372, 576, 372, 576])
    for ours in here:
        theirs = min(there, key=lambda track: float(np.abs(track.box_rel - ours.box_rel).max()))
        apart_px = float((np.abs(theirs.box_rel - ours.box_rel) * size_px).max())
        alike = float(ours.embedding @ theirs.embedding)
        sys.stdout.write(f"{ours.frames} and {theirs.frames} frames, {apart_px:.2f} px, {alike:.4f}\n")
        assert ours.frames == theirs.frames
        assert apart_px <= BOX_TOLERANCE_PX
        assert alike >= LEAST_SIMILARITY
    sys.stdout.write(f"{took_s[1]:.1f} s emulated, {took_s[0]:.1f} s here\n")
