"""What a camera cannot be set to is refused with the field and the reason."""

from typing import Any

import pytest

from core.wire.builders import camera_config
from ruid_core.wire import messages as wm
from ruid_core.wire.configuration import check_configuration
from ruid_core.wire.errors import InvalidConfiguration

TRIANGLE = ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))


def refused_field(*cameras: wm.CameraConfig) -> str:
    with pytest.raises(InvalidConfiguration) as refused:
        check_configuration(cameras, known={"cam0"})
    assert str(refused.value) == f"{refused.value.field}: {refused.value.reason}"
    assert refused.value.code == "configuration"
    return refused.value.field


def test_what_makes_sense_is_accepted() -> None:
    check_configuration((), known=())
    check_configuration((camera_config(),), known={"cam0"})
    check_configuration((wm.CameraConfig("cam0"),), known={"cam0", "cam1"})


def test_a_camera_that_is_not_there_or_twice_there() -> None:
    assert refused_field(camera_config(camera_id="cam9")) == "camera_id"
    assert refused_field(camera_config(), camera_config()) == "cameras"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "a\x07"}, "name"),
        ({"frame_rate_fps": 0.0}, "frame_rate_fps"),
        ({"frame_rate_fps": float("nan")}, "frame_rate_fps"),
        ({"detection_confidence": 1.0}, "detection_confidence"),
        ({"thumbnails": "sharp"}, "thumbnails"),
        ({"masks_rel": (TRIANGLE,) * 33}, "masks_rel"),
        ({"masks_rel": (TRIANGLE, TRIANGLE[:2])}, "masks_rel[1]"),
        ({"masks_rel": (((0.1, 0.1), (0.2, 0.2), (0.3, 0.3)),)}, "masks_rel[0]"),
        ({"masks_rel": (TRIANGLE * 22,)}, "masks_rel[0]"),
        ({"zones": (wm.Zone("z", "Z", TRIANGLE),) * 2}, "zones"),
        ({"zones": tuple(wm.Zone(f"z{n}", "Z", TRIANGLE) for n in range(33))}, "zones"),
        ({"zones": (wm.Zone("", "Z", TRIANGLE),)}, "zones[0].zone_id"),
        ({"zones": (wm.Zone("z", "", TRIANGLE),)}, "zones[0].name"),
        ({"zones": (wm.Zone("z", "Z", ((0.0, 0.0), (1.1, 0.0), (0.0, 1.0))),)}, "zones[0].points_rel"),
        ({"zones": (wm.Zone("z", "Z", ((0.0, 0.0), (float("nan"), 0.0), (0.0, 1.0))),)}, "zones[0].points_rel"),
        ({"lines": (wm.Line("l", "L", (0.1, 0.1), (0.9, 0.9)),) * 2}, "lines"),
        ({"lines": tuple(wm.Line(f"l{n}", "L", (0, 0), (1, 1)) for n in range(33))}, "lines"),
        ({"lines": (wm.Line("", "L", (0.1, 0.1), (0.9, 0.9)),)}, "lines[0].line_id"),
        ({"lines": (wm.Line("l", "", (0.1, 0.1), (0.9, 0.9)),)}, "lines[0].name"),
        ({"lines": (wm.Line("l", "L", (0.1, 0.1), (0.1, 0.105)),)}, "lines[0]"),
        ({"lines": (wm.Line("l", "L", (-0.1, 0.1), (0.1, 0.1)),)}, "lines[0]"),
    ],
)
def test_settings_that_make_no_sense(changes: dict[str, Any], field: str) -> None:
    assert refused_field(camera_config(**changes)) == field
