"""Asking a hub to be let in: the shell around `ruid_core.wire.adoption`."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from ruid_core.wire.adoption import (
    ADOPTION_SUBPROTOCOL,
    MAX_ADOPTION_BYTES,
    Adopted,
    AdoptionAnswer,
    AdoptionPending,
    AdoptionRequest,
    adoption_code,
    adoption_proof,
    decode_answer,
    encode_adoption,
)
from ruid_core.wire.messages import PROTOCOL_MAJOR, PROTOCOL_MINOR
from ruid_edge import __version__
from ruid_edge.enrolment import AdoptionSpoiled, Credentials
from ruid_edge.enrolment.credentials import fingerprint

_FILE_COMES_WITHIN_S = 5.0

_log = structlog.get_logger("adoption")


class NotLetIn(Exception):
    """The hub says no, for now; the text says why."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who asks: `join_file` may hold a secret shared with the hub, `expected_fingerprint` the hub's, or be empty.

    `code_file`, if given, always holds the code that a person has to approve.
    """

    node_name: str
    credentials: Credentials
    join_file: str = ""
    expected_fingerprint: str = ""
    code_file: Path | None = None


async def ask_to_be_let_in(url: str, applicant: Applicant, *, node_id: str) -> Adopted:
    """Ask, and hold the line until somebody has decided; return what the hub gave, which is kept already.

    Raises `NotLetIn`, `AdoptionSpoiled`, a `WireError`, `OSError` or one of the websockets library.
    """
    async with connect(
        url,
        ssl=applicant.credentials.stranger_context(),
        subprotocols=[Subprotocol(ADOPTION_SUBPROTOCOL)],
        max_size=MAX_ADOPTION_BYTES,
        open_timeout=5,
        ping_interval=10,
        ping_timeout=10,
        compression=None,
    ) as websocket:
        await websocket.send(encode_adoption(_request(applicant, node_id)))
        answer = await _next(websocket)
        if isinstance(answer, AdoptionPending):
            answer = await _wait(websocket, answer, applicant, node_id)
        if not isinstance(answer, Adopted):
            text = answer.text if not isinstance(answer, AdoptionPending) else "the hub keeps putting it off"
            raise NotLetIn(text)
        _check(websocket, answer.authority_der, applicant)
        applicant.credentials.adopt(answer)
        return answer


async def _wait(
    websocket: ClientConnection, pending: AdoptionPending, applicant: Applicant, node_id: str
) -> AdoptionAnswer:
    """Tell people the code, and the hub the shared secret's proof if there is one; wait for the answer."""
    _check(websocket, pending.authority_der, applicant)
    key_der = applicant.credentials.key_der
    code = adoption_code(key_der=key_der, authority_der=pending.authority_der)
    secret = _secret(applicant.join_file)
    if secret:
        proof = adoption_proof(secret, key_der=key_der, authority_der=pending.authority_der)
        await websocket.send(encode_adoption(_request(applicant, node_id, proof=proof)))
        answer = await _next(websocket)
        if not isinstance(answer, AdoptionPending):
            return answer
    _log.warning(
        "waiting to be approved: compare the code on the hub's page of nodes, or run `ruid hub nodes approve` there",
        code=code,
        hub_fingerprint=fingerprint(pending.authority_der),
    )
    if applicant.code_file is not None:
        applicant.code_file.write_text(code + "\n", encoding="ascii")
    # A shared file that is announced but not there yet will be: ask again soon.
    patience_s = _FILE_COMES_WITHIN_S if applicant.join_file and not secret else None
    try:
        async with asyncio.timeout(patience_s):
            return await _next(websocket)
    finally:
        if applicant.code_file is not None:
            applicant.code_file.unlink(missing_ok=True)


def _check(websocket: ClientConnection, authority_der: bytes, applicant: Applicant) -> None:
    tls = websocket.transport.get_extra_info("ssl_object")
    server_der = tls.getpeercert(binary_form=True) if tls is not None else None
    if not server_der:
        raise AdoptionSpoiled("the hub shows no certificate")
    applicant.credentials.check_hub(
        authority_der, server_der=server_der, expected_fingerprint=applicant.expected_fingerprint
    )


def _request(applicant: Applicant, node_id: str, *, proof: bytes = b"") -> AdoptionRequest:
    request_der = applicant.credentials.request(node_id)
    return AdoptionRequest(
        PROTOCOL_MAJOR, PROTOCOL_MINOR, node_id, applicant.node_name, __version__, request_der, proof
    )


def _secret(join_file: str) -> bytes:
    try:
        return Path(join_file).read_bytes().strip() if join_file else b""
    except OSError:
        return b""


async def _next(websocket: ClientConnection) -> AdoptionAnswer:
    frame = await websocket.recv()
    return decode_answer(frame if isinstance(frame, bytes) else frame.encode())
