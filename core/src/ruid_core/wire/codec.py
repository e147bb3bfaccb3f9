"""Messages to bytes and back."""

from typing import TypeVar

import msgspec

from ruid_core.wire.errors import Undecodable
from ruid_core.wire.messages import Content, HubMessage, NodeMessage
from ruid_core.wire.pictures import MAX_PICTURE_BYTES

MAX_FRAME_BYTES = 256 * 1024
"""No honest message of a node comes near this; a longer frame is refused unread."""
MAX_HUB_FRAME_BYTES = MAX_PICTURE_BYTES + 16 * 1024
"""The same for a hub, which may send a picture to be looked at."""

_T = TypeVar("_T")

_encoder = msgspec.msgpack.Encoder()
_node_decoder: msgspec.msgpack.Decoder[NodeMessage] = msgspec.msgpack.Decoder(NodeMessage)
_hub_decoder: msgspec.msgpack.Decoder[HubMessage] = msgspec.msgpack.Decoder(HubMessage)
_content_decoder: msgspec.msgpack.Decoder[Content] = msgspec.msgpack.Decoder(Content)


def encode(message: NodeMessage | HubMessage | Content) -> bytes:
    """Return the message's bytes."""
    return _encoder.encode(message)


def decode_node_message(frame: bytes) -> NodeMessage:
    """Return what a node said; raise `Undecodable` for anything else."""
    return _decode(_node_decoder, frame, most=MAX_FRAME_BYTES)


def decode_hub_message(frame: bytes) -> HubMessage:
    """Return what a hub said; raise `Undecodable` for anything else."""
    return _decode(_hub_decoder, frame, most=MAX_HUB_FRAME_BYTES)


def decode_content(stored: bytes) -> Content:
    """Return a durable item's content as it was encoded for the spool."""
    return _decode(_content_decoder, stored, most=MAX_FRAME_BYTES)


def _decode(decoder: "msgspec.msgpack.Decoder[_T]", frame: bytes, *, most: int) -> _T:
    if len(frame) > most:
        raise Undecodable(f"{len(frame)} bytes are more than the {most} allowed")
    try:
        return decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Undecodable(str(error)) from error
