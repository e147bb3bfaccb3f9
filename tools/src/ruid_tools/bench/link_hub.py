"""The hub of `ruid bench link`, a process of its own: real ingest, adoption, recognition and commits, no pages."""

import asyncio
import contextlib
import gc
import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from ruid_core.identity import (
    Decision,
    Evidence,
    EvidenceRefused,
    IdentityEngine,
    Revision,
    UniqueEstimate,
    UnknownTrack,
)
from ruid_core.wire import messages as wm
from ruid_core.wire.adoption import Adopted, AdoptionRequest, adoption_proof
from ruid_hub.authority import Authority
from ruid_hub.identities import build_engine
from ruid_hub.ingest import GroupCommit, IngestServer
from ruid_hub.integrations.metrics import HubMetrics
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.nodes import NodeRegister
from ruid_hub.observations import Assignment, TrackKey
from ruid_hub.recognition import ReceivedItem, Recogniser, Recognition
from ruid_hub.service import HubService
from ruid_hub.site import Site
from ruid_hub.store import Store, open_store

STOP = "stop"
_SECRET = b"nodes of the bench are let in at once"
_COMMITS_TIMED = 5000
_IDENTITIES_TIMED = 100_000
_THOUGHTS = 1000
_SHARES = (50, 95, 99)


def run_bench_hub(
    folder: str, requests: Sequence[tuple[str, bytes, bytes]], pipe: Connection, *, identities: bool
) -> None:
    """Serve until the pipe says `STOP`: says its ports and the nodes' certificates first, its account last.

    Any other word on the pipe is answered with how the identities do. Without `identities` nobody gets one.
    """
    quiet = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=quiet)
    asyncio.run(_serve_hub(Path(folder), requests, pipe, identities=identities))


async def _serve_hub(
    folder: Path, requests: Sequence[tuple[str, bytes, bytes]], pipe: Connection, *, identities: bool
) -> None:
    store = open_store(folder / "hub.db")
    authority = Authority.open(folder / "authority", names=("localhost", "127.0.0.1"), now_s=time.time())
    site, recogniser = _TimedSite(), _TimedRecogniser(store=store, engine=_engine(identities=identities))
    register = NodeRegister(
        store=store, authority=authority, resume_point=recogniser.resume_point, clock=time.time, join_secret=_SECRET
    )
    certificates = [await _let_in(register, authority, *request) for request in requests]
    service = HubService(site=site, store=store, recogniser=recogniser, notifier=ChangeNotifier(), metrics=HubMetrics())
    commits_s: deque[float] = deque(maxlen=_COMMITS_TIMED)

    async def commit(items: Sequence[ReceivedItem]) -> None:
        started_s = time.monotonic()
        await service.commit(items)
        commits_s.append(time.monotonic() - started_s)

    commits = GroupCommit(commit)
    server = IngestServer(
        authority=authority,
        register=register,
        events=service,
        commits=commits,
        resume_point=recogniser.resume_point,
        items_per_s=100_000.0,
    )
    duties = [asyncio.create_task(duty) for duty in (commits.run(), service.run())]
    async with (
        server.listening(bind="127.0.0.1", port=0) as port,
        serve(_echo, "127.0.0.1", 0, ssl=authority.server_context_for_pages(), compression=None) as echo,
    ):
        echo_port = next(iter(echo.sockets)).getsockname()[1]
        gc.freeze()  # as the hub does when it is up
        pipe.send((port, echo_port, certificates))
        while await asyncio.to_thread(pipe.recv) != STOP:
            pipe.send({**site.account(), **recogniser.thoughts(), "identities": store.counts().identities})
    for duty in duties:
        duty.cancel()
    await asyncio.gather(*duties, return_exceptions=True)
    await service.close()
    pipe.send(
        {
            "observations": store.counts().observations,
            "commit_ms": percentiles_ms(commits_s, shares=(50, 99)),
            **recogniser.account(),
            **server.counters,
        }
    )
    store.close()


def percentiles_ms(durations_s: Iterable[float], *, shares: Sequence[int] = _SHARES) -> dict[str, float]:
    """Percentiles in milliseconds by name; empty where there is nothing to tell."""
    milliseconds = np.fromiter(durations_s, float) * 1000
    if not milliseconds.size:
        return {}
    return {f"p{share}": round(float(np.percentile(milliseconds, share)), 1) for share in shares}


