"""Times the identity engine against nearest centroid, the least that any such engine does.

Both see the same stream: a closed population of which everybody comes back again and again, on tracks of two looks,
one camera after the other. Times are of this machine's processor; the ratio is what carries over.
"""

import gc
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from math import log

import numpy as np
from numpy.typing import NDArray

from ruid_core.identity import Evidence
from ruid_hub.identities import RuidClusterer
from ruid_hub.recognition import STEP_WORK

F32 = NDArray[np.float32]

DIM = 256
SPREAD = 0.6
LOOKS_PER_TRACK = 2
CAMERAS = 4


@dataclass(frozen=True, slots=True)
class SizeReport:
    """One gallery size: what an observation cost, RuID's engine and nearest centroid.

    `longest_step_ms` is how long a consolidation keeps an observation waiting at most, its first and last step counted.
    """

    people: int
    identities: int
    observations: int
    us_p50: float
    us_p99: float
    per_second: float
    nearest_centroid_us_p50: float
    times_nearest_centroid: float
    consolidate_ms: float
    longest_step_ms: float


@dataclass(frozen=True, slots=True)
class SoakReport:
    """Many observations of few people: memory, in tenths of the way."""

    people: int
    observations: int
    rss_mb: tuple[float, ...]
    state_mb: tuple[float, ...]
    per_second: float


