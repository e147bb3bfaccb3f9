"""A hub's link without its identities and pages, and nodes without cameras, for tests over real sockets."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from core.wire.builders import health, hello
from ruid_core.wire import messages as wm
from ruid_core.wire.adoption import Adopted, AdoptionRequest, adoption_proof
from ruid_core.wire.uplink import ItemKey
from ruid_edge.enrolment import Credentials, FixedHub
from ruid_edge.spool import Spool
from ruid_edge.uplink import Answers, Applicant, Uplink
from ruid_edge.uplink.client import no_models
from ruid_hub.authority import Authority
from ruid_hub.ingest import GroupCommit, IngestServer
from ruid_hub.nodes import NodeRegister
from ruid_hub.recognition import ReceivedItem
from ruid_hub.store import Store, open_store

SECRET = b"a secret that the tests share with the hub"


@dataclass
class Hub:
    """What a hub remembers; its authority and store survive its server's restarts, and it notes what it hears."""

    folder: Path
    store: Store
    authority: Authority
    committed: dict[str, list[ItemKey]] = field(default_factory=dict[str, list[ItemKey]])
    items: list[ReceivedItem] = field(default_factory=list[ReceivedItem])
    said: list[str] = field(default_factory=list[str])
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def open(cls, folder: Path) -> "Hub":
        folder.mkdir(parents=True, exist_ok=True)
        authority = Authority.open(folder / "authority", names=("localhost", "127.0.0.1"), now_s=time.time())
        return cls(folder, open_store(folder / "hub.db"), authority)

    async def commit(self, items: Sequence[ReceivedItem]) -> None:
        await asyncio.sleep(0)
        for item in items:
            if item.key > self.resume_point(item.node_id):
                self.committed.setdefault(item.node_id, []).append(item.key)
                self.items.append(item)

    def resume_point(self, node_id: str) -> ItemKey:
        return self.committed.get(node_id, [ItemKey(0, 0)])[-1]

    def register(self) -> NodeRegister:
        """The list of nodes, read anew from the store."""
        return NodeRegister(
            store=self.store,
            authority=self.authority,
            resume_point=self.resume_point,
            clock=time.time,
            join_secret=SECRET,
        )

    def connected(self, hello: wm.Hello, at_s: float) -> None:
        self._note(f"connected {hello.node_name}")

    def disconnected(self, node_id: str, at_s: float, reason: str, *, finished: bool) -> None:
        self._note(f"gone: {reason}{' (finished)' if finished else ''}")

    def live(self, node_id: str, live: wm.Live, at_s: float) -> None:
        self._note("live")

    def health(self, node_id: str, health: wm.Health, at_s: float) -> None:
        self._note("health")

    def clock_measured(self, node_id: str, *, offset_s: float, error_s: float) -> None:
        self._note(f"clock measured {offset_s:g} {error_s:g}")

    def configured(self, node_id: str, configured: wm.Configured) -> None:
        self._note(f"configured {configured.revision}")

    def still(self, node_id: str, still: wm.Still) -> None:
        self._note("still")

    def missed(self, items: int) -> None:
        self._note(f"missed {items}")

    def refused(self, code: str) -> None:
        self._note(f"refused {code}")

    def _note(self, said: str) -> None:
        self.said.append(said)
        self.arrived.set()

    async def hears(self, said: str, *, within_s: float = 10.0) -> None:
        async with asyncio.timeout(within_s):
            while said not in self.said:
                self.arrived.clear()
                await self.arrived.wait()


@dataclass(frozen=True)
class Serving:
    """A running server."""

    server: IngestServer
    register: NodeRegister
    port: int

    @property
    def url(self) -> str:
        return f"wss://127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(hub: Hub, *, port: int = 0, items_per_s: float = 10_000.0) -> AsyncGenerator[Serving]:
    commits = GroupCommit(hub.commit)
    register = hub.register()
    server = IngestServer(
        authority=hub.authority,
        register=register,
        events=hub,
        commits=commits,
        resume_point=hub.resume_point,
        items_per_s=items_per_s,
    )
    committing = asyncio.create_task(commits.run())
    try:
        async with server.listening(bind="127.0.0.1", port=port) as bound:
            yield Serving(server, register, bound)
    finally:
        committing.cancel()
        await asyncio.gather(committing, return_exceptions=True)


async def let_in(register: NodeRegister, authority: Authority, credentials: Credentials, node_id: str) -> None:
    """Adopt a node as one that shares the secret, without sockets."""
    authority_der = authority.certificate_der
    proof = adoption_proof(SECRET, key_der=credentials.key_der, authority_der=authority_der)
    request = AdoptionRequest(1, 1, node_id, "Entrance", "0.1.0", credentials.request(node_id), proof)
    adopted = await register.ask(request, address="127.0.0.1")
    assert isinstance(adopted, Adopted)
    credentials.adopt(adopted)


async def member(serving: Serving, hub: Hub, folder: Path, node_id: str = "node1") -> Credentials:
    """The credentials of a node that was let in."""
    credentials = Credentials.open(folder / node_id)
    if not credentials.adopted:
        await let_in(serving.register, hub.authority, credentials, node_id)
    return credentials


def talking(serving: Serving, context: ssl.SSLContext, *, subprotocol: str = wm.SUBPROTOCOL) -> connect:
    """A connection that the test speaks on byte by byte."""
    return connect(serving.url, ssl=context, subprotocols=[Subprotocol(subprotocol)])


async def wait_bytes(peer: ClientConnection) -> bytes:
    received = await asyncio.wait_for(peer.recv(), 10)
    assert isinstance(received, bytes)
    return received


async def no_still(camera_id: str) -> wm.Still:
    return wm.Still(camera_id, 0.0, b"", "this node has no camera")


@asynccontextmanager
async def uplinking(
    spool: Spool,
    url: str,
    folder: Path,
    *,
    join: bool = True,
    configure: Callable[[wm.Configure], wm.Configured] = lambda told: wm.Configured(told.revision, accepted=True),
    still: Callable[[str], Awaitable[wm.Still]] = no_still,
    examine: Callable[[wm.Examine], Awaitable[wm.Examined]] = no_models,
    protocol_major: int = wm.PROTOCOL_MAJOR,
    config_revision: int = 0,
) -> AsyncGenerator[Uplink]:
    """A node's real uplink; it asks to be let in on its first connection."""
    join_file = folder / "join"
    join_file.write_bytes(SECRET)
    applicant = Applicant(
        "Entrance",
        Credentials.open(folder / "identity"),
        join_file=str(join_file) if join else "",
        code_file=folder / "code.txt",
    )

    def introduce() -> wm.Hello:
        return hello(
            node_id=spool.node_id,
            boot_epoch=spool.boot_epoch,
            protocol_major=protocol_major,
            config_revision=config_revision,
        )

    answers = Answers(introduce, health, configure, still, examine)
    uplink = Uplink(hub=FixedHub(url), applicant=applicant, spool=spool, answers=answers)
    running = asyncio.create_task(uplink.run())
    try:
        yield uplink
    finally:
        uplink.close(reason="stopped", finished=False)
        await asyncio.wait_for(running, 10)


async def until(holds: Callable[[], bool], *, within_s: float = 10.0) -> None:
    """Poll to a deadline."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - that is what polling is
            await asyncio.sleep(0.01)
