"""Parts of the site fail and come back, and nothing is lost."""

import signal
import time
from pathlib import Path

from system.playing import CLIPS, poll, shorten, site


def test_a_hub_that_is_away_in_the_middle_misses_nothing(tmp_path: Path) -> None:
    """The hub is stopped for seconds while two nodes play; the page then says who was away, and all arrives."""
    clips = {
        name: str(shorten(CLIPS / f"{name}.mp4", tmp_path / f"{name}.avi", frames=400)) for name in ("west", "east")
    }
    with site(tmp_path) as (hub, add):
        nodes = [add(name, RUID_PACE="real", RUID_SOURCE=source) for name, source in clips.items()]
        poll(lambda: all(fps(hub.cameras().get(node.name)) > 1 for node in nodes), within_s=60, what="both nodes play")
        assert hub.stop() == 0
        time.sleep(10)
        assert all(node.process is not None and node.process.poll() is None for node in nodes)
        hub.start()
        poll(
            lambda: all(state(hub.cameras().get(node.name)) == "up" for node in nodes),
            within_s=30,
            what="both cameras are up again",
        )
        gaps = [hub.cameras()[node.name]["last_gap"] for node in nodes]
        assert all(gap["to_s"] - gap["from_s"] > 9 for gap in gaps)
        assert [node.process.wait(60) for node in nodes if node.process is not None] == [0, 0]
        assert hub.stop() == 0
        spooled = [node.summary for node in nodes]
        assert [node["items_waiting"] for node in spooled] == [0, 0]
        assert hub.summary["observations"] == sum(node["items_spooled"] for node in spooled) > 10
        assert all("unreachable" in node.log for node in nodes)


def test_a_killed_hub_goes_on_where_it_was(tmp_path: Path) -> None:
    with site(tmp_path) as (hub, add):
        node = add("west", RUID_PACE="fast", RUID_START_AT_S="1700000000")
        for _ in range(4):
            time.sleep(1.5)
            hub.stop(signal.SIGKILL)
            hub.start()
        assert node.process is not None
        assert node.process.wait(200) == 0
        assert hub.stop() == 0
        summary = node.summary
        assert summary["items_waiting"] == 0
        assert hub.summary["observations"] == summary["items_spooled"]


def test_a_killed_node_is_shown_down_and_up_again(tmp_path: Path) -> None:
    with site(tmp_path) as (hub, add):
        node = add("west", RUID_LOOP="true")
        poll(lambda: fps(hub.cameras().get("west")) > 1, within_s=60, what="the node plays")
        node.stop(signal.SIGKILL)
        poll(lambda: state(hub.cameras().get("west")) == "down", within_s=5, what="the camera is shown down")
        assert hub.client.site()["people_now"] == 0
        node.start()
        poll(lambda: state(hub.cameras().get("west")) == "up", within_s=60, what="the camera is up again")
        assert hub.cameras()["west"]["last_gap"] is not None


def test_a_node_without_a_hub_says_so_once_and_goes_on(tmp_path: Path) -> None:
    with site(tmp_path) as (hub, add):
        assert hub.stop() == 0
        node = add("west", RUID_PACE="real")
        poll(lambda: "unreachable" in node.log, within_s=30, what="the node tells")
        time.sleep(3)
        assert node.log.count("unreachable") == 1
        assert node.stop() == 0
        assert node.summary["items_waiting"] == node.summary["items_spooled"] > 0


def test_a_model_that_is_no_model_is_told_in_one_line(tmp_path: Path) -> None:
    nonsense = tmp_path / "model.onnx"
    nonsense.write_bytes(b"this is no network")
    with site(tmp_path) as (_, add):
        node = add("west", RUID_DETECTOR=str(nonsense))
        assert node.process is not None
        assert node.process.wait(30) == 70
        assert "Traceback" not in node.log
        assert "model.onnx" in node.log.strip().splitlines()[-1]


def fps(camera: "dict[str, object] | None") -> float:
    value = (camera or {}).get("fps")
    return value if isinstance(value, float) else 0.0


def state(camera: "dict[str, object] | None") -> object:
    return (camera or {}).get("state")
