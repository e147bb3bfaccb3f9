"""How a node that has no certificate yet asks for one: the only conversation that a hub has with a stranger.

    node: AdoptionRequest ──▶            hub: AdoptionPending ──▶ (somebody approves) ──▶ Adopted
                                              └────────────────────────────────────────▶ NotAdopted

Both sides work out the short code from the node's public key and the hub's authority. A person who sees the same
code at the node and at the hub therefore knows that nobody stands between them: a go-between has another authority
or another key, and so another code.

A node that shares a secret with the hub (a file on one machine) proves it over the same two values, and need not
wait for a person. The proof is of no use with another key or to another hub.
"""

import base64
import hashlib
import hmac
from typing import TypeVar

import msgspec

from ruid_core.wire.errors import InvalidContent, NewerProtocol, Undecodable
from ruid_core.wire.messages import PROTOCOL_MAJOR, PROTOCOL_MINOR

ADOPTION_SUBPROTOCOL = "ruid.adopt.v1"
MAX_ADOPTION_BYTES = 16 * 1024
MAX_NAME_CHARS = 80
MAX_REQUEST_BYTES = 4096
_CODE_BYTES = 5
_T = TypeVar("_T")


class _Message(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=False, tag=True):
    """As the other messages: fields are only added, at the end, with defaults."""


class AdoptionRequest(_Message, frozen=True, tag="adopt"):
    """A node asks to be let in; `request_der` is a signing request (PKCS #10) for its own key."""

    protocol_major: int
    protocol_minor: int
    node_id: str
    node_name: str
    software_version: str
    request_der: bytes
    proof: bytes = b""


class AdoptionPending(_Message, frozen=True, tag="pending"):
    """Somebody at the hub has to approve; the connection stays open until then."""

    hub_id: str
    authority_der: bytes


class Adopted(_Message, frozen=True, tag="adopted"):
    """The node is in: its certificate, the authority to pin, and the name that it goes by from now on.

    A node that takes another's place counts its boots from after `after_boot_epoch`.
    """

    node_id: str
    certificate_der: bytes
    authority_der: bytes
    after_boot_epoch: int = 0


class NotAdopted(_Message, frozen=True, tag="not_adopted"):
    """The hub will not have the node now; the code says why."""

    code: str
    text: str


AdoptionAnswer = AdoptionPending | Adopted | NotAdopted

_encoder = msgspec.msgpack.Encoder()
_request_decoder: msgspec.msgpack.Decoder[AdoptionRequest] = msgspec.msgpack.Decoder(AdoptionRequest)
_answer_decoder: msgspec.msgpack.Decoder[AdoptionAnswer] = msgspec.msgpack.Decoder(AdoptionAnswer)


def encode_adoption(message: AdoptionRequest | AdoptionAnswer) -> bytes:
    """Return the message's bytes."""
    return _encoder.encode(message)


def decode_request(frame: bytes) -> AdoptionRequest:
    """Return a stranger's request, checked; raise `Undecodable`, `NewerProtocol` or `InvalidContent`."""
    request = _decode(_request_decoder, frame)
    if request.protocol_major != PROTOCOL_MAJOR:
        raise NewerProtocol((request.protocol_major, request.protocol_minor), (PROTOCOL_MAJOR, PROTOCOL_MINOR))
    for text in (request.node_id, request.node_name):
        _require(0 < len(text) <= MAX_NAME_CHARS, "name_length", "a name is empty or longer than 80 characters")
        _require(text.isprintable(), "name_characters", "a name holds characters that cannot be printed")
    plain = request.node_id.isascii() and request.node_id.replace("-", "").isalnum()
    _require(plain, "node_id", "a node's id consists of letters, digits and hyphens")
    short = len(request.software_version) <= MAX_NAME_CHARS and request.software_version.isprintable()
    _require(short, "version", "the version cannot be one")
    _require(len(request.request_der) <= MAX_REQUEST_BYTES, "request_size", "the signing request is too large")
    _require(len(request.proof) in {0, 32}, "proof", "the proof has the wrong length")
    return request


def decode_answer(frame: bytes) -> AdoptionAnswer:
    """Return a hub's answer; raise `Undecodable` for anything else."""
    return _decode(_answer_decoder, frame)


def adoption_code(*, key_der: bytes, authority_der: bytes) -> str:
    """Return the short code of this key at this hub, such as `K7QD-2MXA`.

    `key_der` is the node's public key (SubjectPublicKeyInfo), `authority_der` the hub's authority's certificate.
    """
    digest = hashlib.sha256(b"ruid adoption code" + _binding(key_der, authority_der)).digest()
    text = base64.b32encode(digest[:_CODE_BYTES]).decode("ascii")
    return f"{text[:4]}-{text[4:]}"


def adoption_proof(secret: bytes, *, key_der: bytes, authority_der: bytes) -> bytes:
    """Return what shows that a node knows the secret without telling it (HMAC-SHA-256)."""
    return hmac.digest(secret, b"ruid adoption proof" + _binding(key_der, authority_der), "sha256")


def _binding(key_der: bytes, authority_der: bytes) -> bytes:
    return hashlib.sha256(key_der).digest() + hashlib.sha256(authority_der).digest()


def _decode(decoder: "msgspec.msgpack.Decoder[_T]", frame: bytes) -> _T:
    if len(frame) > MAX_ADOPTION_BYTES:
        raise Undecodable(f"{len(frame)} bytes are more than the {MAX_ADOPTION_BYTES} allowed")
    try:
        return decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Undecodable(str(error)) from error


def _require(holds: bool, code: str, text: str) -> None:  # noqa: FBT001 - a guard reads best as a condition
    if not holds:
        raise InvalidContent(code, text)