class _TimedSite(Site):
    """The live picture, which times the way from the moment a node sent a look to its identity being shown."""

    def __init__(self) -> None:
        super().__init__()
        self._identities_s: deque[float] = deque(maxlen=_IDENTITIES_TIMED)

    def assigned(
        self,
        track: TrackKey,
        assignment: Assignment,
        *,
        at_s: float,
        seen_at_s: float | None = None,
        latency_s: float | None = None,
        thumbnail_id: int | None = None,
    ) -> None:
        """See `Site.assigned`; the bench's nodes are on this machine and say that a look ended when they sent it."""
        super().assigned(
            track, assignment, at_s=at_s, seen_at_s=seen_at_s, latency_s=latency_s, thumbnail_id=thumbnail_id
        )
        if seen_at_s is not None:
            self._identities_s.append(time.time() - seen_at_s)

    def account(self) -> dict[str, Any]:
        """How long identities took so far."""
        return {"identity_ms": percentiles_ms(self._identities_s)}


class _TimedRecogniser(Recogniser):
    """Keeps account of what commits and consolidations take of the worker thread."""

    def __init__(self, *, store: Store, engine: IdentityEngine) -> None:
        super().__init__(store=store, engine=engine)
        self._commits = self._items = 0
        self._cpu_s = self._longest_step_s = 0.0
        self._thought_s: deque[tuple[float, float]] = deque(maxlen=_THOUGHTS)
        self._thinks_since_s: float | None = None

    def commit(self, items: Sequence[ReceivedItem]) -> Recognition:
        """See `Recogniser.commit`."""
        started_s, duplicates = time.thread_time(), self.duplicates
        recognition = super().commit(items)
        self._cpu_s += time.thread_time() - started_s
        self._commits += 1
        self._items += len(items) - (self.duplicates - duplicates)
        return recognition

    def rethink(self, *, at_s: float) -> Recognition | None:
        """See `Recogniser.rethink`; from when to when (monotonic) each consolidation was under way is noted."""
        started_s = time.monotonic()
        recognition = super().rethink(at_s=at_s)
        now_s = time.monotonic()
        self._longest_step_s = max(self._longest_step_s, now_s - started_s)
        if self._thinks_since_s is None:
            self._thinks_since_s = started_s
        if recognition is not None:
            self._thought_s.append((self._thinks_since_s, now_s))
            self._thinks_since_s = None
        return recognition

    def thoughts(self) -> dict[str, Any]:
        """When the hub thought again, and how long its longest step held up commits, waits for a turn included."""
        return {"thought_s": list(self._thought_s), "longest_step_ms": round(1000 * self._longest_step_s, 1)}

    def account(self) -> dict[str, Any]:
        """What was committed, and what it cost of the worker's processor, recognition included."""
        return {
            "duplicates": self.duplicates,
            "commits": self._commits,
            "items_per_commit": round(self._items / max(1, self._commits), 1),
            "commit_cpu_us_per_item": round(1e6 * self._cpu_s / max(1, self._items), 1),
        }


class _KnowsNobody:
    """The engine of a run without identities."""

    def observe(self, evidence: Evidence) -> Decision:
        raise EvidenceRefused

    def end_track(self, track: str, at_s: float) -> None: ...

    def consolidate(self, at_s: float) -> tuple[Revision, ...]:
        return ()

    def restore(self, evidence: Evidence, identity_id: str) -> None: ...

    def begin_anew(self) -> None: ...

    def estimate(self) -> UniqueEstimate:
        return UniqueEstimate(0.0, 0.0, 0.0)

    def identity_of(self, track: str) -> str:
        raise UnknownTrack(track)

    def state_bytes(self) -> int:
        return 0


def _engine(*, identities: bool) -> IdentityEngine:
    numbers = count(1)
    return build_engine(next_identity_id=lambda: f"bench{next(numbers)}") if identities else _KnowsNobody()


async def _let_in(
    register: NodeRegister, authority: Authority, node_id: str, key_der: bytes, request_der: bytes
) -> Adopted:
    proof = adoption_proof(_SECRET, key_der=key_der, authority_der=authority.certificate_der)
    request = AdoptionRequest(wm.PROTOCOL_MAJOR, wm.PROTOCOL_MINOR, node_id, node_id, "bench", request_der, proof)
    adopted = await register.ask(request, address="127.0.0.1")
    if not isinstance(adopted, Adopted):
        raise RuntimeError("the bench's own node was not let in")  # noqa: TRY004 - not a caller's type error
    return adopted


async def _echo(websocket: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in websocket:
            await websocket.send(message)
