from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from itertools import count

import numpy as np
import pytest

from core.tracking.street import boxes, new_tracker, person, seen_ids, sure, watch, watch_all
from ruid_core.tracking import Track, Tracker, TrackerSettings, TrackerStep, TrackingError
from ruid_core.tracking.tracker import Recognise

STEP_S = 0.1
NOBODY = boxes()


def test_someone_walking_keeps_one_id() -> None:
    tracker = new_tracker()
    steps = [watch(tracker, boxes(person(100 + 8 * k)), at_s=k * STEP_S) for k in range(50)]

    assert {track.track_id for step in steps for track in step.tracks} == {1}


def test_a_track_is_reported_with_the_detection_it_took() -> None:
    tracker = new_tracker()
    steps = [watch(tracker, boxes(person(500), person(100 + k)), at_s=10 + k * STEP_S) for k in range(3)]

    first, second = steps[-1].tracks
    assert (first.detection_index, second.detection_index) == (0, 1)
    assert second.box_xyxy_px == tuple(person(102))
    assert second.confidence == pytest.approx(0.9)
    assert (second.started_at_s, second.last_seen_at_s) == (10, pytest.approx(10.2))


def test_a_track_tells_where_it_was_before_it_was_reported() -> None:
    steps = watch_all(new_tracker(), [boxes(person(100 + 10 * k)) for k in range(6)])
    told = [(track.began_foot_xy_px, track.started_at_s) for step in steps for track in step.tracks]
    assert not steps[0].tracks
    assert set(told) == {((100.0, 250.0), 0.0)}


def test_a_single_sighting_is_not_reported() -> None:
    tracker = new_tracker()

    first = watch(tracker, boxes(person(100)), at_s=0)
    later = [watch(tracker, NOBODY, at_s=k * STEP_S) for k in range(1, 60)]

    assert not first.tracks
    assert not any(step.tracks or step.ended_track_ids for step in later)


def test_people_who_cross_keep_their_ids() -> None:
    """A small and a large person walk through each other; for a while one box stands for both."""
    near = [person(100 + 12 * k, 230, height_px=130) for k in range(41)]
    far = [person(580 - 12 * k, 200, height_px=80) for k in range(41)]
    frames = [boxes(near[k]) if 18 <= k <= 22 else boxes(near[k], far[k]) for k in range(41)]

    steps = watch_all(new_tracker(), frames)

    assert seen_ids(steps[10]) == seen_ids(steps[40]) == {0: 1, 1: 2}


def test_someone_hidden_for_a_while_comes_back_as_the_same() -> None:
    """1.5 s behind a van, and no detection of any kind in between."""
    tracker = new_tracker()
    for k in range(20):
        watch(tracker, boxes(person(100 + 6 * k)), at_s=k * STEP_S)
    hidden = [watch(tracker, NOBODY, at_s=k * STEP_S) for k in range(20, 35)]
    back = watch(tracker, boxes(person(100 + 6 * 35)), at_s=3.5)

    assert [step.tracks[0].detection_index for step in hidden] == [-1] * 15
    assert seen_ids(back) == {0: 1}


def test_a_coasting_track_is_reported_where_it_is_expected() -> None:
    tracker = new_tracker()
    for k in range(30):
        watch(tracker, boxes(person(100 + 5 * k)), at_s=k * STEP_S)

    (track,) = watch(tracker, NOBODY, at_s=3.4).tracks

    assert track.detection_index == -1
    assert track.box_xyxy_px == pytest.approx(person(100 + 5 * 34), abs=5)
    assert track.last_seen_at_s == pytest.approx(2.9)


def test_someone_away_for_long_ends_and_comes_back_as_new() -> None:
    tracker = new_tracker()
    for k in range(5):
        watch(tracker, boxes(person(100)), at_s=k * STEP_S)

    ended = watch(tracker, boxes(person(100)), at_s=60.0)
    again = [watch(tracker, boxes(person(100)), at_s=60 + k * STEP_S) for k in range(1, 5)]

    assert ended.ended_track_ids == (1,)
    assert seen_ids(again[-1]) == {0: 2}


