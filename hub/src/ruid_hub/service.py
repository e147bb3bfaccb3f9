"""What follows from what the nodes say: the live picture, the commits, the corrections.

Lives in the event loop; what touches the database or the identity engine runs on one worker thread.
"""

import asyncio
import dataclasses
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import structlog

from ruid_core.identity import UniqueEstimate
from ruid_core.wire.messages import Configured, Health, Hello, Live, Still
from ruid_hub.hand import Corrected, OperatorHand
from ruid_hub.identities import DriftAlarm, DriftKind
from ruid_hub.integrations.metrics import HubMetrics
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.observations import CoverageGap
from ruid_hub.recognition import ReceivedItem, Recognised, Recogniser, Recognition
from ruid_hub.site import CARDS, CameraState, Site, StateChange, UniqueCount
from ruid_hub.store import Arrival, Store, StoreWriteError

_TICK_S = 0.5
_CONSOLIDATE_EVERY_S = 10.0
_CONSOLIDATE_SHARE = 0.05
_SWEEP_EVERY_S = 60.0
_HEARD_EVERY_S = 5.0
_HEALTH_EVERY_S = 60.0
_LATENCIES = 10_000
_DRIFTS = 2000
_GAPS = 10_000
_ARRIVALS = 2000
_SUMMARY_IDENTITIES = 10_000

_log = structlog.get_logger("hub")
_T = TypeVar("_T")


