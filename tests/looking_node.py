"""A node that looks at pictures, without sockets: both ends of the real protocol, joined by hand."""

import asyncio
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from api_fakes import parts_of
from hub_fakes import FakeClock, hello
from ruid_core.wire import messages as wm
from ruid_core.wire.ingest import ExaminedArrived, IngestSession
from ruid_core.wire.uplink import ExamineAsked, ItemKey, UplinkSession
from ruid_core.wire.vectors import pack_embeddings
from ruid_hub.identities import build_engine
from ruid_hub.nodes import NodeRegister
from ruid_hub.parts import HubParts
from ruid_hub.recognition import Recogniser
from ruid_hub.service import HubService
from ruid_hub.store import Store

PICTURE = b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x80\x00\x40\x01\x01\x11\x00\xff\xd9"
"""What a JPEG of 64 × 128 begins and ends with."""


def found(seed: int, *, dim: int = 4, left: float = 0.1) -> wm.PersonFound:
    """Somebody in a picture, who looks like the observation of this number (`hub_fakes.observation`)."""
    row = np.random.default_rng(seed).normal(size=(2, dim)).astype(np.float32)[1]
    unit = row / np.linalg.norm(row)
    return wm.PersonFound((left, 0.1, left + 0.2, 0.9), 0.9, pack_embeddings(unit[None]), b"\xff\xd8\xff\xd9")


class LookingNode:
    """The only node of a hub, connected to its register; sees in every picture whom `sees` names."""

    def __init__(self, register: NodeRegister, hello: wm.Hello, *sees: wm.PersonFound) -> None:
        self.sees = sees
        self.pictures: list[bytes] = []
        self._register, self._hello = register, hello
        self._uplink, self._ingest = UplinkSession(hello), IngestSession()
        self._ingest.receive(self._uplink.take_outgoing()[0], now_s=hello.sent_at_s)
        self._ingest.welcome(hub_id="hub", resume_after=ItemKey(1, 0), now_s=hello.sent_at_s)
        register.attach(self)
        register.came(hello, address="192.0.2.7")

    def connected(self, node_id: str) -> bool:
        """As `ruid_hub.nodes.Links`."""
        return node_id == self._hello.node_id

    def ask(self, node_id: str, message: wm.Configure | wm.StillWanted | wm.Examine) -> bool:
        """As `ruid_hub.nodes.Links`; the answer comes with the loop's next turn."""
        if not self.connected(node_id) or not self._ingest.ask(message):
            return False
        asyncio.get_running_loop().call_soon(self._exchange)
        return True

    def introduce_again(self, node_id: str) -> None:
        """As `ruid_hub.nodes.Links`."""

    async def cut(self, node_id: str, *, code: str, text: str) -> None:
        """As `ruid_hub.nodes.Links`."""

    def _exchange(self) -> None:
        for frame in self._ingest.take_outgoing():
            asked = self._uplink.receive(frame, now_s=self._hello.sent_at_s)
            if isinstance(asked, ExamineAsked):
                self.pictures.append(asked.examine.picture)
                refusal = "" if self.sees else "nobody"
                model_id = self._hello.embedding_model_id
                self._uplink.send(wm.Examined(asked.examine.request_id, model_id, self.sees, refusal))
        for frame in self._uplink.take_outgoing():
            told = self._ingest.receive(frame, now_s=self._hello.sent_at_s)
            if isinstance(told, ExaminedArrived):
                self._register.examined(self._hello.node_id, told.examined)


def looking_hello() -> wm.Hello:
    """A node of today that embeds as the observations of `hub_fakes` were."""
    return msgspec.structs.replace(hello(), protocol_minor=wm.PROTOCOL_MINOR)


def parts_that_know(store: Store, folder: Path) -> HubParts:
    """The parts of a hub whose engine knows whom the store holds."""
    numbers = np.random.default_rng(7)
    recogniser = Recogniser(
        store=store, engine=build_engine("ruid", next_identity_id=lambda: numbers.bytes(6).hex()), clock=FakeClock()
    )
    recogniser.restore()
    parts = parts_of(store, folder)
    service = HubService(
        site=parts.site, store=store, recogniser=recogniser, notifier=parts.notifier, metrics=parts.metrics
    )
    return replace(parts, hand=service.hand)
