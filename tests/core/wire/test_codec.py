"""Messages survive the wire, and nothing else gets through."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.wire.builders import (
    DIM,
    NOW_S,
    camera_config,
    camera_health,
    crossing,
    examined,
    health,
    hello,
    live,
    person_found,
    stay,
    tracklet,
)
from ruid_core.wire import codec
from ruid_core.wire import messages as wm
from ruid_core.wire.errors import InvalidContent, Undecodable
from ruid_core.wire.pictures import MAX_PICTURE_BYTES
from ruid_core.wire.validation import MAX_PEOPLE_FOUND
from ruid_core.wire.vectors import pack_embeddings, unpack_embeddings
from strategies import unit_rows

GOLDEN_FOLDER = Path(__file__).parents[2] / "golden" / "wire"
GOLDEN = GOLDEN_FOLDER / "messages-1.2.json"

NODE_MESSAGES: dict[str, wm.NodeMessage] = {
    "hello": hello(),
    "item_tracklet": wm.Item(3, 41, tracklet()),
    "item_gap": wm.Item(3, 42, wm.CoverageGap("cam0", NOW_S - 9, NOW_S, "camera lost")),
    "item_dropped": wm.Item(3, 45, wm.Dropped("spool_full", 43, 45, 3)),
    "live": live(),
    "health": health(),
    "clock": wm.ClockProbe(NOW_S, 0.25, 0.01),
    "bye": wm.Goodbye("finished", True),
    "item_crossing": wm.Item(3, 46, crossing()),
    "item_stay": wm.Item(3, 47, stay()),
    "live_in_zone": live(tracks=(wm.LiveTrack(7, (0.1, 0.2, 0.3, 0.4), 0.9, NOW_S - 2, ("z1",)),)),
    "hello_configured": hello(config_revision=12),
    "health_troubled": health(cameras=(camera_health(senses=("covered",), steps=("smaller_detector",)),)),
    "configured": wm.Configured(12, False, "zones[0].points_rel", "encloses nothing"),
    "still": wm.Still("cam0", NOW_S, b"\xff\xd8\xff\xd9"),
    "examined": examined(),
    "examined_in_vain": wm.Examined(8, "reid-1", refusal="nobody"),
}
HUB_MESSAGES: dict[str, wm.HubMessage] = {
    "welcome": wm.Welcome(1, 0, "hub1", 3, 40, NOW_S),
    "welcome_at_a_rate": wm.Welcome(1, 1, "hub1", 3, 40, NOW_S, 50.0),
    "ack": wm.Ack(3, 42),
    "clock_reply": wm.ClockReply(NOW_S, NOW_S + 1),
    "refused": wm.Refused("box", "the box does not lie in the picture", False),
    "bye": wm.Goodbye("the hub stops"),
    "configure": wm.Configure(12, (camera_config(),)),
    "still_wanted": wm.StillWanted("cam0"),
    "examine": wm.Examine(7, b"\xff\xd8\xff\xd9"),
}


@pytest.mark.parametrize("name", NODE_MESSAGES)
def test_a_node_message_survives_the_wire(name: str) -> None:
    message = NODE_MESSAGES[name]
    assert codec.decode_node_message(codec.encode(message)) == message


@pytest.mark.parametrize("name", HUB_MESSAGES)
def test_a_hub_message_survives_the_wire(name: str) -> None:
    message = HUB_MESSAGES[name]
    assert codec.decode_hub_message(codec.encode(message)) == message


def test_a_stored_content_survives_the_spool() -> None:
    assert codec.decode_content(codec.encode(tracklet())) == tracklet()


def test_todays_bytes_are_a_promise() -> None:
    """The golden file is written by `python -m core.wire.write_golden`; a change of it is a change of protocol."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert golden == {
        "node": {name: codec.encode(message).hex() for name, message in NODE_MESSAGES.items()},
        "hub": {name: codec.encode(message).hex() for name, message in HUB_MESSAGES.items()},
    }