def test_the_frame_rate_may_change_midway() -> None:
    """30 frames per second, then 4: the walker is a whole body's width further each time."""
    tracker = new_tracker()
    times_s = [k / 30 for k in range(60)] + [2 + k / 4 for k in range(12)]
    steps = [watch(tracker, boxes(person(50 + 120 * at_s)), at_s=at_s) for at_s in times_s]

    assert {track.track_id for step in steps for track in step.tracks} == {1}
    assert seen_ids(steps[-1]) == {0: 1}


def test_one_frame_in_two_seconds_is_enough_to_be_reported() -> None:
    tracker = new_tracker()
    steps = [watch(tracker, boxes(person(100)), at_s=k * 2.0) for k in range(3)]

    assert seen_ids(steps[-1]) == {0: 1}


def test_a_faint_detection_continues_a_track() -> None:
    tracker = new_tracker()
    for k in range(4):
        watch(tracker, boxes(person(100)), at_s=k * STEP_S)

    step = watch(tracker, boxes(person(100)), at_s=0.4, confidence=0.2)

    assert seen_ids(step) == {0: 1}


def test_a_faint_detection_starts_nothing_and_a_fainter_one_is_not_looked_at() -> None:
    tracker = new_tracker()
    for k in range(4):
        watch(tracker, boxes(person(100)), at_s=k * STEP_S)

    steps = [watch(tracker, boxes(person(100 + 300), person(100)), at_s=1 + k, confidence=0.05) for k in range(2)]
    faint = [watch(tracker, boxes(person(400)), at_s=2.1 + k * STEP_S, confidence=0.3) for k in range(5)]

    assert not any(seen_ids(step) for step in steps + faint)


def test_sure_detections_choose_first() -> None:
    """The faint box lies exactly where the track is expected, the sure one a little beside."""
    tracker = new_tracker()
    for k in range(4):
        watch(tracker, boxes(person(100)), at_s=k * STEP_S)

    step = tracker.update(boxes(person(100), person(106)), np.array([0.3, 0.9], np.float32), at_s=0.4)

    assert seen_ids(step) == {1: 1}


def test_a_second_sure_box_on_one_person_starts_no_track() -> None:
    steps = watch_all(new_tracker(), [boxes(person(100))] + [boxes(person(100), person(103))] * 9)

    assert [track.track_id for track in steps[-1].tracks] == [1]


def test_furniture_that_resembles_a_person_is_not_reported() -> None:
    """It never moves and the detector is never quite sure; a person as unsure as that is reported on walking."""
    frames = [boxes(person(100), person(300 + 4 * k)) for k in range(100)]

    steps = watch_all(new_tracker(), frames, confidence=0.62)

    assert set(seen_ids(steps[-1])) == {1}


def test_the_ids_of_two_trackers_come_from_one_source() -> None:
    ids = count(1)
    left, right = (watch_all(new_tracker(ids=ids), [boxes(person(100))] * 4) for _ in range(2))

    assert left[-1].tracks[0].track_id != right[-1].tracks[0].track_id


def test_a_crowd_beyond_the_bound_is_followed_by_sureness() -> None:
    tracker = new_tracker(TrackerSettings(max_tracks=2))
    crowd = boxes(*(person(100 + 200 * k) for k in range(4)))
    confidences = np.array([0.7, 0.9, 0.8, 0.95], np.float32)
    steps = [tracker.update(crowd, confidences, at_s=k * STEP_S) for k in range(4)]

    assert set(seen_ids(steps[-1])) == {1, 3}


def test_finishing_ends_every_track_and_leaves_the_tracker_new() -> None:
    tracker = new_tracker()
    for k in range(4):
        watch(tracker, boxes(person(100), person(400)), at_s=k * STEP_S)

    last = tracker.finish()
    restarted = watch(tracker, boxes(person(100)), at_s=0.0)

    assert not last.tracks
    assert last.ended_track_ids == (1, 2)
    assert not restarted.tracks
    assert not tracker.finish().ended_track_ids


@pytest.mark.parametrize("at_s", [0.5, 1.0, np.nan, np.inf])
def test_time_that_does_not_advance_is_refused(at_s: float) -> None:
    tracker = new_tracker()
    watch(tracker, NOBODY, at_s=1.0)

    with pytest.raises(TrackingError, match="time"):
        watch(tracker, NOBODY, at_s=at_s)


