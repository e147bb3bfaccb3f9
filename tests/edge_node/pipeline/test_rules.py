"""What is in force at a camera: masks before everything else, zones, lines, policy, effort."""

from collections.abc import Callable
from itertools import count

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import FakeDetector, FakeEmbedder
from ruid_core.tracking import Line, Zone
from ruid_core.vision import Detections
from ruid_edge.capture import Frame
from ruid_edge.health.stages import StageTimes
from ruid_edge.pipeline import CameraPipeline, CameraRules, Effort, FrameOutcome, Models, ThumbnailPolicy
from ruid_edge.pipeline.pictures import hide, sample

Picture = NDArray[np.uint8]
Box = tuple[float, float, float, float]
SECRET = 255
RIGHT_HALF = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))


class Witness(FakeDetector, FakeEmbedder):
    """A detector and embedder that note the brightest pixel they are shown."""

    def __init__(self, boxes: list[Box]) -> None:
        FakeDetector.__init__(self, [boxes] * 1000)
        FakeEmbedder.__init__(self)
        self.brightest = 0
        self.looks = 0
        self.seen_px = (0, 0)

    def detect(self, picture_bgr: Picture) -> Detections:
        self.looks += 1
        self.seen_px = (picture_bgr.shape[1], picture_bgr.shape[0])
        self.brightest = max(self.brightest, int(picture_bgr.max()))
        return FakeDetector.detect(self, picture_bgr)

    def embed(self, picture_bgr: Picture, boxes_xyxy_px: NDArray[np.float32]) -> NDArray[np.float32]:
        self.brightest = max(self.brightest, int(picture_bgr.max()))
        return FakeEmbedder.embed(self, picture_bgr, boxes_xyxy_px)


class Stage:
    """A pipeline whose rules and effort a test may change between two frames."""

    def __init__(self, witness: Witness, rules: CameraRules, *, lighter: Callable[[], Witness] | None = None) -> None:
        self.rules, self.effort = rules, Effort()
        self.frames = count()
        numbers = count(1)
        self.pipeline = CameraPipeline(
            Models(witness, witness, lighter),
            size_px=(640, 480),
            next_track_id=lambda: next(numbers),
            stages=StageTimes(),
            rules=lambda: self.rules,
            effort=lambda: self.effort,
        )

    def play(self, frames: int, *, bright: bool = False, still: bool = False) -> list[FrameOutcome]:
        return [self.take(bright=bright, still=still) for _ in range(frames)]

    def take(self, *, bright: bool = False, still: bool = False) -> FrameOutcome:
        number = next(self.frames)
        scene = np.full((480, 640, 3), 90, np.uint8)
        scene[:40, :40] = 90 if still or number % 2 else 160
        if bright:
            scene[:, 320:] = SECRET
        return self.pipeline.take(Frame(scene, 1000 + number / 10, 2000 + number / 10, 1))


def test_what_a_mask_hides_reaches_no_model_no_crop_and_no_still() -> None:
    witness = Witness([(300.0, 100.0, 360.0, 280.0)])
    stage = Stage(witness, CameraRules(thumbnails=ThumbnailPolicy.ON, masks_rel=(RIGHT_HALF,)))
    parts = [part for outcome in stage.play(20, bright=True) for part in outcome.tracklets]
    assert witness.looks > 10
    assert witness.brightest < 200
    assert parts
    assert all(part.crop_bgr is not None and part.crop_bgr.max() < 200 for part in parts)
    _, jpeg = stage.pipeline.still()
    still = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert still is not None
    assert still.max() < 200


def test_the_small_picture_is_masked_as_well_and_boxes_are_those_of_the_large_one() -> None:
    witness = Witness([(50.0, 50.0, 80.0, 140.0)])
    stage = Stage(witness, CameraRules(masks_rel=(RIGHT_HALF,)))
    large = np.full((480, 640, 3), 90, np.uint8)
    small = np.full((240, 320, 3), 90, np.uint8)
    small[:, 200:] = SECRET
    outcomes: list[FrameOutcome] = []
    for number in range(5):
        changing = small.copy()
        changing[:20, :20] = 40 * number
        large[:40, :40] = 40 * number
        outcomes.append(stage.pipeline.take(Frame(large.copy(), 1000 + number / 10, 2000, 1, changing)))
    assert witness.seen_px == (320, 240)
    assert witness.brightest < 200
    assert outcomes[-1].people[0].box_rel == pytest.approx((100 / 640, 100 / 480, 160 / 640, 280 / 480))


def test_a_new_mask_hides_in_a_still_of_an_older_frame() -> None:
    stage = Stage(Witness([]), CameraRules())
    assert stage.pipeline.still() == (0.0, b"")
    stage.play(1, bright=True)
    stage.rules = CameraRules(masks_rel=(RIGHT_HALF,))
    captured_at_s, jpeg = stage.pipeline.still()
    still = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert captured_at_s == 1000
    assert still is not None
    assert still.max() < 200


def test_a_mask_covers_whatever_it_touches_and_a_read_only_picture_stays_as_it_is() -> None:
    picture = np.full((48, 64, 3), SECRET, np.uint8)
    picture.flags.writeable = False
    masked = hide(picture, [RIGHT_HALF])
    assert picture.min() == SECRET
    assert masked[:, 32:].max() < 200
    assert masked[:, :30].min() == SECRET
    assert hide(picture, []) is picture


