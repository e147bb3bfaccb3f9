"""Pictures that somebody at the hub searches with: who is in them, and what the strangest of them do to a node."""

import asyncio
import struct
import threading
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.wire.builders import hello
from fakes import FakeDetector, FakeEmbedder
from ruid_core.vision import Detections, Size
from ruid_core.wire import messages as wm
from ruid_core.wire.pictures import MAX_PICTURE_BYTES, MAX_PICTURE_SIDE_PX, check_picture
from ruid_core.wire.validation import MAX_PEOPLE_FOUND, check_examined
from ruid_core.wire.vectors import unpack_embeddings
from ruid_edge.examining import Examiner, load_models
from ruid_edge.inference import InferenceError
from ruid_edge.pipeline import Models
from ruid_edge.settings import EdgeSettings
from ruid_tools.footage import CLIPS_DIR

Picture = NDArray[np.uint8]
RED, BLUE = (0, 0, 255), (255, 0, 0)
LEFT, RIGHT = (10.0, 20.0, 60.0, 120.0), (100.0, 10.0, 190.0, 190.0)


def two_people() -> Picture:
    picture = np.full((200, 200, 3), 90, np.uint8)
    for (x1, y1, x2, y2), colour in ((LEFT, RED), (RIGHT, BLUE)):
        picture[int(y1) : int(y2), int(x1) : int(x2)] = colour
    return picture


def packed(picture: Picture, kind: str = ".png") -> bytes:
    done, file = cv2.imencode(kind, picture)
    assert done
    return file.tobytes()


def examiner(*boxes: tuple[float, float, float, float]) -> Examiner:
    """One that finds these people in every picture."""
    return Examiner(lambda _: Models(FakeDetector([boxes]), FakeEmbedder()), embedding_model_id="fake-embedder")


async def asked(examiner: Examiner, picture: bytes) -> wm.Examined:
    return await examiner.examine(wm.Examine(7, picture))


