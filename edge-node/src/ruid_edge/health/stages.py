"""How long each stage takes, over a sliding window."""

import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

_WINDOW = 600


@dataclass(frozen=True, slots=True)
class StageSummary:
    """Median and 95th percentile of the last few hundred runs of a stage."""

    stage: str
    p50_ms: float
    p95_ms: float


class StageTimes:
    """Written by the threads that work, read by the one that reports."""

    def __init__(self, *, window: int = _WINDOW) -> None:
        self._lock = threading.Lock()
        self._window = window
        self._windows: dict[str, deque[float]] = {}

    def note(self, stage: str, duration_ms: float) -> None:
        """Take in one run of a stage."""
        with self._lock:
            self._windows.setdefault(stage, deque(maxlen=self._window)).append(duration_ms)

    @contextmanager
    def measure(self, stage: str) -> Generator[None]:
        """Time what happens inside."""
        started_s = time.perf_counter()
        yield
        self.note(stage, (time.perf_counter() - started_s) * 1000)

    def total_s(self, stage: str) -> float:
        """Return the time that a stage took, over the window."""
        with self._lock:
            return sum(self._windows.get(stage, ())) / 1000

    def summaries(self) -> tuple[StageSummary, ...]:
        """Return every stage's figures, in the order in which they first ran."""
        with self._lock:
            windows = {stage: np.array(window) for stage, window in self._windows.items()}
        return tuple(
            StageSummary(stage, float(np.percentile(window, 50)), float(np.percentile(window, 95)))
            for stage, window in windows.items()
        )
