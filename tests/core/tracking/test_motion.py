import numpy as np
import pytest

from ruid_core.tracking import TrackerSettings
from ruid_core.tracking.motion import Motion, centre_boxes, corner_boxes

FIRST = np.array([0])
START = np.array([[100.0, 200.0, 40.0, 100.0]])
RIGHT = np.array([1.0, 0.0, 0.0, 0.0])


def walk(motion: Motion, *, speed_px: float, steps: int, step_s: float) -> None:
    """Follow a person who walks to the right, seen exactly."""
    for step in range(1, steps + 1):
        motion.predict(step_s)
        motion.correct(FIRST, START + RIGHT * (speed_px * step * step_s))


def started() -> Motion:
    motion = Motion(TrackerSettings())
    motion.add(START)
    return motion


def test_corners_and_centres_are_each_others_inverse() -> None:
    corners = np.array([[10, 20, 50, 120], [0, 0, 8, 16]], np.float32)

    assert corner_boxes(centre_boxes(corners)) == pytest.approx(corners)


def test_an_empty_or_inverted_side_counts_as_one_pixel() -> None:
    assert centre_boxes(np.array([[10, 20, 10, 10]], np.float32)).tolist() == [[10, 15, 1, 1]]


def test_speed_is_learned_and_carried_on() -> None:
    motion = started()
    walk(motion, speed_px=50, steps=20, step_s=0.1)

    motion.predict(1.0)

    assert motion.boxes_cxcywh_px[0] == pytest.approx(START[0] + RIGHT * 150, abs=1.0)


def test_two_half_steps_predict_what_one_whole_step_does() -> None:
    """Not only the place: what the next sighting weighs is the same as well."""
    whole, halves = started(), started()
    walk(whole, speed_px=30, steps=3, step_s=0.1)
    walk(halves, speed_px=30, steps=3, step_s=0.1)

    whole.predict(0.4)
    halves.predict(0.2)
    halves.predict(0.2)
    for motion in (whole, halves):
        motion.correct(FIRST, START + np.array([90.0, 3.0, 2.0, 1.0]))
        motion.predict(0.1)

    assert halves.boxes_cxcywh_px == pytest.approx(whole.boxes_cxcywh_px)


def test_a_frame_rate_that_changes_midway_keeps_the_speed() -> None:
    motion = started()
    walk(motion, speed_px=60, steps=30, step_s=1 / 30)
    for step in range(1, 6):
        motion.predict(0.2)
        motion.correct(FIRST, START + RIGHT * (60 + 60 * step * 0.2))

    motion.predict(0.5)

    assert motion.boxes_cxcywh_px[0, 0] == pytest.approx(100 + 60 * 2.5, abs=1.0)


def test_a_box_that_does_not_fit_moves_the_track_less() -> None:
    """Cut to half the height, the same shift of the centre is believed less."""
    whole, cut = started(), started()
    aside = START + RIGHT * 10
    for motion, seen in ((whole, aside), (cut, aside * np.array([1, 1, 1, 0.5]))):
        motion.predict(0.1)
        motion.correct(FIRST, seen)

    assert 100 < cut.boxes_cxcywh_px[0, 0] < whole.boxes_cxcywh_px[0, 0]


def test_after_an_absence_the_speed_is_that_between_the_two_sightings() -> None:
    motion = started()
    walk(motion, speed_px=50, steps=10, step_s=0.1)
    before = motion.last_seen_cxcywh_px(FIRST)
    motion.predict(1.0)

    motion.correct(FIRST, before)
    motion.straighten(FIRST, start_cxcywh_px=before, unseen_for_s=np.array([1.0]))
    stopped_px = motion.boxes_cxcywh_px[0, 0]
    motion.predict(1.0)

    assert motion.boxes_cxcywh_px[0, 0] == pytest.approx(stopped_px, abs=3.0)


def test_forgotten_rows_leave_the_others_in_order() -> None:
    motion = Motion(TrackerSettings())
    motion.add(np.concatenate((START, START + 1, START + 2)))

    motion.keep(np.array([True, False, True]))

    assert motion.boxes_cxcywh_px.tolist() == [START[0].tolist(), (START[0] + 2).tolist()]