@pytest.mark.parametrize(
    ("people", "confidences"),
    [
        (np.zeros((2, 4)), np.zeros(1)),
        (np.zeros((2, 5)), np.zeros(2)),
        (np.zeros(4), np.zeros(1)),
        (np.zeros((1, 4)), np.zeros((1, 1))),
    ],
)
def test_shapes_that_do_not_fit_are_refused(people: np.ndarray, confidences: np.ndarray) -> None:
    with pytest.raises(TrackingError, match="boxes"):
        new_tracker().update(people.astype(np.float32), confidences.astype(np.float32), at_s=0.0)


def test_a_refused_frame_changes_nothing() -> None:
    tracker = new_tracker()
    for k in range(4):
        watch(tracker, boxes(person(100)), at_s=k * STEP_S)

    for wrong in (np.nan, np.inf, -np.inf):
        for beyond in (wrong, 2e6):
            with pytest.raises(TrackingError, match="finite"):
                tracker.update(boxes(person(beyond)), sure(1), at_s=0.4)
        with pytest.raises(TrackingError, match="finite"):
            watch(tracker, boxes(person(100)), at_s=0.4, confidence=wrong)

    assert seen_ids(watch(tracker, boxes(person(100)), at_s=0.4)) == {0: 1}


def test_a_step_cannot_be_changed() -> None:
    step = watch(new_tracker(), NOBODY, at_s=0.0)

    with pytest.raises(FrozenInstanceError):
        step.tracks = ()  # type: ignore[misc]


def test_where_people_should_be_is_foreseen_and_nothing_changes() -> None:
    tracker = new_tracker()
    assert tracker.is_empty
    assert tracker.foresee(at_s=0) == ()
    steps = [watch(tracker, boxes(person(100 + 5 * k)), at_s=k * STEP_S) for k in range(30)]

    (ahead,) = tracker.foresee(at_s=3.2)

    assert not tracker.is_empty
    assert (ahead.track_id, ahead.detection_index, ahead.last_seen_at_s) == (1, -1, pytest.approx(2.9))
    assert ahead.box_xyxy_px == pytest.approx(person(100 + 5 * 32), abs=3)
    assert tracker.foresee(at_s=1.0)[0].box_xyxy_px == pytest.approx(steps[-1].tracks[0].box_xyxy_px, abs=3)
    assert watch(tracker, boxes(person(100 + 5 * 30)), at_s=3.0).tracks[0].track_id == 1


def test_a_foot_does_not_jump_when_the_legs_are_hidden() -> None:
    tracker = new_tracker()
    steps = [watch(tracker, boxes(person(100)), at_s=k * STEP_S) for k in range(30)]
    x1, y1, x2, y2 = person(100)
    assert steps[-1].tracks[0].foot_xy_px == pytest.approx(((x1 + x2) / 2, y2), abs=0.5)

    (half_hidden,) = watch(tracker, boxes([x1, y1, x2, (y1 + y2) / 2]), at_s=3.0).tracks

    assert half_hidden.foot_xy_px[1] > (y1 + 3 * y2) / 4


HIDDEN_FOR = 12
"""Frames for which somebody is behind a group, to come out where no prediction would have it."""


def turn_back(tracker: Tracker, *others: list[float], recognise: Recognise, to_x_px: float = 110) -> TrackerStep:
    """Let one walk right, be hidden, and come out standing at `to_x_px`; `others` are there all the time."""
    walk = [boxes(person(100 + 6 * k), *others) for k in range(20)]
    frames = [*walk, *[boxes(*others)] * HIDDEN_FOR, *[boxes(person(to_x_px), *others)] * 4]
    steps = [
        tracker.update(people, sure(len(people)), at_s=k * STEP_S, recognise=recognise)
        for k, people in enumerate(frames)
    ]
    return steps[-1]


