"""The shipped detector on the demo's own pictures, and what is said of files that are no detectors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_core.geometry.boxes import iou_matrix
from ruid_core.vision import Family, Size
from ruid_edge.inference import InferenceError, find_model, load_detector, shipped_cards
from ruid_edge.inference.cards import models_folder
from ruid_edge.inference.errors import (
    BadCardError,
    DamagedModelError,
    ModelMissingError,
    NotAModelError,
    RuntimeMissingError,
    UnknownFamilyError,
    WrongInputError,
)
from tooling import REPOSITORY, require_file

_CLIP = REPOSITORY / "tools/src/ruid_tools/demo/clips/east.mp4"
_PEOPLE_XYXY_PX = np.array([[243, 238, 288, 324], [104, 156, 133, 234]], np.float32)
"""Two people who walk freely in the clip's first picture."""

_ZEROS_YOLOX = [(1, 84, 85)]


class Networks(Protocol):
    """What the fixture gives."""

    def answering_zeros(self, taken: Sequence[int | str], given: Sequence[Sequence[int]], *, kind: str = ...) -> Path:
        """Write a network of zeros."""
        ...


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    capture = cv2.VideoCapture(str(require_file(_CLIP, hint="it is part of the repository")))
    taken, frame = capture.read()
    assert taken
    return np.asarray(frame, np.uint8)


def _load(path_or_name: str | Path, picture_size: tuple[int, int] = (64, 64), **options: Any):
    width_px, height_px = picture_size
    return load_detector(str(path_or_name), threads=1, width_px=width_px, height_px=height_px, **options)


@pytest.mark.parametrize("name", ["accurate", "fast"])
def test_the_shipped_detectors_find_the_people_of_the_demo(name: str, picture: NDArray[np.uint8]) -> None:
    height_px, width_px = picture.shape[:2]
    detector = _load(name, (width_px, height_px), confidence_min=0.3)
    found = detector.detect(picture)
    assert (iou_matrix(_PEOPLE_XYXY_PX, found.boxes_xyxy_px).max(axis=1) > 0.6).all()
    assert len(found) <= 8
    assert (found.boxes_xyxy_px >= 0).all()
    assert (found.boxes_xyxy_px <= [width_px, height_px, width_px, height_px]).all()


def test_a_picture_is_left_as_it_was_and_answered_the_same_way_twice(picture: NDArray[np.uint8]) -> None:
    detector, before = _load("fast", (picture.shape[1], picture.shape[0])), picture.copy()
    first = detector.detect(picture)
    second = detector.detect(picture)
    np.testing.assert_array_equal(picture, before)
    np.testing.assert_array_equal(first.boxes_xyxy_px, second.boxes_xyxy_px)


def test_a_camera_that_changes_its_size_is_still_understood(picture: NDArray[np.uint8]) -> None:
    detector = _load("fast", (picture.shape[1], picture.shape[0]), confidence_min=0.3)
    detector.detect(picture[:, :200].copy())
    doubled = detector.detect(cv2.resize(picture, None, fx=2, fy=2).astype(np.uint8))
    assert (iou_matrix(_PEOPLE_XYXY_PX * 2, doubled.boxes_xyxy_px).max(axis=1) > 0.6).all()


def test_an_empty_picture_holds_nobody() -> None:
    assert len(_load("fast", (640, 480)).detect(np.full((480, 640, 3), 90, np.uint8))) == 0


def test_the_input_follows_the_cameras_shape() -> None:
    assert _load("accurate", (640, 480)).input_size == Size(416, 288)
    assert _load("accurate", (640, 480), long_side_px=320).input_size == Size(320, 256)
    assert _load("fast", (640, 480)).input_size == Size(352, 256)
    assert _load("accurate", (1920, 1080)).input_size == Size(416, 256)
    assert _load("fast", (372, 576)).input_size == Size(256, 352)


def test_a_model_id_names_the_file_by_its_checksum() -> None:
    model = find_model("accurate")
    assert model.card is not None
    assert model.model_id == f"detector-accurate-{model.card.sha256[:8]}"
    assert _load("accurate").model_id == model.model_id


def test_shipped_files_are_small_enough_to_travel() -> None:
    assert {"detector-accurate", "detector-fast"} <= set(shipped_cards())
    assert all(path.stat().st_size < 5_000_000 for path in models_folder().glob("*.onnx"))