@pytest.mark.parametrize("minor", [0, 1])
def test_yesterdays_bytes_mean_the_same_today(minor: int) -> None:
    """What an older version sent, in the bytes that it sent, is read with the later fields at their defaults."""
    golden = json.loads((GOLDEN_FOLDER / f"messages-1.{minor}.json").read_text(encoding="utf-8"))
    hellos = {
        "hello": hello(protocol_minor=minor),
        "hello_configured": hello(protocol_minor=minor, config_revision=12),
    }
    from_node = {**NODE_MESSAGES, **hellos}
    from_hub = {**HUB_MESSAGES, "configure": wm.Configure(12, (camera_config(upside_down=None),))}
    for name, packed in golden["node"].items():
        assert codec.decode_node_message(bytes.fromhex(packed)) == from_node[name]
    for name, packed in golden["hub"].items():
        assert codec.decode_hub_message(bytes.fromhex(packed)) == from_hub[name]


def test_a_field_from_the_future_is_passed_over() -> None:
    """A newer minor version adds fields at the end; an older side must not stumble."""
    longer = codec.encode(wm.Goodbye("finished", True))
    assert longer[0] == 0x93
    with_more = bytes([0x94]) + longer[1:] + b"\x07"
    assert codec.decode_node_message(with_more) == wm.Goodbye("finished", True)


@given(st.binary(max_size=300))
def test_noise_is_undecodable_and_nothing_else(frame: bytes) -> None:
    for decode in (codec.decode_node_message, codec.decode_hub_message, codec.decode_content):
        with contextlib.suppress(Undecodable):
            decode(frame)


@given(st.sampled_from(sorted(NODE_MESSAGES)), st.data())
def test_a_damaged_message_is_undecodable_or_another_message(name: str, data: st.DataObject) -> None:
    frame = bytearray(codec.encode(NODE_MESSAGES[name]))
    position = data.draw(st.integers(0, len(frame) - 1))
    frame[position] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Undecodable):
        codec.decode_node_message(bytes(frame))


def test_a_refusal_to_decode_says_why() -> None:
    with pytest.raises(Undecodable, match="could not be decoded"):
        codec.decode_hub_message(b"\xc1")


def test_an_oversized_frame_is_refused_unread() -> None:
    with pytest.raises(Undecodable, match="more than"):
        codec.decode_node_message(b"\x00" * (codec.MAX_FRAME_BYTES + 1))
    with pytest.raises(Undecodable, match="more than"):
        codec.decode_hub_message(b"\x00" * (codec.MAX_HUB_FRAME_BYTES + 1))


def test_the_largest_picture_that_may_be_asked_about_fits_into_a_frame_of_the_hub() -> None:
    asked = wm.Examine(2**63 - 1, b"\xff" * MAX_PICTURE_BYTES)
    assert codec.decode_hub_message(codec.encode(asked)) == asked


def test_the_fullest_answer_about_a_picture_fits_into_a_frame_of_a_node() -> None:
    """Eight people, each with 512 values and the largest thumbnail that a node makes."""
    largest = person_found(embedding=b"\0" * 1024, thumbnail_jpeg=b"\xff" * 8192)
    answer = examined(people=(largest,) * MAX_PEOPLE_FOUND)
    assert codec.decode_node_message(codec.encode(answer)) == answer


@given(st.integers(0, 10), st.integers(0, 2**32 - 1))
def test_embeddings_keep_their_direction(rows: int, seed: int) -> None:
    embeddings = unit_rows(np.random.default_rng(seed), rows)
    back = unpack_embeddings(pack_embeddings(embeddings), dim=DIM)
    assert back.shape == (rows, DIM)
    assert np.allclose((back * embeddings).sum(axis=1), 1, atol=1e-3)
    assert np.allclose(np.linalg.norm(back, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("packed", "dim", "code"),
    [
        (b"\x00" * 3, DIM, "embedding_size"),
        (b"", 0, "embedding_size"),
        (np.full(DIM, np.nan, "<f2").tobytes(), DIM, "embedding_not_finite"),
        (np.zeros(DIM, "<f2").tobytes(), DIM, "embedding_norm"),
        (np.full(DIM, 5, "<f2").tobytes(), DIM, "embedding_norm"),
    ],
)
def test_bytes_that_are_no_embeddings_are_refused_by_name(packed: bytes, dim: int, code: str) -> None:
    with pytest.raises(InvalidContent) as refused:
        unpack_embeddings(packed, dim=dim)
    assert refused.value.code == code
