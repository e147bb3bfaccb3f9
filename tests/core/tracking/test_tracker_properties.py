"""What holds for every stream of detections, however senseless."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.tracking.street import Boxes, new_tracker
from ruid_core.tracking import TrackerSettings, TrackerStep

Frame = tuple[Boxes, NDArray[np.float32], float]
"""Boxes, confidences and time; all multiples of 1/8, so that shifting them loses nothing."""

MAX_TRACKS = 6


@st.composite
def streams(draw: st.DrawFn) -> list[Frame]:
    """A few wanderers, seen or not, sure or faint, at uneven times, with boxes of no one among them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    wanderers = draw(st.integers(0, 5))
    gaps_s = draw(st.lists(st.sampled_from([0.125, 0.25, 0.5, 1.0, 4.0]), min_size=1, max_size=25))
    centres = rng.integers(0, 600, (wanderers, 2)).astype(float)
    frames: list[Frame] = []
    at_s = 0.0
    for gap_s in gaps_s:
        at_s += gap_s
        centres = centres + rng.integers(-8, 9, centres.shape)
        strays = rng.integers(0, 600, (rng.integers(0, 3), 2))
        seen = np.concatenate((centres[rng.random(wanderers) < 0.8], strays))
        sizes = rng.integers(0, 12, (len(seen), 2)) * [4, 8]
        people = np.hstack((seen - sizes / 2, seen + sizes / 2)).astype(np.float32)
        confidences = (rng.integers(0, 9, len(seen)) / 8).astype(np.float32)
        frames.append((people, confidences, at_s))
    return frames


def follow(frames: list[Frame]) -> list[TrackerStep]:
    """Run a small tracker over a stream and finish it."""
    tracker = new_tracker(TrackerSettings(max_tracks=MAX_TRACKS))
    steps = [tracker.update(people, confidences, at_s=at_s) for people, confidences, at_s in frames]
    return [*steps, tracker.finish()]


def moved(frames: list[Frame], *, by_px: float = 0.0, by_s: float = 0.0) -> list[Frame]:
    """Return the same stream elsewhere, at another time."""
    return [(people + np.float32(by_px), confidences, at_s + by_s) for people, confidences, at_s in frames]


@given(streams())
@settings(max_examples=60, deadline=None)
def test_an_id_ends_once_and_never_comes_back(frames: list[Frame]) -> None:
    ended: list[int] = []
    for step in follow(frames):
        ended += step.ended_track_ids
        assert not {track.track_id for track in step.tracks} & set(ended)
    assert len(ended) == len(set(ended))


@given(streams())
@settings(max_examples=60, deadline=None)
def test_every_track_that_was_reported_ends(frames: list[Frame]) -> None:
    steps = follow(frames)
    ended = {track_id for step in steps for track_id in step.ended_track_ids}
    assert ended == {track.track_id for step in steps for track in step.tracks}


@given(streams())
@settings(max_examples=60, deadline=None)
def test_a_detection_belongs_to_one_track_and_the_tracks_are_bounded(frames: list[Frame]) -> None:
    for step, (people, confidences, at_s) in zip(follow(frames), frames, strict=False):
        indices = [track.detection_index for track in step.tracks if track.detection_index >= 0]
        assert len(indices) == len(set(indices))
        assert len(step.tracks) <= MAX_TRACKS
        for track in step.tracks:
            assert (track.last_seen_at_s == at_s) == (track.detection_index >= 0)
            if track.detection_index >= 0:
                assert track.box_xyxy_px == tuple(people[track.detection_index].tolist())
                assert track.confidence == confidences[track.detection_index]


@given(streams())
@settings(max_examples=40, deadline=None)
def test_arguments_are_left_as_they_were(frames: list[Frame]) -> None:
    before = [(people.copy(), confidences.copy()) for people, confidences, _ in frames]
    follow(frames)
    for (people, confidences, _), (old_people, old_confidences) in zip(frames, before, strict=True):
        assert np.array_equal(people, old_people)
        assert np.array_equal(confidences, old_confidences)


@given(streams(), st.sampled_from([64.0, 1024.0]))
@settings(max_examples=40, deadline=None)
def test_another_start_of_the_clock_changes_nothing_but_the_times(frames: list[Frame], by_s: float) -> None:
    later = follow(moved(frames, by_s=by_s))
    for step, other in zip(follow(frames), later, strict=True):
        assert step.ended_track_ids == other.ended_track_ids
        assert step.tracks == tuple(
            replace(track, started_at_s=track.started_at_s - by_s, last_seen_at_s=track.last_seen_at_s - by_s)
            for track in other.tracks
        )


@given(streams(), st.sampled_from([-512.0, 256.0]))
@settings(max_examples=40, deadline=None)
def test_another_place_in_the_picture_changes_nothing_but_the_boxes(frames: list[Frame], by_px: float) -> None:
    elsewhere = follow(moved(frames, by_px=by_px))
    for step, other in zip(follow(frames), elsewhere, strict=True):
        assert step.ended_track_ids == other.ended_track_ids
        here = [(track.track_id, track.detection_index) for track in step.tracks]
        assert here == [(track.track_id, track.detection_index) for track in other.tracks]
        for track, there in zip(step.tracks, other.tracks, strict=True):
            assert np.allclose(np.array(there.box_xyxy_px) - by_px, track.box_xyxy_px, atol=1e-6)


@given(st.lists(st.lists(st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 4), max_size=4)))
@settings(max_examples=60, deadline=None)
def test_boxes_without_sense_are_followed_or_not_but_break_nothing(frames: list[list[tuple[float, ...]]]) -> None:
    tracker = new_tracker()
    for k, rows in enumerate(frames):
        people = np.array(rows, np.float32).reshape(-1, 4)
        step = tracker.update(people, np.full(len(rows), 0.9, np.float32), at_s=k / 10)
        assert all(np.isfinite(track.box_xyxy_px).all() for track in step.tracks)
