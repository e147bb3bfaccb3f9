"""The node's networks on arm64: Debian's own Python and the very wheels of the lock file, run by an emulator.

Takes minutes, so it is only run where RUID_TRY_ARM64=1 asks for it. No instruction of a Raspberry Pi's own is tried,
and how long it takes says nothing of one.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tooling import REPOSITORY, require_tool

FRAMES = 4
CLIP = REPOSITORY / "tools/src/ruid_tools/demo/clips/west.mp4"
LOOK = Path(__file__).with_name("look.py")
SOURCES = (REPOSITORY / "core/src/ruid_core", REPOSITORY / "edge-node/src/ruid_edge")
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_17", "manylinux2014")
SURE = 0.5
"""Below it a person may be seen by one and missed by the other: video decoders and networks round differently there."""
BOX_TOLERANCE_PX = 3.0
CONFIDENCE_TOLERANCE = 0.05
LEAST_SIMILARITY = 0.98
"""Cosine of the two embeddings of one person."""

pytestmark = pytest.mark.skipif(
    os.environ.get("RUID_TRY_ARM64") != "1", reason="set RUID_TRY_ARM64=1: a run under an emulator takes minutes"
)


def succeed(*command: str | Path, timeout_s: float = 900) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, encoding="utf-8", check=False, timeout=timeout_s
    )
    assert done.returncode == 0, f"{command[0]}: {(done.stdout + done.stderr)[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian for arm64 with Python, unpacked and not set up: nothing of it needs to run for that."""
    if os.geteuid() != 0:
        pytest.skip("debootstrap and chroot take root")
    emulator = require_tool("qemu-aarch64-static")
    root = tmp_path_factory.mktemp("arm64") / "root"
    command = ("--foreign", "--arch=arm64", "--variant=minbase", "--include=python3")
    succeed(require_tool("debootstrap"), *command, "trixie", root)
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        succeed("dpkg-deb", "--extract", package, root)
    shutil.copy(emulator, root / "emulator")
    return root


@pytest.fixture(scope="module")
def node(root: Path) -> Path:
    """The same with the wheels of the node's lock file, its code, its models and a clip."""
    home = root / "opt/ruid"
    platforms = [word for name in PLATFORMS for word in ("--platform", f"{name}_aarch64")]
    kinds = ("--python-version=3.13", "--implementation=cp", "--abi=cp313", "--abi=abi3", "--abi=none")
    lock = ("--only-binary=:all:", "--no-deps", "--require-hashes", "-r", REPOSITORY / "requirements/edge.txt")
    succeed(sys.executable, "-m", "pip", "install", "--quiet", "--target", home, *platforms, *kinds, *lock)
    for source in SOURCES:
        shutil.copytree(source, home / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CLIP, home)
    shutil.copy(LOOK, home)
    return root


def look_on_arm64(root: Path) -> dict[str, Any]:
    python = ("chroot", root, "/emulator", "/usr/bin/python3", f"/opt/ruid/{LOOK.name}")
    return json.loads(succeed(*python, f"/opt/ruid/{CLIP.name}", str(FRAMES)))


def look_here() -> dict[str, Any]:
    return json.loads(succeed(sys.executable, LOOK, CLIP, str(FRAMES)))


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


def sure(seen: dict[str, Any]) -> list[int]:
    return [place for place, confidence in enumerate(seen["confidences"]) if confidence >= SURE]


def test_the_same_people_are_seen_on_arm64_as_here(node: Path) -> None:
    here, there = look_here(), look_on_arm64(node)
    assert there["machine"] == "aarch64"
    differences = Differences()
    for ours, theirs in zip(here["pictures"], there["pictures"], strict=True):
        assert theirs["mean"] == pytest.approx(ours["mean"], abs=0.5)
        for detector in ("accurate", "fast"):
            assert len(sure(ours[detector])) == len(sure(theirs[detector]))
            differences.learn(ours[detector], theirs[detector])
    sys.stdout.write(f"{differences}; {there['took_s']:.1f} s emulated, {here['took_s']:.1f} s here\n")
    assert differences.people >= FRAMES
    assert differences.box_px <= BOX_TOLERANCE_PX
    assert differences.confidence <= CONFIDENCE_TOLERANCE
    assert differences.similarity >= LEAST_SIMILARITY
