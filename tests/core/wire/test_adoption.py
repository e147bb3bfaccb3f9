"""What a stranger may say, and the code that two people can compare."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruid_core.wire.adoption import (
    MAX_ADOPTION_BYTES,
    Adopted,
    AdoptionAnswer,
    AdoptionPending,
    AdoptionRequest,
    NotAdopted,
    adoption_code,
    adoption_proof,
    decode_answer,
    decode_request,
    encode_adoption,
)
from ruid_core.wire.errors import InvalidContent, NewerProtocol, PeerError, Undecodable

PLAIN = AdoptionRequest(1, 1, "3f2a-node", "Entrance", "0.1.0", b"a signing request")


def request(**changes: Any) -> AdoptionRequest:
    return msgspec.structs.replace(PLAIN, **changes)


def test_a_request_survives_the_wire() -> None:
    assert decode_request(encode_adoption(request(proof=b"p" * 32))) == request(proof=b"p" * 32)


@pytest.mark.parametrize(
    "answer", [AdoptionPending("hub1", b"ca"), Adopted("node1", b"cert", b"ca", 7), NotAdopted("revoked", "no")]
)
def test_an_answer_survives_the_wire(answer: AdoptionAnswer) -> None:
    assert decode_answer(encode_adoption(answer)) == answer


def test_the_bytes_are_a_promise() -> None:
    packed = encode_adoption(request(request_der=b"\x01"))
    assert packed.hex() == "98a561646f70740101a9336632612d6e6f6465a8456e7472616e6365a5302e312e30c40101c400"
    assert encode_adoption(AdoptionPending("h", b"\x02")).hex() == "93a770656e64696e67a168c40102"
    assert encode_adoption(Adopted("n", b"\x03", b"\x02", 7)).hex() == "95a761646f70746564a16ec40103c4010207"
    assert encode_adoption(NotAdopted("no", "x")).hex() == "93ab6e6f745f61646f70746564a26e6fa178"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"node_id": ""}, "name_length"),
        ({"node_id": "x" * 81}, "name_length"),
        ({"node_id": "a/b"}, "node_id"),
        ({"node_id": "ä"}, "node_id"),
        ({"node_name": ""}, "name_length"),
        ({"node_name": "a\x1b[31m"}, "name_characters"),
        ({"software_version": "1" * 81}, "version"),
        ({"software_version": "1\n"}, "version"),
        ({"request_der": b"x" * 5000}, "request_size"),
        ({"proof": b"x"}, "proof"),
    ],
)
def test_a_request_that_cannot_be(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidContent) as refused:
        decode_request(encode_adoption(request(**changes)))
    assert refused.value.code == code


def test_a_newer_major_version_is_told_both() -> None:
    with pytest.raises(NewerProtocol, match=r"protocol 2\.0"):
        decode_request(encode_adoption(request(protocol_major=2, protocol_minor=0)))


def test_what_is_too_long_is_not_read() -> None:
    with pytest.raises(Undecodable, match="more than"):
        decode_request(b"\x00" * (MAX_ADOPTION_BYTES + 1))


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_else(frame: bytes) -> None:
    for decode in (decode_request, decode_answer):
        with contextlib.suppress(PeerError):
            decode(frame)


def test_the_code_depends_on_both_sides() -> None:
    code = adoption_code(key_der=b"key", authority_der=b"authority")
    assert len(code) == 9
    assert code[4] == "-"
    assert code == adoption_code(key_der=b"key", authority_der=b"authority")
    assert code != adoption_code(key_der=b"key2", authority_der=b"authority")
    assert code != adoption_code(key_der=b"key", authority_der=b"authority2")


def test_the_proof_needs_the_secret_the_key_and_the_hub() -> None:
    proofs = {
        adoption_proof(b"secret", key_der=b"key", authority_der=b"authority"),
        adoption_proof(b"guess", key_der=b"key", authority_der=b"authority"),
        adoption_proof(b"secret", key_der=b"key2", authority_der=b"authority"),
        adoption_proof(b"secret", key_der=b"key", authority_der=b"authority2"),
    }
    assert len(proofs) == 4
    assert {len(proof) for proof in proofs} == {32}