class HubService:
    """Feeds the site and the recogniser; implements the ingest server's `NodeEvents`."""

    def __init__(
        self, *, site: Site, store: Store, recogniser: Recogniser, notifier: ChangeNotifier, metrics: HubMetrics
    ) -> None:
        self._metrics = metrics
        self._site = site
        self._store = store
        self._recogniser = recogniser
        self._notifier = notifier
        self._latencies_s: deque[float] = deque(maxlen=_LATENCIES)
        self._told_refusals: Counter[str] = Counter()
        self._gaps: deque[CoverageGap] = deque(maxlen=_GAPS)
        self._arrivals: deque[Arrival] = deque(maxlen=_ARRIVALS)
        self._estimate = UniqueEstimate(0.0, 0.0, 0.0)
        self._nothing_new = True
        self.drifts: dict[tuple[str, DriftKind], DriftAlarm] = {}
        """The last change of each camera's appearance and rate of looks since the hub's start."""
        self._consolidate_not_before_s = 0.0
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recognition")
        self.hand = OperatorHand(
            corrections=recogniser.corrections, in_worker=self._in_worker, show=self._show_correction
        )

    # --- node events -----------------------------------------------------------------------------------

    def connected(self, hello: Hello, at_s: float) -> None:
        """A node was welcomed; what it told of itself is kept at the next tick, with all who came meanwhile."""
        self._metrics.messages.labels("hello").inc()
        self._site.node_connected(hello, at_s)
        names = {f"{hello.node_id}/{camera.camera_id}": camera.name for camera in hello.cameras}
        self._metrics.unrecorded.labels("arrival").inc(len(self._arrivals) == _ARRIVALS)
        self._arrivals.append(Arrival(hello.node_id, hello.boot_epoch, at_s, names))
        self._notifier.changed()

    def disconnected(self, node_id: str, at_s: float, reason: str, *, finished: bool) -> None:
        """A node is gone."""
        self._site.node_disconnected(node_id, at_s, reason, finished=finished)
        self._notifier.changed()

    def live(self, node_id: str, live: Live, at_s: float) -> None:
        """Who is in view of a camera."""
        self._metrics.messages.labels("live").inc()
        self._site.live(node_id, live, at_s)
        self._notifier.changed()

    def health(self, node_id: str, health: Health, at_s: float) -> None:
        """How a node does."""
        self._metrics.messages.labels("health").inc()
        self._site.health(node_id, health, at_s)
        self._notifier.changed()

    def clock_measured(self, node_id: str, *, offset_s: float, error_s: float) -> None:
        """How far a node's clock is from ours."""
        self._site.clock_measured(node_id, offset_s=offset_s, error_s=error_s)
        self._notifier.changed()

    def configured(self, node_id: str, configured: Configured) -> None:
        """What became of a configuration."""
        self._metrics.messages.labels("configured").inc()

    def still(self, node_id: str, still: Still) -> None:
        """A picture that was asked for."""
        self._metrics.messages.labels("still").inc()

    def missed(self, items: int) -> None:
        """Durable items never came, and the node did not say why."""
        self._metrics.missing.inc(items)

    def refused(self, code: str) -> None:
        """Something that a node sent was refused."""
        self._metrics.refused.labels(code).inc()

    # --- items -----------------------------------------------------------------------------------------

    async def commit(self, items: Sequence[ReceivedItem]) -> None:
        """Recognise and commit items; on return they are safe and shown."""
        self._nothing_new = False
        self._metrics.messages.labels("item").inc(len(items))
        duplicates, model_changes = self._recogniser.duplicates, self._recogniser.model_changes
        with self._metrics.commit_s.time():
            recognition = await self._in_worker(lambda: self._recogniser.commit(items))
        repeated = self._recogniser.duplicates - duplicates
        self._metrics.duplicates.inc(repeated)
        self._metrics.stored.inc(len(items) - repeated)
        self._metrics.model_changes.inc(self._recogniser.model_changes - model_changes)
        self._count_refusals()
        self._apply(recognition)

    def _count_refusals(self) -> None:
        """Show what the recogniser has refused, or nodes have lost, since the last look."""
        fresh = self._recogniser.refusals - self._told_refusals
        for code, times in fresh.items():
            self._metrics.refused.labels(code).inc(times)
        self._told_refusals += fresh

    def _apply(self, recognition: Recognition) -> None:
        at_s = time.time()
        for recognised in recognition.recognised:
            self._show(recognised, at_s)
        self._metrics.revisions.inc(len(recognition.revisions))
        if recognition.revisions:
            self.hand.reconsider()
        for track, identity_id in recognition.revisions:
            self._site.revised(track, identity_id)
        for gap in recognition.gaps:
            self._site.gap(gap)
        for drift in recognition.drifts:
            self._note_drift(drift)
        if recognition.estimate is not None:
            self._estimate = recognition.estimate
            self._site.counted(_unique_count(recognition.estimate))
        self._notifier.changed()

    def _note_drift(self, drift: DriftAlarm) -> None:
        """A camera does not see the world as it did: said once, counted, and kept for whoever looks at the camera."""
        self._metrics.drifts.labels(drift.kind.value).inc()
        self.drifts[drift.camera, drift.kind] = drift
        while len(self.drifts) > _DRIFTS:
            del self.drifts[next(iter(self.drifts))]
        _log.warning(
            "camera has changed",
            camera=drift.camera,
            what=drift.kind.value,
            before=round(drift.before, 3),
            now=round(drift.now, 3),
        )

    def _show(self, recognised: Recognised, at_s: float) -> None:
        observation, assignment = recognised.observation, recognised.assignment
        if observation.final:
            self._site.track_ended(observation.track)
        if assignment is None:
            return
        # A last part leaves when the track is given up, a while after its last frame: that says nothing of latency.
        latency_s = None if observation.final else at_s - observation.grabbed_at_s
        if latency_s is not None:
            self._latencies_s.append(latency_s)
            self._metrics.identity_latency_s.observe(max(0.0, latency_s))
        self._site.assigned(
            observation.track,
            assignment,
            at_s=at_s,
            seen_at_s=observation.ended_at_s,
            latency_s=latency_s,
            thumbnail_id=recognised.observation_id if observation.thumbnail_jpeg else None,
        )

    def _show_correction(self, corrected: Corrected) -> None:
        """An operator changed who is who: the cards of everybody concerned are made anew."""
        for track, identity_id in corrected.moved:
            self._site.revised(track, identity_id)
        for identity_id in corrected.gone:
            self._site.forget(identity_id)
        self._site.remember_people(corrected.people)
        self._nothing_new = False
        self._notifier.changed()

    # --- upkeep ----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Remember what the store knows before the first node is let in."""
        started_s = time.perf_counter()
        learned = await self._in_worker(self._recogniser.restore)
        self._site.remember_people(self._store.recent_identities(CARDS))
        for camera in self._store.cameras():
            self._site.remember_camera(camera.camera, name=camera.name, last_heard_s=camera.last_heard_s)
        self._nothing_new = not learned  # the first thought says how many different people there are
        if learned:
            took_s = round(time.perf_counter() - started_s, 2)
            _log.info("identities restored", observations=learned, took_s=took_s)

    async def run(self) -> None:
        """Tick, consolidate and sweep for ever."""
        periods = (
            (_TICK_S, self._tick),
            (_CONSOLIDATE_EVERY_S, self._consolidate),
            (_HEARD_EVERY_S, self._keep_heard),
            (_HEALTH_EVERY_S, self._keep_health),
            (_SWEEP_EVERY_S, self._sweep),
        )
        async with asyncio.TaskGroup() as group:
            for period_s, duty in periods:
                group.create_task(_every(period_s, duty))

    async def close(self) -> None:
        """Finish what is being written."""
        await self._record_arrivals()
        await self._keep_heard()
        await asyncio.to_thread(self._worker.shutdown)

    @property
    def items_stored(self) -> int:
        """How many items were committed since the start."""
        return self._recogniser.stored.total()

    def summary(self) -> dict[str, object]:
        """Return what the hub holds and did, as plain values."""
        counts = self._store.counts()
        people = self._store.recent_identities(_SUMMARY_IDENTITIES)
        return {
            "observations": counts.observations,
            "identities": counts.identities,
            "identities_on_several_cameras": sum(len(person.cameras) > 1 for person in people),
            "unique_estimate": dataclasses.asdict(self._estimate),
            "items_stored": dict(self._recogniser.stored),
            "items_repeated": self._recogniser.duplicates,
            "refusals": dict(self._recogniser.refusals),
            "latency_capture_to_identity_ms": _percentiles_ms(self._latencies_s),
        }

    async def _tick(self) -> None:
        for change in self._site.tick(time.time()):
            self._tell(change)
            if change.gap is not None:
                self._metrics.unrecorded.labels("gap").inc(len(self._gaps) == _GAPS)
                self._gaps.append(change.gap)
        self._notifier.changed()
        await self._record_arrivals()
        while self._gaps:  # where the disk is full they wait for the next turn
            await self._record_gap(self._gaps[0])
            self._gaps.popleft()

    async def _record_arrivals(self) -> None:
        """Write what the nodes told that came since the last turn; on a full disk it is left out, counted and said."""
        if not self._arrivals:
            return
        arrivals = tuple(self._arrivals)
        self._arrivals.clear()
        try:
            await self._in_worker(lambda: self._store.record_arrivals(arrivals))
        except StoreWriteError as error:
            self._metrics.unrecorded.labels("arrival").inc(len(arrivals))
            _log.warning("cameras and starts of nodes could not be recorded", nodes=len(arrivals), reason=str(error))

    def _tell(self, change: StateChange) -> None:
        if change.state is CameraState.DOWN:
            _log.warning("camera down", camera=change.camera, reason=change.reason)
        elif change.gap is not None:
            _log.info("camera up again", camera=change.camera, away_s=round(change.gap.to_s - change.gap.from_s, 1))

    async def _record_gap(self, gap: CoverageGap) -> None:
        node_id = gap.camera.partition("/")[0]
        await self._in_worker(lambda: self._store.record_gap(node_id, gap))

    async def _consolidate(self) -> None:
        """Think again where something is new, but spend no more than a small part of the time on it.

        In steps, so that no commit waits for more than one of them.
        """
        if self._nothing_new or time.monotonic() < self._consolidate_not_before_s:
            return
        self._nothing_new = True
        recognition, took_s = None, 0.0
        while recognition is None:
            recognition, step_s = await self._in_worker(lambda: _clocked(self._recogniser.rethink))
            took_s += step_s
        self._apply(recognition)
        self.hand.reconsider()
        self._consolidate_not_before_s = time.monotonic() + took_s / _CONSOLIDATE_SHARE

    async def _keep_heard(self) -> None:
        heard = self._site.last_heard()
        await self._in_worker(lambda: self._store.record_heard(heard))

    async def _keep_health(self) -> None:
        samples = self._site.health_now(time.time())
        await self._in_worker(lambda: self._store.record_health(samples))

    async def _sweep(self) -> None:
        # In a thread of its own: commits come in between its short transactions.
        await asyncio.to_thread(self._store.sweep, time.time())
        await asyncio.to_thread(self._recogniser.corrections.sweep)

    async def _in_worker(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)


async def _every(period_s: float, duty: Callable[[], object]) -> None:
    while True:
        await asyncio.sleep(period_s)
        try:
            outcome = duty()
            if asyncio.iscoroutine(outcome):
                await outcome
        except StoreWriteError as error:
            # A full disk must not end the hub: readiness tells of it, and the next turn tries again.
            _log.warning("upkeep put off", reason=str(error))


def _clocked(rethink: Callable[..., Recognition | None]) -> tuple[Recognition | None, float]:
    started_s = time.perf_counter()
    return rethink(at_s=time.time()), time.perf_counter() - started_s


def _percentiles_ms(durations_s: Iterable[float]) -> dict[str, float]:
    milliseconds = np.fromiter(durations_s, float) * 1000
    if not milliseconds.size:
        return {"p50": 0.0, "p95": 0.0}
    return {f"p{percent}": round(float(np.percentile(milliseconds, percent)), 1) for percent in (50, 95)}


def _unique_count(estimate: UniqueEstimate) -> UniqueCount:
    return UniqueCount(round(estimate.value), round(estimate.low), round(estimate.high))
