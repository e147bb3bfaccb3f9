"""The one thing that somebody without a certificate may do: ask to be let in, and wait for the answer."""

import asyncio
import contextlib
from collections import Counter

import structlog
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from ruid_core.wire.adoption import (
    Adopted,
    AdoptionPending,
    NotAdopted,
    decode_request,
    encode_adoption,
)
from ruid_core.wire.errors import PeerError
from ruid_hub.authority import Authority, RequestRefused
from ruid_hub.nodes import NodeRegister, NotAdmitted
from ruid_hub.nodes.waiting import Asking

STRANGERS = 96
STRANGERS_PER_ADDRESS = 24
_REQUEST_WITHIN_S = 10.0
_REQUESTS = 4

_log = structlog.get_logger("adoption")


class Strangers:
    """Bounded in number, in time and in what each may send; nothing of it reaches the store."""

    def __init__(self, *, register: NodeRegister, authority: Authority, counters: "Counter[str]") -> None:
        self._register = register
        self._authority = authority
        self._counters = counters
        self._here: Counter[str] = Counter()

    def turn_away(self, address: str) -> tuple[int, str] | None:
        """Why a stranger from this address may not come in now (HTTP status and text); None when it may."""
        if self._here.total() >= STRANGERS or self._here[address] >= STRANGERS_PER_ADDRESS:
            self._counters["adoption_too_many_at_once"] += 1
            return 503, "too many devices ask at once: approve or reject some, then this one gets its turn"
        try:
            self._register.allow_ask(address)
        except NotAdmitted as error:
            self._counters[f"adoption_{error.code}"] += 1
            return 429, str(error)
        return None

    async def converse(self, websocket: ServerConnection) -> None:
        """Serve one stranger to the end of its connection."""
        address = str(websocket.remote_address[0])
        self._here[address] += 1
        try:
            with contextlib.suppress(ConnectionClosed):
                await self._answer(websocket, address)
        except TimeoutError:
            self._counters["adoption_silent"] += 1
        finally:
            self._here[address] -= 1
            if not self._here[address]:
                del self._here[address]

    async def _answer(self, websocket: ServerConnection, address: str) -> None:
        frame = await asyncio.wait_for(websocket.recv(), _REQUEST_WITHIN_S)
        for _ in range(_REQUESTS):
            answer = await self._ask(frame, address)
            if not isinstance(answer, Asking):
                await websocket.send(encode_adoption(answer))
                return
            try:
                pending = AdoptionPending(self._authority.hub_id, self._authority.certificate_der)
                await websocket.send(encode_adoption(pending))
                decided, frame = await self._wait(websocket, answer)
            finally:
                self._register.let_go(answer)
            if decided is not None:
                await websocket.send(encode_adoption(decided))
                return

    async def _ask(self, frame: bytes | str, address: str) -> "Asking | Adopted | NotAdopted":
        try:
            request = decode_request(frame if isinstance(frame, bytes) else frame.encode())
            return await self._register.ask(request, address=address)
        except PeerError as error:
            code, text = error.code, str(error)
        except RequestRefused as error:
            code, text = "signing_request", str(error)
        except NotAdmitted as error:
            code, text = error.code, str(error)
        self._counters[f"adoption_{code}"] += 1
        _log.warning("adoption refused", code=code, address=address)
        return NotAdopted(code, text)

    async def _wait(
        self, websocket: ServerConnection, asking: Asking
    ) -> "tuple[Adopted | NotAdopted | None, bytes | str]":
        """Wait for the answer, or for another request; exactly one of the two is given."""
        answer = asyncio.shield(asking.answer)
        frame = asyncio.ensure_future(websocket.recv())
        try:
            await asyncio.wait((answer, frame), return_when=asyncio.FIRST_COMPLETED)
            if asking.answer.done():
                return asking.answer.result(), b""
            return None, frame.result()
        finally:
            answer.cancel()
            frame.cancel()
            await asyncio.gather(answer, frame, return_exceptions=True)
