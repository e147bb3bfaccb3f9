"""Messages survive the wire, and nothing else gets through."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.wire.builders import DIM, NOW_S, health, hello, live, tracklet
from ruid_core.wire import codec
from ruid_core.wire import messages as wm
from ruid_core.wire.errors import InvalidContent, Undecodable
from ruid_core.wire.vectors import pack_embeddings, unpack_embeddings
from strategies import unit_rows

GOLDEN = Path(__file__).parents[2] / "golden" / "wire" / "messages.json"

NODE_MESSAGES: dict[str, wm.NodeMessage] = {
    "hello": hello(),
    "item_tracklet": wm.Item(3, 41, tracklet()),
    "item_gap": wm.Item(3, 42, wm.CoverageGap("cam0", NOW_S - 9, NOW_S, "camera lost")),
    "item_dropped": wm.Item(3, 45, wm.Dropped("spool_full", 43, 45, 3)),
    "live": live(),
    "health": health(),
    "clock": wm.ClockProbe(NOW_S, 0.25, 0.01),
    "bye": wm.Goodbye("finished", True),
}
HUB_MESSAGES: dict[str, wm.HubMessage] = {
    "welcome": wm.Welcome(1, 0, "hub1", 3, 40, NOW_S),
    "ack": wm.Ack(3, 42),
    "clock_reply": wm.ClockReply(NOW_S, NOW_S + 1),
    "refused": wm.Refused("box", "the box does not lie in the picture", False),
    "bye": wm.Goodbye("the hub stops"),
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


def test_yesterdays_bytes_mean_the_same_today() -> None:
    """The golden file is written by `python -m core.wire.write_golden`; a change of it is a change of protocol."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert {name: bytes.fromhex(golden["node"][name]) for name in NODE_MESSAGES} == {
        name: codec.encode(message) for name, message in NODE_MESSAGES.items()
    }
    assert {name: bytes.fromhex(golden["hub"][name]) for name in HUB_MESSAGES} == {
        name: codec.encode(message) for name, message in HUB_MESSAGES.items()
    }


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
