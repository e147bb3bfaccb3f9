"""One camera's chain on scripted detections."""

from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import FakeDetector, FakeEmbedder
from ruid_core.tracking import Zone
from ruid_edge.capture import Frame
from ruid_edge.health.stages import StageTimes
from ruid_edge.pipeline import CameraPipeline, CameraRules, FrameOutcome, Models, ThumbnailPolicy, encode_thumbnail

RED_BOX = (100.0, 100.0, 160.0, 280.0)


def picture(number: int = 0, *, left_px: int = 100) -> NDArray[np.uint8]:
    """A red person, and a light that blinks in a corner so that no two pictures in a row are alike."""
    scene = np.full((480, 640, 3), 90, np.uint8)
    scene[100:280, left_px : left_px + 60] = (0, 0, 250)
    scene[400:, 560:] = 250 if number % 2 else 20
    return scene


def play(
    pipeline: CameraPipeline, frames: int, *, start: int = 0, scene: int = 1, fps: float = 10.0, left_px: int = 100
) -> list[FrameOutcome]:
    return [
        pipeline.take(Frame(picture(number, left_px=left_px), 1000 + number / fps, 2000 + number / fps, scene))
        for number in range(start, start + frames)
    ]


def make(
    script: list[list[tuple[float, float, float, float]]], policy: ThumbnailPolicy = ThumbnailPolicy.ON
) -> tuple[CameraPipeline, FakeEmbedder]:
    embedder, numbers = FakeEmbedder(), count(1)
    rules = CameraRules(thumbnails=policy)
    pipeline = CameraPipeline(
        Models(FakeDetector(script), embedder),
        next_track_id=lambda: next(numbers),
        size_px=(640, 480),
        stages=StageTimes(),
        rules=lambda: rules,
    )
    return pipeline, embedder


def test_somebody_who_stays_becomes_a_track_and_tracklets() -> None:
    pipeline, embedder = make([[RED_BOX]] * 20)
    outcomes = play(pipeline, 20)
    parts = [tracklet for outcome in outcomes for tracklet in outcome.tracklets] + list(pipeline.finish().tracklets)
    assert {part.track_id for part in parts} == {parts[0].track_id}
    assert parts[-1].final
    first = parts[0]
    assert first.embeddings[0].argmax() == 2
    assert first.ended_at_s - 1000 <= 0.7
    assert first.grabbed_at_s == pytest.approx(first.ended_at_s + 1000)
    assert first.box_rel == pytest.approx((100 / 640, 100 / 480, 160 / 640, 280 / 480), abs=0.01)
    assert [len(outcome.people) for outcome in outcomes[-5:]] == [1] * 5
    assert embedder.crops < 8


@pytest.mark.parametrize(("left_px", "same"), [(220, True), (5, False)], ids=["in the picture", "at its edge"])
def test_whoever_was_hidden_and_comes_out_elsewhere_is_known_by_his_looks(left_px: int, same: bool) -> None:
    """The one at the picture's edge may have come in: he is new, whatever he looks like."""
    back = (float(left_px), 100.0, left_px + 60.0, 280.0)
    pipeline, _ = make([[RED_BOX]] * 10 + [[]] * 12 + [[back]] * 8)
    outcomes = play(pipeline, 22) + play(pipeline, 8, start=22, left_px=left_px)
    ids = {person.track_id for outcome in outcomes for person in outcome.people}
    assert len(ids) == (1 if same else 2)
    assert {tracklet.track_id for tracklet in pipeline.finish().tracklets} == ids


@pytest.mark.parametrize("known", [False, True], ids=["new", "hidden before"])
def test_people_who_exchange_tracks_are_told_apart(known: bool) -> None:
    """A red person stands; then the same box shows a blue one, who is new or was hidden behind the red one."""
    beside = (180.0, 100.0, 240.0, 280.0)
    numbers, rules = count(1), CameraRules(zones=(Zone("all", ((0, 0), (1, 0), (1, 1), (0, 1))),))
    script = [[RED_BOX, beside] if known else [RED_BOX]] * 20 + [[RED_BOX]] * 24
    pipeline = CameraPipeline(
        Models(FakeDetector(script), FakeEmbedder()),
        next_track_id=lambda: next(numbers),
        size_px=(640, 480),
        stages=StageTimes(),
        rules=lambda: rules,
    )
    outcomes: list[FrameOutcome] = []
    for number in range(44):
        scene = picture(number)
        scene[100:280, 180:240] = (250, 0, 0) if number < 20 else 90
        if number >= 24:
            scene[100:280, 100:160] = (250, 0, 0)
        outcomes.append(pipeline.take(Frame(scene, 1000 + number / 10, 2000 + number / 10, 1)))

    parts = [tracklet for outcome in outcomes for tracklet in outcome.tracklets]
    red, blue = ([part for part in parts if part.track_id == track_id] for track_id in (1, 2))
    assert [part.final for part in red] == [False] * (len(red) - 1) + [True]
    assert red[-1].ended_at_s - 1000 < 2.4
    assert all(row.argmax() == 2 for part in red for row in part.embeddings)
    assert all(row.argmax() == 0 for part in blue for row in part.embeddings)
    assert [person.track_id for person in outcomes[-1].people] == [2]
    stays = [(stay.track_id, stay.final) for outcome in outcomes for stay in outcome.stays]
    assert stays.count((1, True)) == 1
    assert (2, False) in stays


