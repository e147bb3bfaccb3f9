"""What the demo says of a run."""

from typing import Any

import pytest
from rich.console import Console

from ruid_tools.demo.status import status_lines, status_text
from ruid_tools.demo.summary import add_up


def node(node_id: str, spooled: int) -> dict[str, Any]:
    camera = {
        "name": node_id.upper(),
        "frames": 100,
        "frames_skipped": 2,
        "detections": 50,
        "tracklets": spooled,
        "stage_ms": {"detect": {"p50": 9.0, "p95": 12.0}},
    }
    return {
        "node_id": node_id,
        "items_spooled": spooled,
        "wall_s": 5.0,
        "embedding_model_id": "reid",
        "detector_model_ids": ["detector"],
        "cameras": [camera],
    }


def hub(stored: dict[str, int]) -> dict[str, Any]:
    return {
        "observations": sum(stored.values()),
        "identities": 7,
        "identities_on_several_cameras": 3,
        "unique_estimate": {"value": 7.0, "low": 6.0, "high": 9.0},
        "items_stored": stored,
        "refusals": {},
        "latency_capture_to_identity_ms": {"p50": 40.0, "p95": 90.0},
    }


@pytest.mark.parametrize(
    ("stored", "lost", "duplicated"),
    [({"a": 10, "b": 20}, 0, 0), ({"a": 9, "b": 22}, 1, 2), ({"b": 20}, 10, 0)],
)
def test_losses_and_duplicates_are_told_apart_node_by_node(stored: dict[str, int], lost: int, duplicated: int) -> None:
    account = add_up(hub(stored), [node("a", 10), node("b", 20)], wall_s=6.0)
    assert (account["items_lost"], account["items_duplicated"]) == (lost, duplicated)


def test_cameras_are_added_up() -> None:
    account = add_up(hub({"a": 10, "b": 20}), [node("a", 10), node("b", 20)], wall_s=6.0)
    assert (account["cameras"], account["frames"], account["frames_skipped"]) == (2, 200, 4)
    assert account["fps_per_camera"] == {"A": 20.0, "B": 20.0}
    assert account["model_ids"] == ["detector", "reid"]
    assert account["stage_ms"]["B"]["detect"]["p50"] == 9.0


SITE: dict[str, Any] = {
    "people_now": 3,
    "unique": {"count": 5},
    "cameras": [
        {
            "name": "West",
            "state": "down",
            "people_now": 0,
            "fps": None,
            "latency": {"p50_ms": 40, "p95_ms": 90},
            "drops": [["inference_busy", 4]],
            "reason": "no message",
        }
    ],
}


def test_the_status_names_every_camera_and_its_trouble() -> None:
    console = Console(width=120, record=True, file=None, quiet=True)
    with console.capture() as captured:
        console.quiet = False
        console.print(status_lines(SITE, url="http://localhost:8080", troubles=["node1 ended: no power"]))
    shown = captured.get()
    for words in ("3", "5 different people", "West", "down", "identity after 40 ms", "4 frames skipped", "no power"):
        assert words in shown


def test_the_status_without_a_terminal_is_one_line() -> None:
    text = status_text(SITE, troubles=["node1 ended: no power"])
    assert text == "3 in view, 5 different people so far; West down 0 people 0 fps; node1 ended: no power"
    assert "no camera yet" in status_text({**SITE, "cameras": []}, troubles=[])


@pytest.mark.parametrize(("count", "said"), [(0, "0 people"), (1, "1 person"), (2, "2 people")])
def test_one_person_is_not_called_people(count: int, said: str) -> None:
    camera = {**SITE["cameras"][0], "people_now": count}
    site = {**SITE, "cameras": [camera], "unique": {"count": count}}
    console = Console(width=160)
    with console.capture() as captured:
        console.print(status_lines(site, url="http://localhost:8080", troubles=[]))
    for text in (captured.get(), status_text(site, troubles=[])):
        assert f" {said} " in text
        assert ("1 person so far" in text) is (count == 1)
        assert "1 people" not in text
        assert "1 different people" not in text
