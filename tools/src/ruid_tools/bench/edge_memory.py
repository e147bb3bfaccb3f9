"""What a frame costs in memory: how much is allocated on its way, and whether anything stays."""

import itertools
import resource
import time
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import psutil

from ruid_edge.capture import Frame

_WARM_FRAMES = 30
_LEAST_SAMPLES = 10


def peak_memory_mb() -> float:
    """Return the most memory that this process ever held."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def allocations(work: Callable[[Frame], object], frames: Sequence[Frame]) -> dict[str, Any]:
    """Return what is allocated while a frame is worked on, as Python, numpy and OpenCV tell tracemalloc.

    `peak_kb` is the most that one frame held at a time beyond what was held before it: less than a picture means that
    no copy of a whole picture was made. Runtimes allocate in arenas of their own, which are not seen here.
    """
    for frame in frames[:_WARM_FRAMES]:
        work(frame)
    peaks: list[int] = []
    kept: list[int] = []
    tracemalloc.start()
    try:
        for frame in frames[_WARM_FRAMES:]:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            work(frame)
            after, peak = tracemalloc.get_traced_memory()
            peaks.append(peak - before)
            kept.append(after - before)
    finally:
        tracemalloc.stop()
    picture_bytes = frames[0].picture_bgr.nbytes
    return {
        "frames": len(peaks),
        "picture_kb": round(picture_bytes / 1024, 1),
        "peak_kb": {"p50": round(float(np.median(peaks)) / 1024, 1), "most": round(max(peaks) / 1024, 1)},
        "kept_kb_mean": round(float(np.mean(kept)) / 1024, 2),
        "whole_picture_copies": max(peaks) // picture_bytes,
    }


def pictures_read(read: Callable[[], Frame | None], *, frames: int) -> float | None:
    """Return how many pictures' worth of memory one reading holds at most: 1 is the picture that it gives, and no
    copy. None where nothing is left to read.
    """
    shares: list[float] = []
    tracemalloc.start()
    try:
        for _ in range(frames):
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            frame = read()
            if frame is None:
                break
            _, peak = tracemalloc.get_traced_memory()
            shares.append((peak - before) / frame.picture_bgr.nbytes)
            del frame
    finally:
        tracemalloc.stop()
    return round(float(np.median(shares)), 2) if shares else None


def soak(
    work: Callable[[Frame], object], frames: Callable[[], Iterable[Frame]], *, for_s: float, fps: float
) -> dict[str, Any]:
    """Work on looped footage for so long; return how the memory went, by the hour of footage.

    `growth_mb_per_hour` is a straight line through the second half of the samples.
    """
    process = psutil.Process()
    samples: list[tuple[int, float]] = []
    done = 0
    ends_s = time.monotonic() + for_s
    for frame in itertools.chain.from_iterable(iter(frames, None)):
        work(frame)
        done += 1
        if done % 50 == 0:
            samples.append((done, process.memory_info().rss / 2**20))
        if time.monotonic() >= ends_s and len(samples) >= _LEAST_SAMPLES:
            break
    later = np.array(samples[len(samples) // 2 :])
    slope_mb_per_frame = float(np.polyfit(later[:, 0], later[:, 1], 1)[0])
    return {
        "frames": done,
        "hours_of_footage": round(done / fps / 3600, 3),
        "start_mb": round(samples[0][1], 1),
        "middle_mb": round(float(later[0, 1]), 1),
        "end_mb": round(samples[-1][1], 1),
        "growth_mb_per_hour": round(slope_mb_per_frame * fps * 3600, 2),
    }
