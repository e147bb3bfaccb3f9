"""When a track is cut, and what its parts keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ruid_core.tracking.tracklets import Sample, Sighting, Tracklet, TrackletRecorder, TrackletSettings

DIM = 4
BOX = (0.1, 0.1, 0.2, 0.4)
SETTINGS = TrackletSettings(prototypes=2, good_quality=0.5, patience_s=1.0, part_every_s=4.0)


def recorder() -> TrackletRecorder:
    return TrackletRecorder(settings=SETTINGS, dim=DIM)


def axis(index: int) -> NDArray[np.float32]:
    return np.eye(DIM, dtype=np.float32)[index]


def see(recording: TrackletRecorder, at_s: float, *track_ids: int, started_at_s: float = 0.0) -> None:
    sightings = [Sighting(track_id, BOX, started_at_s) for track_id in track_ids]
    recording.see(sightings, at_s=at_s, grabbed_at_s=at_s + 100)


def sample(at_s: float, quality: float, direction: int = 0, *, crop: bool = False) -> Sample:
    picture = np.full((2, 1, 3), round(quality * 100), np.uint8) if crop else None
    return Sample(at_s, at_s + 100, axis(direction), quality, picture)


def test_a_good_crop_sends_the_first_part_at_once() -> None:
    recording = recorder()
    see(recording, 0.1, 7)
    recording.add(7, sample(0.1, 0.9))
    (first,) = recording.cut_due(at_s=0.1)
    assert (first.track_id, first.part, first.final, first.frames) == (7, 0, False, 1)
    assert (first.started_at_s, first.ended_at_s, first.grabbed_at_s) == (0.0, 0.1, 100.1)
    assert first.embeddings.tolist() == [axis(0).tolist()]
    assert first.qualities.tolist() == [pytest.approx(0.9)]
    assert first.box_rel == BOX


def test_a_poor_crop_waits_for_a_better_one_but_not_for_ever() -> None:
    recording = recorder()
    see(recording, 0.1, 7)
    recording.add(7, sample(0.1, 0.2))
    see(recording, 0.9, 7)
    assert recording.cut_due(at_s=0.9) == ()
    see(recording, 1.0, 7)
    (first,) = recording.cut_due(at_s=1.0)
    assert first.part == 0


def test_a_track_without_an_embedding_is_not_cut() -> None:
    recording = recorder()
    see(recording, 0.1, 7)
    assert recording.cut_due(at_s=60.0) == ()


def test_further_parts_follow_at_intervals() -> None:
    recording = recorder()
    see(recording, 0.0, 7)
    recording.add(7, sample(0.0, 0.9))
    recording.cut_due(at_s=0.0)
    see(recording, 3.0, 7)
    recording.add(7, sample(3.0, 0.9, 1))
    assert recording.cut_due(at_s=3.0) == ()
    see(recording, 4.0, 7)
    (second,) = recording.cut_due(at_s=4.0)
    assert (second.part, second.frames, second.started_at_s) == (1, 2, 0.0)
    assert second.embeddings.tolist() == [axis(1).tolist()]


def test_somebody_hidden_is_not_cut_until_seen_again() -> None:
    recording = recorder()
    see(recording, 0.0, 7)
    recording.add(7, sample(0.0, 0.2))
    assert recording.cut_due(at_s=2.0) == ()
    see(recording, 3.0, 7)
    assert [tracklet.ended_at_s for tracklet in recording.cut_due(at_s=3.0)] == [3.0]


def test_the_last_part_says_so_even_when_nothing_is_new() -> None:
    recording = recorder()
    see(recording, 0.0, 7)
    recording.add(7, sample(0.0, 0.9))
    recording.cut_due(at_s=0.0)
    (last,) = recording.end([7, 99])
    assert (last.part, last.final) == (1, True)
    assert last.embeddings.shape == (0, DIM)
    assert last.crop_bgr is None
    assert recording.end([7]) == ()


def test_prototypes_that_differ_are_kept_and_of_two_alike_the_better_one() -> None:
    recording = recorder()
    see(recording, 0.0, 7)
    for quality, direction in ((0.3, 0), (0.4, 1), (0.9, 0), (0.2, 1)):
        recording.add(7, sample(0.0, quality, direction))
    (last,) = recording.end([7])
    kept = sorted(zip(last.qualities.round(1).tolist(), last.embeddings.argmax(axis=1).tolist(), strict=True))
    assert kept == [(pytest.approx(0.4), 1), (pytest.approx(0.9), 0)]


def test_the_best_crop_is_kept_for_the_thumbnail() -> None:
    recording = recorder()
    see(recording, 0.0, 7)
    for quality in (0.3, 0.8, 0.5):
        recording.add(7, sample(0.0, quality, crop=True))
    recording.add(7, sample(0.0, 0.99))
    (last,) = recording.end([7])
    assert last.crop_bgr is not None
    assert last.crop_bgr[0, 0, 0] == 80


def test_a_sample_of_a_track_that_nobody_saw_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        recorder().add(1, sample(0.0, 0.5))


def test_the_defaults_can_be_used() -> None:
    recording = TrackletRecorder(dim=DIM)
    see(recording, 0.0, 1, 2)
    assert [tracklet.track_id for tracklet in recording.end([1, 2])] == [1, 2]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1), st.integers(0, DIM - 1)), max_size=40))
def test_the_parts_of_a_track_tell_its_whole_story(steps: list[tuple[int, float, int]]) -> None:
    """Every frame is in exactly one part; parts count up; exactly the last one is final."""
    recording = recorder()
    parts: list[Tracklet] = []
    for number, (pause, quality, direction) in enumerate(steps):
        at_s = number + pause / 4
        see(recording, at_s, 1)
        recording.add(1, sample(at_s, quality, direction))
        parts.extend(recording.cut_due(at_s=at_s))
    parts.extend(recording.end([1]))
    assert sum(part.frames for part in parts) == len(steps)
    assert [part.part for part in parts] == list(range(len(parts)))
    assert [part.final for part in parts] == [False] * (len(parts) - 1) + [True] * bool(parts)
    assert all(len(part.embeddings) <= SETTINGS.prototypes for part in parts)


def test_what_a_track_shows_of_somebody_else_is_recorded_apart() -> None:
    recording = recorder()
    for at_s in (0.1, 1.0, 2.0):
        see(recording, at_s, 7)
    recording.add(7, sample(0.1, 0.9))

    last = recording.hand_over(7, 8, own_until_s=0.1, since_s=1.0)
    recording.add(8, sample(2.0, 0.9, direction=1))
    (first,) = recording.cut_due(at_s=2.0)

    assert (last.track_id, last.final, last.started_at_s, last.ended_at_s) == (7, True, 0.0, 0.1)
    assert last.embeddings.tolist() == [axis(0).tolist()]
    assert (first.track_id, first.part, first.started_at_s, first.ended_at_s) == (8, 0, 1.0, 2.0)
    assert first.embeddings.tolist() == [axis(1).tolist()]


def test_what_a_track_shows_of_somebody_known_goes_on_with_his_record() -> None:
    recording = recorder()
    see(recording, 0.1, 7, 8)
    recording.add(8, sample(0.1, 0.9))
    assert len(recording.cut_due(at_s=0.1)) == 1
    see(recording, 2.0, 7)

    last = recording.hand_over(7, 8, own_until_s=0.1, since_s=1.0)

    assert (last.track_id, last.final) == (7, True)
    (end,) = recording.end([7, 8])
    assert (end.track_id, end.part, end.started_at_s, end.ended_at_s) == (8, 1, 0.1, 2.0)


def test_a_part_that_has_left_is_not_taken_back() -> None:
    recording = recorder()
    see(recording, 0.1, 7)
    recording.add(7, sample(0.1, 0.9))
    see(recording, 2.0, 7)
    assert len(recording.cut_due(at_s=2.0)) == 1
    see(recording, 3.0, 7)

    last = recording.hand_over(7, 8, own_until_s=0.1, since_s=1.0)

    assert (last.part, last.started_at_s, last.ended_at_s) == (1, 2.0, 2.0)
    assert recording.end([8])[0].started_at_s == 2.0


def test_a_part_waits_while_it_is_doubtful_whom_it_shows() -> None:
    recording = recorder()
    see(recording, 0.1, 7)
    recording.add(7, sample(0.1, 0.9))
    assert recording.cut_due(at_s=0.1, doubtful={7}) == ()
    assert len(recording.cut_due(at_s=0.1)) == 1


def test_crops_that_show_nobody_for_certain_are_dropped() -> None:
    recording = recorder()
    see(recording, 0.1, 7)
    recording.add(7, sample(0.1, 0.9, crop=True))
    recording.drop_crops(7)
    (last,) = recording.end([7])
    assert (last.part, last.final, last.frames, len(last.embeddings), last.crop_bgr) == (0, True, 1, 0, None)
