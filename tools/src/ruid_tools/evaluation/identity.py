"""Replays an identity stream through an engine, and scores what it said at the time and what it says in the end."""

import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from ruid_core.identity import EvidenceRefused, IdentityEngine, UniqueEstimate
from ruid_hub.identities import build_engine
from ruid_tools.evaluation.identity_scores import ClusteringScores, score_clustering
from ruid_tools.evaluation.identity_streams import IdentityStream, StreamError

CONSOLIDATE_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 99th percentile."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class IdentityReport:
    """What `ruid eval identity` tells.

    `us_per_observation` is the time of `observe` alone, `consolidations` counts and times the thinking over,
    which a hub does once a minute. Times are of this machine: compare within one run.
    """

    engine: str
    stream: str
    observations: int
    refused: dict[str, int]
    identities_true: int
    identities_found: int
    unique_estimate: UniqueEstimate
    unique_error: float
    online: ClusteringScores
    final: ClusteringScores
    us_per_observation: Spread
    consolidations: int
    ms_per_consolidation: Spread
    peak_rss_mb: float
    state_bytes_per_identity: float


@dataclass(slots=True)
class _Replay:
    """What an engine said, row by row; rows that it refused are missing."""

    rows: list[int] = field(default_factory=list[int])
    said: list[str] = field(default_factory=list[str])
    observe_s: list[float] = field(default_factory=list[float])
    consolidate_s: list[float] = field(default_factory=list[float])
    refused: Counter[str] = field(default_factory=Counter[str])


def eval_identity(
    stream: IdentityStream, *, engine: str = "ruid", clock: Callable[[], float] = time.perf_counter
) -> IdentityReport:
    """Replay the stream as a hub would, with a consolidation per minute of the stream and one at its end.

    Raises `ruid_hub.identities.UnknownEngine`, and `StreamError` where every observation is refused.
    """
    numbers = count(1)
    built = build_engine(engine, next_identity_id=lambda: f"identity-{next(numbers)}")
    replay = _replay(stream, built, clock)
    if not replay.rows:
        raise StreamError(f"every observation was refused: {dict(replay.refused)}")
    return _report(stream, engine, built, replay)


def _replay(stream: IdentityStream, engine: IdentityEngine, clock: Callable[[], float]) -> _Replay:
    replay = _Replay()
    due_s = float(stream.t_s[0]) + CONSOLIDATE_EVERY_S
    for row, evidence in enumerate(stream.evidence()):
        if evidence.at_s >= due_s:
            _timed(replay.consolidate_s, clock, lambda at_s=evidence.at_s: engine.consolidate(at_s))
            due_s = evidence.at_s + CONSOLIDATE_EVERY_S
        started_s = clock()
        try:
            decision = engine.observe(evidence)
        except EvidenceRefused as error:
            replay.refused[type(error).__name__] += 1
            continue
        replay.observe_s.append(clock() - started_s)
        replay.rows.append(row)
        replay.said.append(decision.identity_id)
    _timed(replay.consolidate_s, clock, lambda: engine.consolidate(float(stream.t_s[-1])))
    return replay


def _timed(into_s: list[float], clock: Callable[[], float], work: Callable[[], object]) -> None:
    started_s = clock()
    work()
    into_s.append(clock() - started_s)


def _report(stream: IdentityStream, name: str, engine: IdentityEngine, replay: _Replay) -> IdentityReport:
    people = stream.identities[replay.rows]
    tracks = stream.track_names()
    final = [engine.identity_of(tracks[row]) for row in replay.rows]
    estimate = engine.estimate()
    found, true = len(set(final)), len(np.unique(people))
    return IdentityReport(
        engine=name,
        stream=stream.name,
        observations=len(replay.rows),
        refused=dict(replay.refused),
        identities_true=true,
        identities_found=found,
        unique_estimate=estimate,
        unique_error=estimate.value / true - 1.0,
        online=score_clustering(_numbered(replay.said), people),
        final=score_clustering(_numbered(final), people),
        us_per_observation=_spread(replay.observe_s, 1e6),
        consolidations=len(replay.consolidate_s),
        ms_per_consolidation=_spread(replay.consolidate_s, 1e3),
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        state_bytes_per_identity=engine.state_bytes() / max(found, 1),
    )


def _spread(times_s: list[float], scale: float) -> Spread:
    p50, p99 = np.quantile(np.array(times_s) * scale, (0.5, 0.99))
    return Spread(float(p50), float(p99))


def _numbered(names: list[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)