@pytest.mark.parametrize(("frames", "somebody"), [(15, False), (40, True)], ids=["gone at once", "stays"])
def test_who_appears_beside_others_and_is_gone_at_once_is_nobody_of_his_own(frames: int, somebody: bool) -> None:
    beside = (180.0, 100.0, 240.0, 280.0)
    pipeline, _ = make([[RED_BOX]] * 10 + [[RED_BOX, beside]] * frames + [[RED_BOX]] * 40)
    parts = [part for outcome in play(pipeline, 50 + frames) for part in outcome.tracklets if part.track_id == 2]
    assert [part.final for part in parts] == [False] * (len(parts) - 1) + [True]
    assert any(len(part.embeddings) for part in parts) == somebody
    assert any(part.crop_bgr is not None for part in parts) == somebody
    if somebody:
        assert parts[0].started_at_s - 1000 == pytest.approx(1.0, abs=0.05)
        assert parts[0].ended_at_s - 1000 == pytest.approx(4.0, abs=0.15)


def test_a_piece_that_the_end_of_the_stream_cuts_off_is_nobody_of_his_own() -> None:
    pipeline, _ = make([[RED_BOX]] * 10 + [[RED_BOX, (180.0, 100.0, 240.0, 280.0)]] * 15)
    play(pipeline, 25)
    assert [(part.track_id, len(part.embeddings) > 0) for part in pipeline.finish().tracklets] == [
        (1, True),
        (2, False),
    ]


def test_an_empty_scene_costs_no_embedding() -> None:
    pipeline, embedder = make([])
    outcomes = play(pipeline, 10)
    assert embedder.crops == 0
    assert all(outcome.people == () and outcome.tracklets == () for outcome in outcomes)
    assert pipeline.finish().tracklets == ()


def test_a_cut_in_the_recording_ends_every_track() -> None:
    pipeline, _ = make([[RED_BOX]] * 20)
    play(pipeline, 10)
    outcome = play(pipeline, 1, start=300, scene=2)[0]
    assert [tracklet.final for tracklet in outcome.tracklets] == [True]


def test_a_clock_that_steps_back_a_little_does_not_end_a_track() -> None:
    pipeline, _ = make([[RED_BOX]] * 20)
    play(pipeline, 10)
    stepped = pipeline.take(Frame(picture(), 1000.5, 2001.0, 1))
    assert len(stepped.people) == 1
    assert not any(tracklet.final for tracklet in stepped.tracklets)


def test_a_clock_that_jumps_back_begins_anew() -> None:
    pipeline, _ = make([[RED_BOX]] * 40)
    play(pipeline, 10)
    jumped = pipeline.take(Frame(picture(), 500.0, 2001.0, 1))
    assert [tracklet.final for tracklet in jumped.tracklets] == [True]


def test_whoever_is_gone_does_not_count_as_in_view() -> None:
    pipeline, _ = make([[RED_BOX]] * 10)
    outcomes = play(pipeline, 16)
    assert [len(outcome.people) for outcome in outcomes[9:]] == [1, 1, 1, 1, 0, 0, 0]
    assert [person.seen for outcome in outcomes[9:13] for person in outcome.people] == [True, False, False, False]


@pytest.mark.parametrize(
    ("policy", "pictures"), [(ThumbnailPolicy.OFF, False), (ThumbnailPolicy.ON, True), (ThumbnailPolicy.BLURRED, True)]
)
def test_pictures_leave_only_where_policy_lets_them(policy: ThumbnailPolicy, pictures: bool) -> None:
    pipeline, _ = make([[RED_BOX]] * 20, policy)
    parts = [tracklet for outcome in play(pipeline, 20) for tracklet in outcome.tracklets]
    jpegs = [encode_thumbnail(part.crop_bgr) for part in parts]
    assert all(bool(jpeg) is pictures for jpeg in jpegs)
    assert all(len(jpeg) <= 8192 for jpeg in jpegs)


def test_a_noisy_crop_is_squeezed_or_left_out() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (128, 64, 3), np.uint8)
    assert 0 < len(encode_thumbnail(noise)) <= 8192
    large = np.random.default_rng(1).integers(0, 255, (512, 512, 3), np.uint8)
    assert encode_thumbnail(large) == b""


def test_a_blurred_picture_shows_nobody() -> None:
    """Six by twelve blocks are left of a person: the finest detail is ten pixels wide."""
    pipeline, _ = make([[RED_BOX]] * 20, ThumbnailPolicy.BLURRED)
    part = next(tracklet for outcome in play(pipeline, 20) for tracklet in outcome.tracklets)
    assert part.crop_bgr is not None
    steps = np.abs(np.diff(part.crop_bgr.astype(int), axis=1)).max()
    assert steps < 30
