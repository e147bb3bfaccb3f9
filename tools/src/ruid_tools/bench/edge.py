"""A node's work on footage against the straightforward assembly that a user would make from packages.

Both get the same frames in turns of a second or so, in one process, with the same number of threads and with
onnxruntime's spinning off (the peer's best configuration). The peer runs its detector on every frame, supervision's
ByteTrack, and its ReID network on every person in every frame.
"""

import importlib
import itertools
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ruid_edge.capture import Frame, make_source
from ruid_edge.capture.recordings import Playback
from ruid_edge.health.stages import StageTimes
from ruid_edge.inference import Embedder, load_detector, load_embedder
from ruid_edge.pipeline import CameraPipeline, Models, encode_thumbnail
from ruid_tools.errors import ToolError

_TURN_FRAMES = 20
_PEER_CONFIDENCE = 0.25


class BenchError(ToolError):
    """The benchmark cannot run as asked."""


@dataclass(frozen=True, slots=True)
class EdgeBenchSettings:
    """What to run: our models by name, the peer's by path (no peer without both), and threads for each network."""

    detector: str = "accurate"
    embedder: str = "reid-osnet"
    peer_detector: Path | None = None
    peer_embedder: Path | None = None
    threads: int = 2
    most_frames: int = 400


@dataclass(slots=True)
class _Contestant:
    """One of the two, what it does with a frame, and what that took."""

    name: str
    work: Callable[[Frame], int]
    stages: StageTimes
    frames: int = 0
    embedded: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    frame_ms: list[float] = field(default_factory=list[float])

    def take_turn(self, frames: Iterable[Frame]) -> None:
        cpu_s = time.process_time()
        for frame in frames:
            started_s = time.perf_counter()
            self.embedded += self.work(frame)
            took_s = time.perf_counter() - started_s
            self.wall_s += took_s
            self.frame_ms.append(took_s * 1000)
            self.frames += 1
        self.cpu_s += time.process_time() - cpu_s

    def figures(self) -> dict[str, Any]:
        p50, p95 = np.percentile(self.frame_ms, [50, 95])
        return {
            "name": self.name,
            "frames": self.frames,
            "fps": round(self.frames / self.wall_s, 2),
            "frame_ms": {"p50": round(float(p50), 2), "p95": round(float(p95), 2)},
            "cpu_s_per_frame": round(self.cpu_s / self.frames, 5),
            "embeddings_per_frame": round(self.embedded / self.frames, 2),
            "stage_ms": {
                stage.stage: {"p50": round(stage.p50_ms, 2), "p95": round(stage.p95_ms, 2)}
                for stage in self.stages.summaries()
            },
        }


class _Counted:
    """An embedder that counts its crops."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.dim = embedder.dim
        self.crops = 0

    def embed(self, picture_bgr: NDArray[np.uint8], boxes_xyxy_px: NDArray[np.float32]) -> NDArray[np.float32]:
        self.crops += len(boxes_xyxy_px)
        return self._embedder.embed(picture_bgr, boxes_xyxy_px)


def bench_edge(clips: Sequence[Path], settings: EdgeBenchSettings) -> dict[str, Any]:
    """Run the clips through ours and, where its models are given, the peer; return figures and their ratios.

    Decoding is left out of both: it is the same for either. Raises `BenchError`, `SourceMissing` or an
    `InferenceError`.
    """
    if (settings.peer_detector is None) != (settings.peer_embedder is None):
        raise BenchError("a peer needs both --peer-detector and --peer-embedder")
    rounds = [_bench_clip(clip, settings) for clip in clips]
    ours = _sum(contestants[0] for contestants in rounds)
    report: dict[str, Any] = {
        "threads": settings.threads,
        "clips": [clip.name for clip in clips],
        "ruid": ours.figures(),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    if settings.peer_detector is not None:
        peer = _sum(contestants[1] for contestants in rounds)
        report["peer"] = peer.figures()
        report["times_the_peers_fps"] = round((ours.frames / ours.wall_s) / (peer.frames / peer.wall_s), 2)
        report["share_of_the_peers_cpu"] = round((ours.cpu_s / ours.frames) / (peer.cpu_s / peer.frames), 3)
    return report


def _bench_clip(clip: Path, settings: EdgeBenchSettings) -> list[_Contestant]:
    source = make_source(str(clip), Playback(realtime=False, start_at_s=1.0), on_unreadable=lambda path: None)
    source.open()
    contestants = [_ours(source.size_px, settings)]
    if settings.peer_detector is not None and settings.peer_embedder is not None:
        contestants.append(
            _peer(source.size_px, settings.peer_detector, settings.peer_embedder, threads=settings.threads)
        )
    remaining = settings.most_frames
    while remaining > 0:
        turn = list(itertools.islice(iter(source.read, None), min(_TURN_FRAMES, remaining)))
        if not turn:
            break
        remaining -= len(turn)
        for contestant in contestants:
            contestant.take_turn(turn)
    source.close()
    return contestants


def _ours(size_px: tuple[int, int], settings: EdgeBenchSettings) -> _Contestant:
    stages = StageTimes()
    detector = load_detector(settings.detector, threads=settings.threads, width_px=size_px[0], height_px=size_px[1])
    embedder = _Counted(load_embedder(settings.embedder, threads=settings.threads))
    ids = itertools.count(1)
    pipeline = CameraPipeline(
        Models(detector, embedder), size_px=size_px, next_track_id=lambda: next(ids), stages=stages
    )

    def work(frame: Frame) -> int:
        before = embedder.crops
        for tracklet in pipeline.take(frame).tracklets:
            encode_thumbnail(tracklet.crop_bgr)
        return embedder.crops - before

    return _Contestant("ruid", work, stages)


def _peer(size_px: tuple[int, int], detector_path: Path, embedder_path: Path, *, threads: int) -> _Contestant:
    try:
        supervision = importlib.import_module("supervision")
    except ImportError as error:
        raise BenchError("the peer's tracker is not installed: pip install supervision") from error
    detector = load_detector(
        str(detector_path),
        threads=threads,
        width_px=size_px[0],
        height_px=size_px[1],
        confidence_min=_PEER_CONFIDENCE,
    )
    embedder = load_embedder(str(embedder_path), threads=threads)
    tracker = supervision.ByteTrack()
    stages = StageTimes()

    def work(frame: Frame) -> int:
        with stages.measure("detect"):
            found = detector.detect(frame.picture_bgr)
        with stages.measure("track"):
            people = tracker.update_with_detections(
                supervision.Detections(
                    xyxy=found.boxes_xyxy_px,
                    confidence=found.confidences,
                    class_id=np.zeros(len(found.confidences), int),
                )
            )
        with stages.measure("embed"):
            boxes = np.asarray(people.xyxy, np.float32).reshape(-1, 4)
            return len(embedder.embed(frame.picture_bgr, boxes)) if len(boxes) else 0

    return _Contestant(f"{detector.model_id} + supervision ByteTrack + {embedder.model_id}", work, stages)


def _sum(contestants: Iterable[_Contestant]) -> _Contestant:
    total, *others = contestants
    for other in others:
        total.frames += other.frames
        total.embedded += other.embedded
        total.wall_s += other.wall_s
        total.cpu_s += other.cpu_s
        total.frame_ms += other.frame_ms
    return total