@dataclass(frozen=True, slots=True)
class IdentityBench:
    """What `ruid bench identity` tells.

    Between the smallest and the largest gallery an observation's cost grows with the people to the power `exponent`.
    """

    sizes: tuple[SizeReport, ...]
    exponent: float | None
    restart_people: int
    restart_s: float
    soak: SoakReport | None


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Looks of people, at random around what each of them looks like; seeded."""

    faces: F32
    generator: np.random.Generator

    @classmethod
    def of(cls, people: int, *, seed: int = 0) -> "Crowd":
        """So many people of `DIM` values."""
        generator = np.random.default_rng(seed)
        return cls(_unit(generator.standard_normal((people, DIM)).astype(np.float32)), generator)

    def visits(self, visits: int, *, from_s: float = 0.0) -> Iterator[Evidence]:
        """People come in random order, each for one track; two seconds from one to the next."""
        number = 0
        while number < visits:
            for person in self.generator.permutation(len(self.faces))[: visits - number].tolist():
                yield from self._track(person, number, from_s + 2.0 * number)
                number += 1

    def _track(self, person: int, number: int, at_s: float) -> Iterator[Evidence]:
        noise = self.generator.standard_normal((LOOKS_PER_TRACK, DIM)).astype(np.float32) / np.float32(DIM**0.5)
        looks = _unit(self.faces[person] + np.float32(SPREAD) * noise)
        camera = f"cam{number % CAMERAS}"
        for part in range(LOOKS_PER_TRACK):
            look_at_s = at_s + 0.5 * part
            yield Evidence(
                camera, f"{camera}/{at_s:.0f}", part, at_s, look_at_s, looks[part : part + 1],
                np.ones(1, np.float32), "bench",
            )  # fmt: skip


@dataclass(slots=True)
class NearestCentroid:
    """The peer: the nearest of all centroids, and a running mean."""

    sums: F32

    def observe(self, look: F32) -> int:
        """Who is nearest; learns the look."""
        nearest = int((self.sums @ look).argmax())
        self.sums[nearest] += look
        return nearest


def bench_identity(
    sizes: tuple[int, ...],
    *,
    observations: int,
    soak: int,
    restart: int = 10_000,
    clock: Callable[[], float] = time.thread_time,
) -> IdentityBench:
    """Run everything; `clock` gives this thread's processor time, so that a busy machine does not count.

    `observations` are timed per size, `soak` observations of 300 people if it is not 0; a restart knows
    `restart` people.
    """
    gc.freeze()  # as the hub does when it is up
    reports = tuple(_size(people, observations, clock) for people in sizes)
    return IdentityBench(
        reports,
        _exponent(reports) if len(reports) > 1 else None,
        restart,
        _restore_s(restart, clock),
        _soak(300, soak, clock) if soak else None,
    )


def _size(people: int, observations: int, clock: Callable[[], float]) -> SizeReport:
    crowd, engine = Crowd.of(people), _engine()
    for evidence in crowd.visits(people):
        engine.restore(evidence, evidence.track)
    at_s = 2.0 * people
    engine.consolidate(at_s)
    times_s: list[float] = []
    peer_s: list[float] = []
    peer = NearestCentroid(crowd.faces.copy())
    for evidence in crowd.visits(observations // LOOKS_PER_TRACK, from_s=at_s + 100.0):
        times_s.append(_timed(lambda evidence=evidence: engine.observe(evidence), clock))
        peer_s.append(_timed(lambda evidence=evidence: peer.observe(evidence.embeddings[0]), clock))
    steps_s = _steps_s(engine, clock)
    p50, p99 = (float(value) for value in np.quantile(np.array(times_s) * 1e6, (0.5, 0.99)))
    peer_p50 = float(np.quantile(np.array(peer_s) * 1e6, 0.5))
    identities = len({engine.identity_of(f"cam{n % CAMERAS}/{2 * n}") for n in range(max(0, people - 512), people)})
    return SizeReport(
        people, identities, len(times_s), p50, p99, len(times_s) / sum(times_s), peer_p50, p50 / peer_p50,
        sum(steps_s) * 1e3, max(steps_s) * 1e3,
    )  # fmt: skip


def _steps_s(engine: RuidClusterer, clock: Callable[[], float]) -> list[float]:
    """A consolidation as a hub does it: how long beginning, each step and adopting take."""
    begun_s = clock()
    rethinking = engine.tracklets.rethink()
    steps_s = [clock() - begun_s]
    while rethinking is not None and rethinking.thought is None:
        steps_s.append(_timed(lambda: rethinking.step(STEP_WORK), clock))
    if rethinking is not None:
        steps_s.append(_timed(lambda: engine.tracklets.adopt(rethinking), clock))
    return steps_s


def _exponent(reports: tuple[SizeReport, ...]) -> float:
    first, last = reports[0], reports[-1]
    return log(last.us_p50 / first.us_p50) / log(last.people / first.people)


def _restore_s(people: int, clock: Callable[[], float]) -> float:
    engine, crowd = _engine(), Crowd.of(people)
    recorded = list(crowd.visits(people))[::LOOKS_PER_TRACK]
    newcomer = next(Crowd.of(1, seed=1).visits(1, from_s=1e6))

    def restart() -> None:
        for evidence in recorded:
            engine.restore(evidence, evidence.track)
        engine.observe(newcomer)

    return _timed(restart, clock)


def _soak(people: int, observations: int, clock: Callable[[], float]) -> SoakReport:
    crowd, engine = Crowd.of(people), _engine()
    rss_mb: list[float] = []
    state_mb: list[float] = []
    started_s = clock()
    for number, evidence in enumerate(crowd.visits(observations // LOOKS_PER_TRACK), start=1):
        engine.observe(evidence)
        if number % 20_000 == 0:
            engine.consolidate(evidence.at_s)
        if number % max(1, observations // 10) == 0 and len(rss_mb) < 10:
            rss_mb.append(_rss_mb())
            state_mb.append(engine.state_bytes() / 2**20)
    return SoakReport(people, observations, tuple(rss_mb), tuple(state_mb), observations / (clock() - started_s))


def _engine() -> RuidClusterer:
    numbers = count(1)
    return RuidClusterer(lambda: f"new-{next(numbers)}")


def _timed(work: Callable[[], object], clock: Callable[[], float]) -> float:
    started_s = clock()
    work()
    return clock() - started_s


def _rss_mb() -> float:
    """Memory at its highest so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _unit(rows: F32) -> F32:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