def test_a_copy_without_its_card_is_recognised_by_its_outputs(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    copy = tmp_path / "mine.onnx"
    copy.write_bytes(find_model("accurate").path.read_bytes())
    detector = _load(copy, (picture.shape[1], picture.shape[0]))
    assert detector.family is Family.NANODET
    assert detector.model_id.startswith("mine-")
    assert len(detector.detect(picture)) >= 2


def test_a_network_of_another_family_is_run_as_what_it_is(networks: Networks) -> None:
    detector = _load(networks.answering_zeros((1, 3, 64, 64), _ZEROS_YOLOX))
    assert detector.family is Family.YOLOX
    assert detector.input_size == Size(64, 64)
    assert len(detector.detect(np.zeros((48, 64, 3), np.uint8))) == 0


def test_open_sides_are_fixed_to_the_camera(networks: Networks) -> None:
    detector = _load(networks.answering_zeros(("n", 3, "h", "w"), _ZEROS_YOLOX), long_side_px=64)
    assert detector.input_size == Size(64, 64)


def test_a_missing_file_is_told_with_the_names_that_exist() -> None:
    with pytest.raises(ModelMissingError, match=r"'nope'.*accurate, fast"):
        _load("nope")


def test_a_file_that_is_no_model_is_told(tmp_path: Path) -> None:
    path = tmp_path / "words.onnx"
    path.write_text("not a network")
    with pytest.raises(NotAModelError, match=r"words.onnx cannot be read as an ONNX model"):
        _load(path)


def test_a_network_that_is_no_detector_is_told_which_outputs_were_expected(networks: Networks) -> None:
    with pytest.raises(UnknownFamilyError, match=r"1×1000; expected one of nanodet: .*yolox: .*end-to-end: "):
        _load(networks.answering_zeros((1, 3, 64, 64), [(1, 1000)]))


@pytest.mark.parametrize(
    ("taken", "kind", "found"),
    [
        ((1, 1, 64, 64), "FLOAT", "1×1×64×64"),
        ((1, 3, 64), "FLOAT", "1×3×64"),
        ((1, 3, 64, 64), "DOUBLE", "1×3×64×64"),
        ((4, 3, 64, 64), "FLOAT", "batches of 4"),
    ],
)
def test_an_input_that_takes_no_picture_is_told(
    networks: Networks, taken: Sequence[int], kind: str, found: str
) -> None:
    with pytest.raises(WrongInputError, match=found):
        _load(networks.answering_zeros(taken, _ZEROS_YOLOX, kind=kind))


def _with_card(folder: Path, **changes: Any) -> Path:
    model = find_model("fast")
    assert model.card is not None
    (folder / model.path.name).write_bytes(model.path.read_bytes())
    card_path = folder / "detector-nanodet-g.card.json"
    card_path.write_bytes(msgspec.json.encode(msgspec.structs.replace(model.card, **changes)))
    return folder / model.path.name


def test_a_card_beside_a_file_is_used(tmp_path: Path) -> None:
    path = _with_card(tmp_path, model_id="mine-1", output={"family": "nanodet", "confidence_min": 0.25})
    detector = _load(path)
    assert (detector.model_id, detector.confidence_min) == ("mine-1", 0.25)
    assert _load(path.with_name("detector-nanodet-g.card.json")).model_id == "mine-1"


def test_a_file_that_its_card_does_not_describe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedModelError, match="is not the file that its card describes"):
        _load(_with_card(tmp_path, sha256="0" * 64))


def test_a_card_without_its_file_is_told(tmp_path: Path) -> None:
    path = _with_card(tmp_path)
    path.unlink()
    with pytest.raises(ModelMissingError, match=r"detector-nanodet-g.int8.onnx"):
        _load(path.with_name("detector-nanodet-g.card.json"))


@pytest.mark.parametrize("output", [{"family": "nonsense"}, {"confidence_min": "high"}])
def test_a_card_that_says_nonsense_is_told(tmp_path: Path, output: dict[str, Any]) -> None:
    with pytest.raises(BadCardError, match="detector-fast"):
        _load(_with_card(tmp_path, output=output))


def test_a_card_that_is_no_card_is_told(tmp_path: Path) -> None:
    path = _with_card(tmp_path)
    card = path.with_name("detector-nanodet-g.card.json")
    card.write_text("{}")
    with pytest.raises(BadCardError, match="missing required field"):
        _load(path)


@pytest.mark.parametrize("runtime", ["tensorrt", "abacus"])
def test_a_runtime_that_cannot_be_used_is_told_with_what_can(runtime: str) -> None:
    with pytest.raises(RuntimeMissingError, match="onnxruntime"):
        _load("fast", runtime=runtime)


def test_every_error_is_an_inference_error() -> None:
    for kind in (ModelMissingError, NotAModelError, DamagedModelError, BadCardError, UnknownFamilyError):
        assert issubclass(kind, InferenceError)