def test_zones_and_lines_are_watched_at_the_feet() -> None:
    walking = [[(40.0 + 12 * k, 100.0, 100.0 + 12 * k, 280.0)] for k in range(40)]
    witness = Witness([])
    FakeDetector.__init__(witness, walking)
    rules = CameraRules(
        zones=(Zone("floor", RIGHT_HALF), Zone("sky", ((0.0, 0.0), (1.0, 0.0), (1.0, 0.4), (0.0, 0.4)))),
        lines=(Line("middle", (0.5, 1.0), (0.5, 0.0)),),
    )
    stage = Stage(witness, rules)
    outcomes = stage.play(40)
    crossings = [crossing for outcome in outcomes for crossing in outcome.crossings]
    assert [(crossing.line_id, crossing.direction) for crossing in crossings] == [("middle", 1)]
    assert crossings[0].at_s == pytest.approx(1000 + (320 - 70) / 12 / 10, abs=0.2)
    stays = [stay for outcome in outcomes for stay in outcome.stays]
    assert [(stay.zone_id, stay.final) for stay in stays] == [("floor", False)]
    assert outcomes[-1].people[0].zones == ("floor",)
    assert [(stay.zone_id, stay.final) for stay in stage.pipeline.finish().stays] == [("floor", True)]


def test_new_zones_end_the_stays_in_the_old_ones_and_tracks_go_on() -> None:
    stage = Stage(Witness([(400.0, 100.0, 460.0, 280.0)]), CameraRules(zones=(Zone("old", RIGHT_HALF),)))
    before = stage.play(10)[-1].people[0]
    stage.rules = CameraRules(zones=(Zone("new", RIGHT_HALF),))
    after = stage.take()
    assert [(stay.zone_id, stay.final) for stay in after.stays] == [("old", True), ("new", False)]
    assert after.people[0].track_id == before.track_id


def test_the_pictures_of_a_camera_that_hangs_upside_down_are_turned_before_anything_else() -> None:
    left_half = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    witness = Witness([(300.0, 100.0, 360.0, 280.0)])
    stage = Stage(witness, CameraRules(thumbnails=ThumbnailPolicy.ON, masks_rel=(left_half,), upside_down=True))
    parts = [part for outcome in stage.play(20, bright=True) for part in outcome.tracklets]
    assert witness.looks > 10
    assert witness.brightest < 200
    assert parts
    _, jpeg = stage.pipeline.still()
    still = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert still is not None
    assert still.max() < 200
    small = np.full((240, 320, 3), 90, np.uint8)
    small[:, 200:] = SECRET
    stage.pipeline.take(Frame(np.full((480, 640, 3), 90, np.uint8), 1010, 2010, 1, small))
    assert witness.seen_px == (320, 240)
    assert witness.brightest < 200


def test_tracks_begin_anew_when_the_picture_is_turned() -> None:
    stage = Stage(Witness([(400.0, 100.0, 460.0, 280.0)]), CameraRules())
    before = stage.play(10)[-1].people[0]
    stage.rules = CameraRules(upside_down=True)
    outcomes = stage.play(10)
    assert [part.final for part in outcomes[0].tracklets] == [True]
    assert outcomes[-1].people[0].track_id != before.track_id


def test_another_confidence_begins_the_tracks_anew() -> None:
    stage = Stage(Witness([(400.0, 100.0, 460.0, 280.0)]), CameraRules())
    assert stage.play(10)[-1].people
    stage.rules = CameraRules(detection_confidence=0.95)
    outcomes = stage.play(10)
    assert [part.final for part in outcomes[0].tracklets] == [True]
    assert outcomes[-1].people == ()


def test_an_unchanged_scene_spares_the_detector_and_keeps_who_is_there() -> None:
    witness = Witness([(400.0, 100.0, 460.0, 280.0)])
    stage = Stage(witness, CameraRules())
    outcomes = stage.play(40, still=True)
    assert 12 <= witness.looks <= 16
    assert all(len(outcome.people) == 1 for outcome in outcomes[10:])
    assert {outcome.looked for outcome in outcomes} == {True, False}


def test_under_strain_the_detector_looks_less_often_and_people_are_predicted() -> None:
    walking = [[(40.0 + 12 * k, 100.0, 100.0 + 12 * k, 280.0)] for k in range(0, 100, 5)]
    witness = Witness([])
    stage = Stage(witness, CameraRules())
    stage.effort = Effort(detect_every_s=0.5)
    FakeDetector.__init__(witness, walking)
    outcomes = stage.play(40)
    assert witness.looks == 8
    lefts_px = [outcome.people[0].box_rel[0] * 640 for outcome in outcomes[20:]]
    assert np.diff(lefts_px) == pytest.approx(np.full(19, 12.0), abs=6)
    assert [outcome.people[0].seen for outcome in outcomes[20:26]] == [True, *[False] * 4, True]


def test_under_strain_a_lighter_detector_is_loaded_once() -> None:
    box = (400.0, 100.0, 460.0, 280.0)
    witness, lighter = Witness([box]), Witness([box])
    loads: list[Witness] = []

    def load() -> Witness:
        loads.append(lighter)
        return lighter

    stage = Stage(witness, CameraRules(), lighter=load)
    stage.play(3)
    stage.effort = Effort(smaller_input=True)
    stage.play(3)
    stage.effort = Effort()
    stage.play(3)
    assert (witness.looks, lighter.looks, len(loads)) == (6, 3, 1)


def test_a_sample_is_small_whatever_the_picture() -> None:
    assert sample(np.zeros((1080, 1920, 3), np.uint8)).shape == (120, 213)
    assert sample(np.zeros((48, 64, 3), np.uint8)).shape == (48, 64)