async def refusal(examiner: Examiner, picture: bytes) -> str:
    answer = await asked(examiner, picture)
    assert (answer.request_id, answer.embedding_model_id, answer.people) == (7, "fake-embedder", ())
    return answer.refusal


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp"])
async def test_everybody_is_found_the_largest_first_and_the_hub_takes_the_answer(kind: str) -> None:
    answer = await asked(examiner(LEFT, RIGHT), packed(two_people(), kind))
    check_examined(answer, hello(embedding_model_id="fake-embedder", embedding_dim=4))
    assert [person.box_rel for person in answer.people] == [
        pytest.approx((0.5, 0.05, 0.95, 0.95)),
        pytest.approx((0.05, 0.1, 0.3, 0.6)),
    ]
    for person, colour in zip(answer.people, (BLUE, RED), strict=True):
        embedding = unpack_embeddings(person.embedding, dim=4)[0]
        assert embedding[:3].argmax() == np.argmax(colour)
        thumbnail = cv2.imdecode(np.frombuffer(person.thumbnail_jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert thumbnail is not None
        assert thumbnail.shape == (128, 64, 3)
        assert thumbnail[64, 32].argmax() == np.argmax(colour)


async def test_of_a_crowd_the_largest_are_told() -> None:
    crowd = [(0.0, 0.0, 10.0 + width, 40.0) for width in range(MAX_PEOPLE_FOUND + 4)]
    answer = await asked(examiner(*crowd), packed(two_people()))
    assert len(answer.people) == MAX_PEOPLE_FOUND
    assert answer.people[0].box_rel[2] == pytest.approx((10 + MAX_PEOPLE_FOUND + 3) / 200)


async def test_what_the_detector_only_suspects_is_nobody() -> None:
    class Suspecting(FakeDetector):
        def detect(self, picture_bgr: NDArray[np.uint8]) -> Detections:
            return Detections(super().detect(picture_bgr).boxes_xyxy_px, np.array([0.9, 0.15], np.float32))

    suspecting = Examiner(
        lambda _: Models(Suspecting([(LEFT, RIGHT)]), FakeEmbedder()), embedding_model_id="fake-embedder"
    )
    assert [person.confidence for person in (await asked(suspecting, packed(two_people()))).people] == [
        pytest.approx(0.9)
    ]


async def test_a_picture_cut_around_one_person_is_that_person_even_if_nobody_is_detected() -> None:
    answer = await asked(examiner(), packed(two_people()[:, 100:190]))
    assert [person.box_rel for person in answer.people] == [(0, 0, 1, 1)]
    assert await refusal(examiner(), packed(two_people())) == "nobody"
    assert await refusal(examiner(), packed(two_people()[:30, :10])) == "nobody"


async def test_a_picture_that_lies_on_its_side_is_looked_at_upright() -> None:
    """As phones store them: sideways, with a note which way is up."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    jpeg = packed(two_people()[:90, :180], ".jpg")
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    assert check_picture(turned) == (180, 90)
    (person,) = (await asked(examiner(), turned)).people
    thumbnail = cv2.imdecode(np.frombuffer(person.thumbnail_jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert thumbnail is not None
    assert person.box_rel == (0, 0, 1, 1)
    assert thumbnail[110, 32].argmax() == 0  # the blue half, on the right, is below now


async def test_a_third_picture_at_once_is_too_many() -> None:
    """The two before it are looked at one after the other, and then there is room again."""
    begun, go_on = threading.Event(), threading.Event()

    def load(_: Size) -> Models:
        begun.set()
        assert go_on.wait(10)
        return Models(FakeDetector([[LEFT]]), FakeEmbedder())

    busy, picture = Examiner(load, embedding_model_id="fake-embedder"), packed(two_people())
    first, second = (asyncio.create_task(asked(busy, picture)) for _ in range(2))
    await asyncio.to_thread(begun.wait, 10)
    assert await refusal(busy, picture) == "busy"
    go_on.set()
    assert [(await task).refusal for task in (first, second)] == ["", ""]
    assert (await asked(busy, picture)).refusal == ""
    busy.close()
    assert await refusal(busy, picture) == "busy"


async def test_a_node_whose_networks_do_not_load_says_so() -> None:
    def load(_: Size) -> Models:
        raise InferenceError

    assert await refusal(Examiner(load, embedding_model_id="fake-embedder"), packed(two_people())) == "unavailable"


async def test_a_network_that_breaks_over_a_picture_ends_nothing() -> None:
    class Breaking(FakeDetector):
        def detect(self, picture_bgr: NDArray[np.uint8]) -> Detections:
            raise ValueError(picture_bgr.shape)

    broken = Examiner(lambda _: Models(Breaking([]), FakeEmbedder()), embedding_model_id="fake-embedder")
    assert [await refusal(broken, packed(two_people())) for _ in range(3)] == ["picture_format"] * 3


def png_of(width: int, height: int) -> bytes:
    """A well-formed PNG whose pixels, all black, take next to no bytes."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    rows = zlib.compress(b"\0" * ((width + 7) // 8 + 1) * height, 9)
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


async def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty thousand pixels square in a hundred kilobytes would be 2.7 GB."""
    bomb = png_of(30_000, 30_000)
    assert len(bomb) < MAX_PICTURE_BYTES
    monkeypatch.setattr(cv2, "imdecode", None)
    assert await refusal(examiner(LEFT), bomb) == "picture_size"
    assert await refusal(examiner(LEFT), b"\xff\xd8\xff" + b"\0" * MAX_PICTURE_BYTES) == "picture_bytes"
    assert await refusal(examiner(LEFT), packed(two_people(), ".bmp")) == "picture_format"
    assert await refusal(examiner(LEFT), packed(two_people(), ".tiff")) == "picture_format"


async def test_the_largest_picture_that_is_allowed_is_looked_at() -> None:
    largest = png_of(MAX_PICTURE_SIDE_PX, MAX_PICTURE_SIDE_PX)
    assert (await asked(examiner(LEFT), largest)).refusal == ""


async def test_bytes_that_are_damaged_are_refused_or_looked_at_and_never_end_the_node() -> None:
    """Cuts, flipped bits and doubled pieces of every format, behind a head that may still look right."""
    chance = np.random.default_rng(5)
    refusals: list[str] = []
    for kind in (".jpg", ".png", ".webp"):
        whole = packed(cv2.resize(two_people(), (40, 60)).astype(np.uint8), kind)
        for _ in range(150):
            damaged = bytearray(whole)
            for _ in range(chance.integers(1, 7)):
                at = int(chance.integers(12, len(damaged)))
                match int(chance.integers(3)):
                    case 0:
                        damaged[at] ^= 1 << int(chance.integers(8))
                    case 1:
                        damaged[at:at] = damaged[at : at + int(chance.integers(1, 41))]
                    case _:
                        del damaged[max(12, at - int(chance.integers(1, 41))) : at]
            refusals.append((await asked(examiner((0, 0, 20, 40)), bytes(damaged))).refusal)
    assert set(refusals) <= {"", "picture_format", "picture_size"}
    assert len(set(refusals)) > 1


async def test_somebody_cut_out_of_the_demo_footage_looks_like_the_same_person_in_the_whole_frame(
    tmp_path: Path,
) -> None:
    """With the networks that the cameras use."""
    settings = EdgeSettings(state_dir=str(tmp_path))
    looking = Examiner(lambda size: load_models(settings, size), embedding_model_id="reid")
    frame = frame_of_the_footage(300)
    whole = (await asked(looking, packed(frame, ".jpg"))).people
    assert len(whole) == 4
    height, width = frame.shape[:2]
    x1, y1, x2, y2 = (np.array(whole[0].box_rel) * [width, height, width, height]).astype(int)
    (alone, *_) = (await asked(looking, packed(frame[y1:y2, x1:x2], ".jpg"))).people
    embedding = unpack_embeddings(alone.embedding, dim=256)[0]
    likenesses = [float(embedding @ unpack_embeddings(person.embedding, dim=256)[0]) for person in whole]
    assert likenesses[0] > 0.9
    assert likenesses[0] > max(likenesses[1:]) + 0.2
    looking.close()


def frame_of_the_footage(number: int) -> Picture:
    clip = cv2.VideoCapture(str(CLIPS_DIR / "west.mp4"))
    for _ in range(number):
        assert clip.grab()
    done, frame = clip.read()
    assert done
    return np.asarray(frame, np.uint8)


@pytest.mark.parametrize("size", [(2560, 20), (20, 2560), (3, 3), (1, 1), (1, 2560)])
async def test_a_picture_of_any_shape_is_looked_at(tmp_path: Path, size: tuple[int, int]) -> None:
    settings = EdgeSettings(state_dir=str(tmp_path))
    looking = Examiner(lambda size: load_models(settings, size), embedding_model_id="reid")
    width, height = size
    answer = await asked(looking, packed(np.full((height, width, 3), 90, np.uint8)))
    assert answer.refusal == ("nobody" if height < 100 else "")
    looking.close()
