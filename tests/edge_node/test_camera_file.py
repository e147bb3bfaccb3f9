"""A node's own masks, zones and lines come from a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from ruid_core.tracking import Line, Zone
from ruid_edge.camera_file import own_rules
from ruid_edge.errors import BadSettings
from ruid_edge.pipeline import CameraRules, ThumbnailPolicy
from ruid_edge.settings import EdgeSettings

SQUARE = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5], [0.1, 0.5]]


def settings(folder: Path, content: Any) -> EdgeSettings:
    file = folder / "cameras.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return EdgeSettings(source="door=0 yard=1", camera_file=str(file))


def test_without_a_file_a_camera_has_the_nodes_policy_which_is_private_by_default() -> None:
    assert own_rules(EdgeSettings(source="door=0")) == {"cam0": CameraRules(ThumbnailPolicy.BLURRED)}


def test_each_camera_finds_its_entry_by_name_or_id(tmp_path: Path) -> None:
    content = {
        "door": {"masks": [SQUARE], "lines": {"entrance": [[0.5, 1], [0.5, 0]]}, "thumbnails": "off"},
        "cam1": {"zones": {"till": SQUARE}, "frame_rate_fps": 5, "detection_confidence": 0.7, "upside_down": True},
    }
    corners = tuple((x, y) for x, y in SQUARE)
    assert own_rules(settings(tmp_path, content)) == {
        "cam0": CameraRules(
            ThumbnailPolicy.OFF, masks_rel=(corners,), lines=(Line("entrance", (0.5, 1.0), (0.5, 0.0)),)
        ),
        "cam1": CameraRules(
            frame_rate_fps=5.0, detection_confidence=0.7, zones=(Zone("till", corners),), upside_down=True
        ),
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be used"),
        ({"door": {"mask": []}}, "mask"),
        ({"gate": {}}, "'gate', which is no camera"),
        ({"door": {"zones": {"till": SQUARE[:2]}}}, r"camera 'door', zones\[0\].points_rel: 2 corners"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        own_rules(settings(tmp_path, content))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="nowhere"):
        own_rules(EdgeSettings(source="0", camera_file=str(tmp_path / "nowhere.json")))
