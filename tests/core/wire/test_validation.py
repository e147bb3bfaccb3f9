"""What cannot be true is refused by name."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import text

from core.wire.builders import (
    CAMERA,
    DIM,
    NOW_S,
    camera_health,
    crossing,
    examined,
    health,
    hello,
    live,
    person_found,
    stay,
    still,
    tracklet,
)
from ruid_core.wire import messages as wm
from ruid_core.wire.errors import InvalidContent
from ruid_core.wire.validation import (
    check_configured,
    check_content,
    check_examined,
    check_health,
    check_hello,
    check_live,
    check_still,
    plain_reason,
)
from ruid_core.wire.vectors import embedding_dim, pack_embeddings, unpack_embeddings
from strategies import boxes_rel

NAN = float("nan")


def refusal(check: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(InvalidContent) as refused:
        check(*arguments, **options)
    assert str(refused.value)
    return refused.value.code


def test_what_is_true_is_accepted() -> None:
    check_hello(hello())
    check_content(tracklet(), hello(), now_s=NOW_S)
    check_content(tracklet(embeddings=b"", qualities=(), final=True), hello(), now_s=NOW_S)
    check_content(wm.CoverageGap("cam0", NOW_S - 5, NOW_S, "camera lost"), hello(), now_s=NOW_S)
    check_content(wm.Dropped("spool_full", 1, 9, 9), hello(), now_s=NOW_S)
    check_content(crossing(), hello(), now_s=NOW_S)
    check_content(stay(), hello(), now_s=NOW_S)
    check_live(live(), hello())
    check_live(live(tracks=(wm.LiveTrack(7, (0, 0, 1, 1), 0.9, NOW_S, ("z1",)),)), hello())
    check_configured(wm.Configured(3, False, "zones", "too many"))
    check_still(still(), hello())
    check_still(still(jpeg=b"", captured_at_s=0.0, reason="the camera is away"), hello())
    check_health(health(), hello())
    check_examined(examined(), hello())
    check_examined(wm.Examined(7, "", refusal="busy"), hello())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"node_id": ""}, "name_length"),
        ({"node_name": "x" * 101}, "name_length"),
        ({"node_name": "a\nb"}, "name_characters"),
        ({"node_id": "a\0b"}, "name_characters"),
        ({"software_version": "1\0"}, "name_characters"),
        ({"embedding_model_id": "x" * 101}, "name_length"),
        ({"detector_model_id": "a\x1b[31m"}, "name_characters"),
        ({"cameras": (wm.CameraInfo("cam0", "Do\0or", 1, 1),)}, "name_characters"),
        ({"cameras": (wm.CameraInfo("cam0", "x" * 101, 1, 1),)}, "name_length"),
        ({"cameras": (CAMERA, CAMERA)}, "camera_twice"),
        ({"cameras": tuple(wm.CameraInfo(f"cam{n}", "", 1, 1) for n in range(17))}, "camera_count"),
        ({"embedding_dim": 0}, "embedding_dim"),
        ({"embedding_dim": 4096}, "embedding_dim"),
        ({"boot_epoch": -1}, "boot_epoch"),
    ],
)
def test_an_introduction_that_cannot_be(changes: dict[str, Any], code: str) -> None:
    assert refusal(check_hello, hello(**changes)) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"camera_id": "cam9"}, "unknown_camera"),
        ({"track_id": -1}, "track_id"),
        ({"part": -1}, "part"),
        ({"frames": -1}, "part"),
        ({"started_at_s": NOW_S}, "time_reversed"),
        ({"started_at_s": NAN}, "time_too_early"),
        ({"grabbed_at_s": 0.0}, "time_too_early"),
        ({"ended_at_s": NOW_S + 7200}, "time_in_future"),
        ({"box_rel": (0.0, 0.0, 1.2, 1.0)}, "box"),
        ({"box_rel": (NAN, 0.0, 1.0, 1.0)}, "box"),
        ({"qualities": (1.5,)}, "quality"),
        ({"qualities": (0.5,) * 17}, "prototype_count"),
        ({"qualities": (0.5, 0.5)}, "embedding_size"),
        ({"embedding_model_id": ""}, "embedding_model"),
        ({"embedding_model_id": "x" * 101}, "name_length"),
        ({"embedding_model_id": "a\0b"}, "name_characters"),
        ({"embedding_model_id": "former", "qualities": (0.5,) * 3}, "embedding_size"),
        ({"embedding_model_id": "former", "qualities": ()}, "embedding_size"),
        ({"embedding_model_id": "former", "embeddings": b""}, "embedding_size"),
        ({"embedding_model_id": "former", "embeddings": b"x" * 5000}, "embedding_size"),
        ({"thumbnail_jpeg": b"x" * 40_000}, "thumbnail_size"),
    ],
)
def test_a_tracklet_that_cannot_be(changes: dict[str, Any], code: str) -> None:
    assert refusal(check_content, tracklet(**changes), hello(), now_s=NOW_S) == code


@pytest.mark.parametrize("dim", [DIM, 2 * DIM])
def test_what_waited_while_the_embedder_was_replaced_is_taken_in(dim: int) -> None:
    """The node introduces itself with its new model; the dimension of the former one follows from the bytes."""
    waited = tracklet(
        embedding_model_id="former",
        embeddings=pack_embeddings(np.eye(dim, dtype=np.float32)[:2]),
        qualities=(0.5, 0.75),
    )
    check_content(waited, hello(), now_s=NOW_S)
    assert embedding_dim(waited) == dim
    last = tracklet(embedding_model_id="former", embeddings=b"", qualities=())
    check_content(last, hello(), now_s=NOW_S)
    assert unpack_embeddings(last.embeddings, dim=embedding_dim(last)).size == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (wm.CoverageGap("cam9", NOW_S - 5, NOW_S, ""), "unknown_camera"),
        (wm.CoverageGap("cam0", NOW_S, NOW_S - 5, ""), "time_reversed"),
        (wm.CoverageGap("cam0", NOW_S, NOW_S + 7200, ""), "time_in_future"),
        (wm.CoverageGap("cam0", NOW_S - 5, NOW_S, "x" * 501), "reason_length"),
        (wm.CoverageGap("cam0", NOW_S - 5, NOW_S, "lost\0"), "reason_characters"),
        (wm.Dropped("full\n", 1, 9, 9), "reason_characters"),
        (wm.Dropped("spool_full", 9, 1, 9), "dropped_range"),
        (wm.Dropped("spool_full", 1, 9, -9), "dropped_items"),
        (wm.Dropped("x" * 501, 1, 9, 9), "reason_length"),
        (crossing(camera_id="cam9"), "unknown_camera"),
        (crossing(line_id=""), "name_length"),
        (crossing(line_id="door\0"), "name_characters"),
        (crossing(track_id=-1), "track_id"),
        (crossing(direction=0), "direction"),
        (crossing(at_s=NAN), "time_too_early"),
        (crossing(at_s=NOW_S + 7200), "time_in_future"),
        (stay(camera_id="cam9"), "unknown_camera"),
        (stay(zone_id="a\nb"), "name_characters"),
        (stay(track_id=2**63), "track_id"),
        (stay(stay=-1), "stay"),
        (stay(left_at_s=NOW_S - 9), "time_reversed"),
        (stay(left_at_s=NOW_S + 7200), "time_in_future"),
    ],
)
def test_another_content_that_cannot_be(content: wm.Content, code: str) -> None:
    assert refusal(check_content, content, hello(), now_s=NOW_S) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"camera_id": "cam9"}, "unknown_camera"),
        ({"captured_at_s": 3.0}, "time_too_early"),
        ({"tracks": live().tracks * 501}, "track_count"),
        ({"tracks": (wm.LiveTrack(1, (0, 0, 1, 1), 2.0, NOW_S),)}, "confidence"),
        ({"tracks": (wm.LiveTrack(1, (0, 1, 1, 0), 0.5, NOW_S),)}, "box"),
        ({"tracks": (wm.LiveTrack(1, (0, 0, 1, 1), 0.5, NOW_S, ("z",) * 33),)}, "zone_count"),
        ({"tracks": (wm.LiveTrack(1, (0, 0, 1, 1), 0.5, NOW_S, ("",)),)}, "name_length"),
    ],
)
def test_a_live_state_that_cannot_be(changes: dict[str, Any], code: str) -> None:
    assert refusal(check_live, live(**changes), hello()) == code


@pytest.mark.parametrize(
    ("configured", "code"),
    [
        (wm.Configured(-1, True), "revision"),
        (wm.Configured(1, False, "x" * 501, ""), "reason_length"),
        (wm.Configured(1, False, "zones", "x" * 501), "reason_length"),
        (wm.Configured(1, False, "zones", "\0"), "reason_characters"),
    ],
)
def test_an_answer_to_a_configuration_that_cannot_be(configured: wm.Configured, code: str) -> None:
    assert refusal(check_configured, configured) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"camera_id": "cam9"}, "unknown_camera"),
        ({"jpeg": b"\xff\xd8" + b"x" * 230_000}, "still_size"),
        ({"jpeg": b"GIF89a"}, "still_format"),
        ({"jpeg": b""}, "still_empty"),
        ({"reason": "x" * 501}, "reason_length"),
        ({"reason": "a\nb"}, "reason_characters"),
        ({"captured_at_s": 1.0}, "time_too_early"),
    ],
)
def test_a_still_that_cannot_be(changes: dict[str, Any], code: str) -> None:
    assert refusal(check_still, still(**changes), hello()) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"request_id": -1}, "request_id"),
        ({"refusal": "x" * 101, "people": ()}, "name_length"),
        ({"refusal": "busy\0", "people": ()}, "name_characters"),
        ({"refusal": "nobody"}, "examined_empty"),
        ({"people": ()}, "examined_empty"),
        ({"people": (person_found(),) * 9}, "people_count"),
        ({"embedding_model_id": "reid-2"}, "embedding_model"),
        ({"people": (person_found(box_rel=(0, 0, 2, 1)),)}, "box"),
        ({"people": (person_found(confidence=NAN),)}, "confidence"),
        ({"people": (person_found(embedding=b"\0" * 2),)}, "embedding_size"),
        ({"people": (person_found(embedding=b"\0" * 2 * DIM),)}, "embedding_norm"),
        ({"people": (person_found(thumbnail_jpeg=b"x" * 40_000),)}, "thumbnail_size"),
    ],
)
def test_what_was_found_in_a_picture_that_cannot_be(changes: dict[str, Any], code: str) -> None:
    assert refusal(check_examined, examined(**changes), hello()) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cpu_percent": NAN}, "not_finite"),
        ({"started_after": "x" * 501}, "reason_length"),
        ({"started_after": "killed\0"}, "reason_characters"),
        ({"counters": {"a\0": 1}}, "name_characters"),
        ({"slowed_by": ("weak\0",)}, "name_characters"),
        ({"slowed_by": ("weak",) * 201}, "counters"),
        ({"queues": {"x" * 101: 1}}, "name_length"),
        ({"counters": {str(n): n for n in range(201)}}, "counters"),
        ({"cameras": (wm.CameraHealth("cam9", True, 1, 1, 1, 1, 1, {}, ()),)}, "unknown_camera"),
        ({"cameras": (camera_health(drops={str(n): n for n in range(201)}),)}, "counters"),
        ({"cameras": (camera_health(drops={"a\n": 1}),)}, "name_characters"),
        ({"cameras": (camera_health(trouble="lost\0"),)}, "reason_characters"),
        ({"cameras": (camera_health(senses=("dark\0",)),)}, "name_characters"),
        ({"cameras": (camera_health(steps=("slow\0",)),)}, "name_characters"),
        ({"cameras": (camera_health(stages=(wm.StageTime("a\0", 1, 2),)),)}, "name_characters"),
        ({"cameras": (camera_health(senses=("dark",) * 201),)}, "counters"),
        ({"cameras": (camera_health(steps=("slower",) * 201),)}, "counters"),
    ],
)
def test_a_health_message_that_cannot_be(changes: dict[str, Any], code: str) -> None:
    assert refusal(check_health, health(**changes), hello()) == code


@given(text())
def test_a_reason_made_plain_is_accepted(reason: str) -> None:
    check_content(wm.CoverageGap("cam0", NOW_S - 5, NOW_S, plain_reason(reason)), hello(), now_s=NOW_S)


def test_a_reason_made_plain_keeps_its_words() -> None:
    assert plain_reason("lost:\n  no\0 frame") == "lost: no frame"
    assert len(plain_reason("x" * 600)) == 500


@given(boxes_rel())
def test_every_box_inside_the_picture_is_accepted(box_rel: wm.Box) -> None:
    check_content(tracklet(box_rel=box_rel), hello(), now_s=NOW_S)
