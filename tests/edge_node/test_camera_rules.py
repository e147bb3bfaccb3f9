"""A configuration is judged before any of it holds, and the fault is named by its field."""

from typing import Any

import pytest

from ruid_core.tracking import Line, Zone
from ruid_core.wire import messages as wm
from ruid_edge.camera_rules import find_fault, rules_from
from ruid_edge.pipeline import CameraRules, ThumbnailPolicy

SQUARE = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5))
BOW_TIE = ((0.1, 0.1), (0.5, 0.5), (0.5, 0.1), (0.1, 0.5))


def config(**fields: Any) -> wm.CameraConfig:
    return wm.CameraConfig("cam0", **fields)


def test_a_full_configuration_is_taken_over_the_nodes_own() -> None:
    wish = config(
        name="till",
        frame_rate_fps=8.0,
        detection_confidence=0.7,
        thumbnails="off",
        masks_rel=(SQUARE,),
        zones=(wm.Zone("z", "queue", SQUARE),),
        lines=(wm.Line("l", "door", (0.0, 0.5), (1.0, 0.5)),),
    )
    assert find_fault([wish], camera_ids=["cam0", "cam1"]) is None
    own = CameraRules(masks_rel=(BOW_TIE,))
    assert rules_from(wish, own) == CameraRules(
        thumbnails=ThumbnailPolicy.OFF,
        frame_rate_fps=8.0,
        detection_confidence=0.7,
        masks_rel=(BOW_TIE, SQUARE),
        zones=(Zone("z", SQUARE),),
        lines=(Line("l", (0.0, 0.5), (1.0, 0.5)),),
    )


def test_what_is_not_wished_for_stays_as_the_node_has_it() -> None:
    own = CameraRules(ThumbnailPolicy.ON, 5.0, 0.5, (SQUARE,), (Zone("z", SQUARE),), (Line("l", (0, 0), (1, 1)),))
    assert rules_from(config(), own) == own


def test_what_the_node_hides_itself_stays_hidden_when_the_hub_turns_the_picture() -> None:
    own = CameraRules(masks_rel=(SQUARE,), zones=(Zone("z", SQUARE),), lines=(Line("l", (0.0, 0.5), (1.0, 0.25)),))
    there = tuple((pytest.approx(1 - x), pytest.approx(1 - y)) for x, y in SQUARE)
    rules = rules_from(config(upside_down=True, masks_rel=(BOW_TIE,)), own)
    assert rules.upside_down
    assert rules.masks_rel == (there, BOW_TIE)
    assert rules.zones[0].corners_rel == there
    assert rules.lines == (Line("l", (1.0, 0.5), (0.0, 0.75)),)
    back = rules_from(config(upside_down=False), rules)
    assert not back.upside_down
    assert back.lines == own.lines
    assert rules_from(config(upside_down=True), rules) == rules


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"name": ""}, "name", "printable"),
        ({"name": "x" * 81}, "name", "80"),
        ({"frame_rate_fps": 0.0}, "frame_rate_fps", "between"),
        ({"frame_rate_fps": float("nan")}, "frame_rate_fps", "between"),
        ({"detection_confidence": 1.5}, "detection_confidence", "1.5"),
        ({"thumbnails": "sharp"}, "thumbnails", "blurred"),
        ({"masks_rel": (SQUARE[:2],)}, "masks_rel[0]", "2 corners"),
        ({"masks_rel": (SQUARE, BOW_TIE)}, "masks_rel[1]", "cross"),
        ({"masks_rel": (((0, 0), (0.5, 0.5), (1, 1)),)}, "masks_rel[0]", "encloses nothing"),
        ({"masks_rel": (((0, 0), (1.5, 0), (1, 1)),)}, "masks_rel[0]", "(1.5, 0)"),
        ({"masks_rel": (((0, 0), (float("nan"), 0), (1, 1)),)}, "masks_rel[0]", "outside"),
        ({"masks_rel": (SQUARE,) * 33}, "masks_rel", "too many"),
        ({"zones": (wm.Zone("z", "a", BOW_TIE),)}, "zones[0].points_rel", "cross"),
        ({"zones": (wm.Zone("z", "a", SQUARE), wm.Zone("z", "b", SQUARE))}, "zones", "id of its own"),
        ({"lines": (wm.Line("", "a", (0, 0), (1, 1)),)}, "lines", "id of its own"),
        ({"lines": (wm.Line("l", "a", (0.5, 0.5), (0.5, 0.5)),)}, "lines[0]", "same place"),
        ({"lines": (wm.Line("l", "a", (0.5, -0.5), (0.5, 0.5)),)}, "lines[0]", "outside"),
    ],
)
def test_a_fault_is_named(fields: dict[str, Any], field: str, reason: str) -> None:
    fault = find_fault([wm.CameraConfig("cam1"), config(**fields)], camera_ids=["cam0", "cam1"])
    assert fault is not None
    assert fault.field == f"cameras[1].{field}"
    assert reason in fault.reason


@pytest.mark.parametrize("cameras", [["cam9"], ["cam0", "cam0"]])
def test_a_camera_that_is_not_there_or_there_twice_is_named(cameras: list[str]) -> None:
    fault = find_fault([wm.CameraConfig(camera) for camera in cameras], camera_ids=["cam0"])
    last = len(cameras) - 1
    assert fault is not None
    assert fault.field == f"cameras[{last}].camera_id"
    assert cameras[last] in fault.reason
