"""The camera page's drawings: gaps on a strip, health as lines, shapes to and from the board."""

import msgspec
import pytest

from hub_fakes import NOON_S
from ruid_core.wire.messages import CameraConfig, Line, Zone
from ruid_hub.identities import DriftAlarm, DriftKind
from ruid_hub.observations import CoverageGap
from ruid_hub.pages.cameras import (
    DAY_S,
    GapMark,
    ShapesForm,
    changes_of,
    gap_marks,
    hung,
    sparks,
    unheard_percent,
    with_shapes,
)
from ruid_hub.site import HealthSample


def gap(from_s: float, to_s: float) -> CoverageGap:
    return CoverageGap("node-1/cam", NOON_S + from_s, NOON_S + to_s, "unplugged")


def sample(at_s: float, *, fps: float = 9.0, temperature_c: float | None = None) -> HealthSample:
    return HealthSample(NOON_S + at_s, fps, temperature_c, 20.0, None, 0)


def test_gaps_that_overlap_are_one_mark_and_only_the_last_day_counts():
    marks = gap_marks([gap(-DAY_S - 100, -DAY_S * 0.75), gap(-DAY_S * 0.8, -DAY_S / 2)], NOON_S)
    assert marks == (GapMark(0.0, 50.0),)


def test_the_strip_is_grey_until_a_camera_was_first_heard():
    assert unheard_percent([], [], NOON_S) == 100
    assert unheard_percent([sample(-DAY_S / 4), sample(0)], [], NOON_S) == 75
    assert unheard_percent([sample(-DAY_S / 4)], [gap(-DAY_S, -60)], NOON_S) == 0


def test_what_a_node_does_not_measure_is_not_drawn():
    assert [spark.name for spark in sparks([sample(0)])] == [
        "Pictures a second",
        "Processor",
        "Reports waiting to be sent",
    ]


def test_what_changed_on_a_camera_is_told_for_a_day_to_those_who_may_see_it():
    def drift(camera: str, kind: DriftKind, at_s: float) -> DriftAlarm:
        return DriftAlarm(camera, kind, NOON_S + at_s, 0.2, 0.5)

    changes = changes_of(
        [
            drift("node-1/cam", DriftKind.APPEARANCE, -60),
            drift("node-1/cam", DriftKind.RATE, -30),
            drift("node-1/old", DriftKind.RATE, -DAY_S - 1),
            drift("node-2/cam", DriftKind.RATE, -30),
        ],
        {"node-1/cam", "node-1/old"},
        since_s=NOON_S - DAY_S,
    )
    assert [change.what for change in changes.pop("node-1/cam")] == [
        "it looks at people every 0.5 s, before that every 0.2 s",
        "people look different on it than before",
    ]
    assert changes == {}


def test_a_measure_runs_over_the_whole_width_and_height():
    [frames, *_] = sparks([sample(0, fps=5), sample(60, fps=10)])
    assert (frames.now, frames.range, frames.points) == ("10", "between 5 and 10", "0.0,28.0 100.0,2.0")


def test_what_is_drawn_becomes_masks_zones_and_lines():
    drawn = msgspec.json.decode(
        b"""{"masks": [[[0, 0], [1, 0], [1, 1]]],
             "zones": [{"id": "z", "name": " Door ", "points": [[0, 0], [0.5, 0], [0.5, 0.5]]}],
             "lines": [{"id": "l", "name": "In", "points": [[0, 0.5], [1, 0.5]]}]}""",
        type=ShapesForm,
    )
    config = with_shapes(CameraConfig("cam", name="Entrance"), drawn)
    assert config.name == "Entrance"
    assert config.masks_rel == (((0, 0), (1, 0), (1, 1)),)
    assert config.zones == (Zone("z", "Door", ((0, 0), (0.5, 0), (0.5, 0.5))),)
    assert config.lines == (Line("l", "In", (0, 0.5), (1, 0.5)),)


def test_what_is_drawn_stays_on_what_it_was_drawn_over_when_the_camera_is_said_to_hang_otherwise():
    drawn = CameraConfig(
        "cam",
        masks_rel=(((0.0, 0.0), (1.0, 0.0), (1.0, 0.25)),),
        zones=(Zone("z", "Door", ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))),),
        lines=(Line("l", "In", (0.0, 0.5), (1.0, 0.25)),),
    )
    turned = hung(drawn, upside_down=True)
    assert turned.upside_down
    assert turned.masks_rel == (((1.0, 1.0), (0.0, 1.0), (0.0, 0.75)),)
    assert turned.zones == (Zone("z", "Door", ((1.0, 1.0), (0.5, 1.0), (0.5, 0.5))),)
    assert turned.lines == (Line("l", "In", (1.0, 0.5), (0.0, 0.75)),)
    assert hung(turned, upside_down=True) == turned
    assert hung(turned, upside_down=None) == drawn
    assert hung(drawn, upside_down=False).lines == drawn.lines


def test_a_drawing_with_anything_else_in_it_is_refused():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"masks": [], "zones": [], "lines": [], "command": "rm"}', type=ShapesForm)