def test_whoever_is_recognised_on_coming_out_elsewhere_goes_on_with_the_former_track() -> None:
    asked: list[tuple[int, tuple[Track, ...]]] = []

    def recognise(detection_index: int, hidden: Sequence[Track]) -> int:
        asked.append((detection_index, tuple(hidden)))
        return hidden[0].track_id

    step = turn_back(new_tracker(), person(600), recognise=recognise)

    (index, (hidden,)) = asked[0]
    assert (len(asked), index, hidden.track_id, hidden.detection_index) == (1, 0, 1, -1)
    assert hidden.box_xyxy_px == pytest.approx(person(100 + 6 * 19), abs=3)
    assert seen_ids(step) == {0: 1, 1: 2}
    track = next(track for track in step.tracks if track.track_id == 1)
    assert (track.started_at_s, track.began_foot_xy_px) == (0.0, (100.0, 250.0))
    assert len(step.tracks) == 2


def test_whoever_is_not_recognised_is_somebody_new() -> None:
    step = turn_back(new_tracker(), recognise=lambda index, hidden: None)

    assert seen_ids(step) == {0: 2}
    assert {track.track_id for track in step.tracks} == {1, 2}


@pytest.mark.parametrize(
    ("to_x_px", "reach", "height"),
    [(110, 0.5, 0.25), (450, 1.5, 0.25), (110, 1.5, -1.0)],
    ids=["reach", "far", "height"],
)
def test_nobody_out_of_reach_or_of_another_height_is_asked_about(to_x_px: float, reach: float, height: float) -> None:
    def recognise(detection_index: int, hidden: Sequence[Track]) -> int:
        raise AssertionError("there is nobody to recognise")

    tracker = new_tracker(TrackerSettings(reunion_reach=reach, reunion_height=height))

    assert set(seen_ids(turn_back(tracker, recognise=recognise, to_x_px=to_x_px)).values()) == {2}


def test_of_two_who_come_out_at_once_only_one_is_the_hidden_one() -> None:
    def recognise(detection_index: int, hidden: Sequence[Track]) -> int:
        return hidden[0].track_id

    tracker = new_tracker()
    for k in range(20):
        tracker.update(boxes(person(300)), sure(1), at_s=k * STEP_S, recognise=recognise)
    pair = boxes(person(200), person(400))
    steps = [tracker.update(pair, sure(2), at_s=k * STEP_S, recognise=recognise) for k in range(30, 35)]

    assert sorted(seen_ids(steps[-1]).values()) == [1, 2]


def test_whoever_has_taken_a_track_goes_on_with_a_new_one() -> None:
    tracker = new_tracker()
    watch_all(tracker, [boxes(person(100 + 6 * k), person(600)) for k in range(20)])

    assert tracker.exchange(1, since_s=1.5) == 3

    step = watch(tracker, boxes(person(220), person(600)), at_s=2.0)
    assert (seen_ids(step), step.ended_track_ids) == ({0: 3, 1: 2}, ())
    other = next(track for track in step.tracks if track.track_id == 3)
    assert other.started_at_s == 1.5
    assert other.began_foot_xy_px == pytest.approx((214, 250), abs=2)


def test_whoever_has_taken_a_track_may_be_somebody_hidden() -> None:
    """Somebody who stood here is hidden by a passer-by, whose track goes on with him."""
    tracker = new_tracker()
    pair = boxes(person(300), person(200))
    frames = [*[pair] * 5, *[boxes(person(200 + 10 * k)) for k in range(8)]]
    watch_all(tracker, frames)
    asked: list[tuple[int, ...]] = []

    def recognise(detection_index: int, hidden: Sequence[Track]) -> int:
        assert detection_index == -1
        asked.append(tuple(track.track_id for track in hidden))
        return 1

    assert tracker.exchange(2, since_s=1.0, recognise=recognise) == 1

    step = watch(tracker, boxes(person(275)), at_s=1.3)
    assert asked == [(1,)]
    assert seen_ids(step) == {0: 1}
    assert len(step.tracks) == 1


@pytest.mark.parametrize("track_id", [7, -1], ids=["unknown", "not told yet"])
def test_only_a_reported_track_can_be_exchanged(track_id: int) -> None:
    tracker = new_tracker()
    watch(tracker, boxes(person(100)), at_s=0.0)
    with pytest.raises(TrackingError, match="no track"):
        tracker.exchange(track_id, since_s=0.0)
