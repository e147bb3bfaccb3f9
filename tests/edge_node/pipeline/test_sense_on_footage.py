"""What is wrong with a view is told within its stated time on real footage, and nothing is told of footage as it is."""

from collections.abc import Callable
from functools import cache
from itertools import count, islice

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import FakeDetector, FakeEmbedder
from ruid_core.vision.sense import BLURRED, COVERED, DARK, FROZEN, MOVED
from ruid_edge.capture import Frame, make_source
from ruid_edge.capture.recordings import Playback
from ruid_edge.health.stages import StageTimes
from ruid_edge.pipeline import CameraPipeline, Models
from ruid_tools.footage import CLIPS_DIR

Picture = NDArray[np.uint8]

CLIPS = ("west.mp4", "east.mp4")
LOOK_S = 0.5
EDITED_FROM_S = 10.0
TOLD_WITHIN_S = 2.0
FROZEN_WITHIN_S = 12.0


@cache
def pictures(clip: str) -> tuple[Picture, ...]:
    """Two pictures a second of the clip's first half minute."""
    source = make_source(str(CLIPS_DIR / clip), Playback(realtime=False), on_unreadable=lambda path: None)
    source.open()
    kept = tuple(frame.picture_bgr for frame in islice(iter(source.read, None), 0, 300, 5))
    source.close()
    return kept


def grainy(picture: NDArray[np.float64], *, seed: int) -> Picture:
    """A sensor's noise, other grains in each picture."""
    noise = np.random.default_rng(seed).normal(0, 2, (*picture.shape[:2], 1))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def hand_before_the_lens(picture: Picture) -> Picture:
    covered = picture.copy()
    covered[: int(0.85 * len(picture))] = 60
    return grainy(covered.astype(np.float64), seed=int(picture.sum()))


def bag_over_the_camera(picture: Picture) -> Picture:
    return grainy(np.full(picture.shape, 110.0), seed=int(picture.sum()))


def lights_out(picture: Picture) -> Picture:
    return (picture * 0.08).astype(np.uint8)


def out_of_focus(picture: Picture) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 3), np.uint8)


def knocked(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 5, 1.0)
    return np.asarray(cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def shifted(picture: Picture) -> Picture:
    return np.roll(picture, picture.shape[1] // 20, axis=1)


def half_the_light(picture: Picture) -> Picture:
    return (picture * 0.5).astype(np.uint8)


def watch(shown: list[Picture]) -> list[tuple[str, ...]]:
    """Return what a camera's pipeline tells after each picture, two of them a second."""
    numbers = count(1)
    height, width = shown[0].shape[:2]
    pipeline = CameraPipeline(
        Models(FakeDetector([]), FakeEmbedder()),
        size_px=(width, height),
        next_track_id=lambda: next(numbers),
        stages=StageTimes(),
    )
    return [pipeline.take(Frame(picture.copy(), k * LOOK_S, k * LOOK_S, 1)).senses for k, picture in enumerate(shown)]


def edited(clip: str, edit: Callable[[Picture], Picture]) -> list[tuple[str, ...]]:
    begin = int(EDITED_FROM_S / LOOK_S)
    shown = pictures(clip)
    return watch([*shown[:begin], *map(edit, shown[begin:])])[begin:]


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(
    ("edit", "name"),
    [
        (hand_before_the_lens, COVERED),
        (bag_over_the_camera, COVERED),
        (lights_out, DARK),
        (out_of_focus, BLURRED),
        (knocked, MOVED),
        (shifted, MOVED),
    ],
)
def test_a_view_gone_bad_is_told_in_time_and_stays_told(
    clip: str, edit: Callable[[Picture], Picture], name: str
) -> None:
    told = edited(clip, edit)
    by_then = int(TOLD_WITHIN_S / LOOK_S)
    assert all(name in names for names in told[by_then:])
    assert not any(told[: by_then - 1])


@pytest.mark.parametrize("clip", CLIPS)
def test_a_picture_that_froze_is_told_in_time(clip: str) -> None:
    begin = int(EDITED_FROM_S / LOOK_S)
    told = edited(clip, lambda picture: pictures(clip)[begin - 1])
    by_then = int(FROZEN_WITHIN_S / LOOK_S)
    assert not any(told[: by_then - 1])
    assert all(names == (FROZEN,) for names in told[by_then:])


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("edit", [np.copy, half_the_light])
def test_footage_as_it_is_and_another_light_are_nothing(clip: str, edit: Callable[[Picture], Picture]) -> None:
    assert not any(edited(clip, edit))
