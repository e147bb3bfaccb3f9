"""What the hub counts on real footage, against the tracks, against the truth, and with the hub killed meanwhile."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from ruid_tools.evaluation.crossings import TrueCrossing, eval_crossings, match, read_truth
from ruid_tools.footage import DEBIAN_SOURCE
from system.playing import Hub, Node, poll, shorten, site
from tooling import REPOSITORY, require_file

FRAMES, FPS = 404, 10.0
"""The recording jumps after them, and the truth ends with them."""
MIDDLE = {"walk": {"lines": {"middle": [[0.5, 1.0], [0.5, 0.0]]}}}
AWAY_S = 4.0
PEOPLE, PEOPLE_OFF = 9, 1
"""How many different people the frames show, and by how many the hub's number may be off."""


@dataclass(frozen=True)
class Counted:
    """What a hub says once it has everything; crossings as seconds since the first frame and direction."""

    crossings: list[tuple[float, int]]
    entered: int
    left: int
    observations: int
    visitors: dict[str, float] = field(compare=False)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recording = require_file(DEBIAN_SOURCE, hint="apt install opencv-doc")
    return shorten(recording, tmp_path_factory.mktemp("clip") / "walk.avi", frames=FRAMES)


@pytest.fixture(scope="module")
def start_at_s() -> float:
    """The scene's own time, the same for every run."""
    return float(int(time.time()))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, clip: Path, start_at_s: float) -> Counted:
    with site(tmp_path_factory.mktemp("undisturbed")) as (hub, add):
        node = watch(hub, add, clip, start_at_s)
        return counted(hub, node, start_at_s)


@pytest.fixture(scope="module")
def truth() -> list[TrueCrossing]:
    data = Path(os.environ.get("RUID_DATA_DIR") or REPOSITORY.parent / "shared" / "data")
    path = data / "gt" / "vtest_1_404_crossings.csv"
    return read_truth(require_file(path, hint="set RUID_DATA_DIR to the folder of the data sets"), fps=FPS)


def test_the_hub_counts_what_the_tracks_say(undisturbed: Counted, clip: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "truth.csv"
    nothing.write_text("frame,direction\n", encoding="utf-8")
    tracks = eval_crossings(clip, nothing, last_frame=FRAMES, threads=1)
    assert (undisturbed.entered, undisturbed.left) == (tracks.told_right, tracks.told_left)
    directions = [direction for _, direction in undisturbed.crossings]
    assert (undisturbed.entered, undisturbed.left) == (directions.count(1), directions.count(-1))


def test_crossings_are_as_near_to_the_truth_as_documented(undisturbed: Counted, truth: list[TrueCrossing]) -> None:
    told = [TrueCrossing(at_s, direction) for at_s, direction in undisturbed.crossings]
    found = len(match(truth, told))
    assert found >= len(truth) - 2
    assert len(told) - found <= 1


def test_the_people_that_there_were_lie_in_the_interval(undisturbed: Counted) -> None:
    assert undisturbed.visitors["low"] <= PEOPLE <= undisturbed.visitors["high"]
    assert abs(undisturbed.visitors["value"] - PEOPLE) <= PEOPLE_OFF


def test_a_hub_killed_meanwhile_counts_the_same(
    undisturbed: Counted, clip: Path, start_at_s: float, tmp_path: Path
) -> None:
    with site(tmp_path) as (hub, add):
        node = watch(hub, add, clip, start_at_s)
        poll(lambda: len(crossings(hub, start_at_s)) >= 3, within_s=120, what="some crossings are counted")
        heard_s = time.time()
        hub.stop(signal.SIGKILL)
        time.sleep(AWAY_S)
        hub.start()
        assert len(crossings(hub, start_at_s)) < len(undisturbed.crossings)
        poll(lambda: len(crossings(hub, start_at_s)) > 3, within_s=60, what="the node delivers again")
        coverage = ask(hub, "/api/v1/counts/coverage", from_s=heard_s, to_s=time.time())
        assert [(camera["share"], camera["lost"]) for camera in coverage["cameras"]] == [(1.0, [])]
        again = counted(hub, node, start_at_s)
        assert again == undisturbed
        assert abs(again.visitors["value"] - PEOPLE) <= PEOPLE_OFF


def watch(hub: Hub, add: Callable[..., Node], clip: Path, start_at_s: float) -> Node:
    """Start a node that takes in every frame of the clip, with a line in the middle of the picture."""
    lines = hub.folder.parent / "cameras.json"
    lines.write_text(json.dumps(MIDDLE), encoding="utf-8")
    variables = {"RUID_SOURCE": f"walk={clip}", "RUID_PACE": "fast", "RUID_START_AT_S": str(start_at_s)}
    return add("counter", **variables, RUID_CAMERA_FILE=str(lines))


def counted(hub: Hub, node: Node, start_at_s: float) -> Counted:
    """Let the node end, and ask the hub."""
    assert node.process is not None
    assert node.process.wait(120) == 0, node.log
    assert node.summary["items_waiting"] == 0
    period = {"from_s": start_at_s, "to_s": start_at_s + FRAMES / FPS + 1}
    (line,) = ask(hub, "/api/v1/counts/crossings", **period)
    visitors = ask(hub, "/api/v1/counts/unique", **period)["total"]
    told = crossings(hub, start_at_s)
    assert hub.stop() == 0
    observations = hub.summary["observations"]
    assert "node has ended items_kept=0" in node.log
    assert "hub has stopped items_taken=" in hub.log  # since its start, and a killed hub has started twice
    assert f" observations_kept={observations} " in hub.log
    assert observations + len(told) == node.summary["items_spooled"]
    return Counted(told, line["entered"], line["left"], observations, visitors)


def crossings(hub: Hub, start_at_s: float) -> list[tuple[float, int]]:
    rows = ask(hub, "/api/v1/crossings", from_s=start_at_s, to_s=start_at_s + FRAMES / FPS + 1)
    return [(round(row["at_s"] - start_at_s, 3), row["direction"]) for row in rows]


def ask(hub: Hub, path: str, **query: float) -> Any:
    url = f"{hub.client.url}{path}?{urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own hub
        return json.load(answer)
