"""A node's work on footage against the straightforward assembly that a user would make from packages.

All get the same frames in turns, in one process, with the same number of threads. Decoding is left out of every
contestant, as it is the same for all, and timed on its own. Beside that, of ours alone: an empty scene (the clip's
median picture with a sensor's noise) against the busy one, what a frame allocates, how long a frame takes from
capture to the bytes of the live message when the clip plays in real time, and how memory goes on a long run.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ruid_core.wire.codec import encode
from ruid_edge.capture import CaptureLoop, Frame, FrameExchange, make_source
from ruid_edge.capture.loop import CaptureEvents
from ruid_edge.capture.recordings import Playback
from ruid_edge.health.stages import StageTimes
from ruid_edge.inference import Embedder, load_detector, load_embedder
from ruid_edge.pipeline import CameraPipeline, CameraRules, FrameOutcome, InferenceLoop, Models, ThumbnailPolicy
from ruid_edge.pipeline.loop import InferenceEvents
from ruid_edge.uplink.messages import live_message, tracklet_message
from ruid_tools.bench.edge_memory import allocations, peak_memory_mb, pictures_read, soak
from ruid_tools.bench.edge_peer import BenchError, Contestant, Worked, make_peer, percentiles
from ruid_tools.evaluation.track import read_mot

_TURN_FRAMES = 20
_EMPTY_FRAMES = 150
_EMPTY_NOISE = 2.5
_GRAINS = 16
_ALLOCATION_FRAMES = 90
_READ_FRAMES = 30
_MEDIAN_FRAMES = 2000
_LONGEST_PACED_S = 20.0


@dataclass(frozen=True, slots=True)
class EdgeBenchSettings:
    """What to run: our models by name, peers by path (one for each embedder), and threads for each network.

    `truth` (MOT format, of one clip) is what everybody's tracks are scored against. `paced_s` is how long the clip
    plays in real time, `soak_s` how long memory is watched; 0 leaves that out.
    """

    detector: str = "accurate"
    embedder: str = "reid-osnet"
    peer_detector: Path | None = None
    peer_embedders: tuple[Path, ...] = ()
    truth: Path | None = None
    threads: int = 2
    most_frames: int = 400
    paced_s: float = 10.0
    soak_s: float = 0.0


class _Counted:
    """An embedder that counts its crops."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.dim = embedder.dim
        self.model_id = embedder.model_id
        self.crops = 0

    def embed(self, picture_bgr: NDArray[np.uint8], boxes_xyxy_px: NDArray[np.float32]) -> NDArray[np.float32]:
        self.crops += len(boxes_xyxy_px)
        return self._embedder.embed(picture_bgr, boxes_xyxy_px)


def bench_edge(clips: Sequence[Path], settings: EdgeBenchSettings) -> dict[str, Any]:
    """Run the clips through ours and, where its models are given, the peers; return figures and their ratios.

    Raises `BenchError`, `TrackEvaluationError`, `SourceMissing` or an `InferenceError`.
    """
    if settings.truth is not None and len(clips) != 1:
        raise BenchError("--gt is the truth of one --source")
    if (settings.peer_detector is None) != (not settings.peer_embedders):
        raise BenchError("a peer needs both --peer-detector and --peer-embedder")
    cv2.setNumThreads(settings.threads)
    report: dict[str, Any] = {"threads": settings.threads, "clips": [clip.name for clip in clips]}
    empty = _bench_empty(clips[0], settings)
    report["allocations"] = _bench_allocations(clips[0], settings)
    if settings.paced_s:
        report["capture_to_wire"] = _bench_paced(clips[0], settings)
    if settings.soak_s:
        report["soak"] = _bench_soak(clips, settings)
    report["peak_memory_mb"] = peak_memory_mb()  # of ours, before any peer is loaded
    rounds = [_bench_clip(clip, settings) for clip in clips]
    ours, *peers = contestants = _sum(rounds)
    scores = _scores(contestants, settings.truth)
    report["ruid"] = ours.figures() | scores[0]
    report["decode_ms"] = percentiles([took_ms for _, decode_ms in rounds for took_ms in decode_ms])
    busy_cpu_s, empty_cpu_s = ours.cpu_s / ours.frames, empty.cpu_s / empty.frames
    report["empty"] = empty.figures() | {"share_of_the_busy_cpu": round(empty_cpu_s / busy_cpu_s, 3)}
    report["peers"] = [
        peer.figures() | _ratios(ours, peer) | score for peer, score in zip(peers, scores[1:], strict=True)
    ]
    return report


def _scores(contestants: Sequence[Contestant], truth: Path | None) -> list[dict[str, Any]]:
    """Return each contestant's scores under "tracks", nothing where there is no truth."""
    if truth is None:
        return [{} for _ in contestants]
    rows = read_mot(truth)
    return [{"tracks": contestant.scores(rows)} for contestant in contestants]


def _ratios(ours: Contestant, peer: Contestant) -> dict[str, float]:
    return {
        "times_its_fps": round((ours.frames / ours.wall_s) / (peer.frames / peer.wall_s), 2),
        "share_of_its_cpu": round((ours.cpu_s / ours.frames) / (peer.cpu_s / peer.frames), 3),
    }


def _bench_clip(clip: Path, settings: EdgeBenchSettings) -> tuple[list[Contestant], list[float]]:
    """Return who took part, ours first, and how long each frame took to decode."""
    with _Clip(clip) as footage:
        contestants = [_ours(footage.size_px, settings)]
        if settings.peer_detector is not None:
            contestants += [
                make_peer(footage.size_px, settings.peer_detector, embedder, threads=settings.threads)
                for embedder in settings.peer_embedders
            ]
        for turn in footage.turns(settings.most_frames):
            for contestant in contestants:
                contestant.take_turn(turn)
    return contestants, footage.decode_ms


def _bench_empty(clip: Path, settings: EdgeBenchSettings) -> Contestant:
    """Return what ours did with the clip's scene when nobody is in it."""
    with _Clip(clip) as footage:
        turns = footage.turns(_MEDIAN_FRAMES)
        pictures = np.stack([turn[0].picture_bgr for turn in turns])
        contestant = _ours(footage.size_px, settings)
        fps = footage.fps
    median = np.median(pictures, axis=0)
    rng = np.random.default_rng(0)
    grains = [_with_noise(median, rng) for _ in range(_GRAINS)]
    frames = [Frame(grains[number % _GRAINS], 1 + number / fps, 1 + number / fps, 1) for number in range(_EMPTY_FRAMES)]
    contestant.take_turn(frames)
    return contestant


def _with_noise(picture: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.clip(picture + rng.normal(0, _EMPTY_NOISE, picture.shape), 0, 255).astype(np.uint8)


def _bench_allocations(clip: Path, settings: EdgeBenchSettings) -> dict[str, Any]:
    with _Clip(clip) as footage:
        frames = [frame for turn in footage.turns(min(_ALLOCATION_FRAMES, settings.most_frames)) for frame in turn]
        measured = allocations(_ours(footage.size_px, settings).work, frames)
    with _Clip(clip) as footage:
        return measured | {"pictures_read": pictures_read(footage.read, frames=_READ_FRAMES)}


def _bench_soak(clips: Sequence[Path], settings: EdgeBenchSettings) -> dict[str, Any]:
    """Watch the memory while the first clip loops, each time at a later time of the scene."""
    with _Clip(clips[0]) as footage:
        contestant, fps = _ours(footage.size_px, settings), footage.fps
    at_s = itertools.count()
    rounds = itertools.count(1)

    def frames() -> Iterator[Frame]:
        scene = next(rounds)
        with _Clip(clips[0]) as again:
            for turn in again.turns(settings.most_frames):
                for frame in turn:
                    yield replace(frame, captured_at_s=1 + next(at_s) / fps, scene=scene)

    return soak(contestant.work, frames, for_s=settings.soak_s, fps=fps)


def _bench_paced(clip: Path, settings: EdgeBenchSettings) -> dict[str, Any]:
    """Play the clip in real time through capture and inference threads; time from capture to the message's bytes."""
    source = make_source(str(clip), Playback(realtime=True), on_unreadable=lambda path: None)
    source.open()  # to know the size, and to have the models ready before the first frame
    pipeline = _pipeline(source.size_px, settings, _embedder(settings), StageTimes())
    exchange = FrameExchange(("clip",))
    latencies_ms: list[float] = []
    replaced: list[Frame] = []

    def worked(camera_id: str, outcome: FrameOutcome) -> None:
        encode(live_message(camera_id, outcome))
        latencies_ms.append((time.time() - outcome.grabbed_at_s) * 1000)

    failures: list[BaseException] = []
    loop = InferenceLoop(
        exchange,
        lambda camera_id, frame: pipeline,
        InferenceEvents(worked, _ignore, _ignore, failures.append),
    )
    events = CaptureEvents(
        opened=_ignore,
        lost=_ignore,
        back=_ignore,
        captured=lambda frame, was_replaced: replaced.append(frame) if was_replaced else None,
        refused=_ignore,
        jumped=_ignore,
        ended=_ignore,
        failed=failures.append,
    )
    capture = CaptureLoop("clip", source, exchange, events)
    loop.start()
    capture.start()
    capture.join(timeout_s=min(settings.paced_s, _LONGEST_PACED_S))
    capture.stop()
    loop.drain()
    loop.join()
    if failures:
        raise failures[0]
    return {"frames": len(latencies_ms), "replaced": len(replaced), "ms": percentiles(latencies_ms)}


def _ignore(*_: object) -> None:
    pass


class _Clip:
    """A clip's frames in turns, and how long each took to decode."""

    def __init__(self, clip: Path) -> None:
        self._source = make_source(str(clip), Playback(realtime=False, start_at_s=1.0), on_unreadable=lambda path: None)
        self.decode_ms: list[float] = []
        self.fps = 10.0

    def __enter__(self) -> "_Clip":
        self._source.open()
        self.size_px = self._source.size_px
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def turns(self, most_frames: int) -> Iterator[list[Frame]]:
        times_s: list[float] = []
        for start in range(0, most_frames, _TURN_FRAMES):
            turn = list(itertools.islice(iter(self.read, None), min(_TURN_FRAMES, most_frames - start)))
            times_s += [frame.captured_at_s for frame in turn]
            if len(times_s) > 1:
                self.fps = (len(times_s) - 1) / (times_s[-1] - times_s[0])
            if not turn:
                return
            yield turn

    def read(self) -> Frame | None:
        """Return the next frame, None after the last, and note how long it took to decode."""
        started_s = time.perf_counter()
        frame = self._source.read()
        self.decode_ms.append((time.perf_counter() - started_s) * 1000)
        return frame


def _ours(size_px: tuple[int, int], settings: EdgeBenchSettings) -> Contestant:
    stages = StageTimes()
    embedder = _embedder(settings)
    pipeline = _pipeline(size_px, settings, embedder, stages)

    def work(frame: Frame) -> Worked:
        before = embedder.crops
        outcome = pipeline.take(frame)
        with stages.measure("wire"):
            encode(live_message("clip", outcome))
            for tracklet in outcome.tracklets:
                tracklet_message("clip", tracklet, embedding_model_id=embedder.model_id)
        seen = [person for person in outcome.people if person.seen]
        boxes_px = np.array([person.box_rel for person in seen]).reshape(-1, 4) * np.array([*size_px, *size_px])
        return Worked(embedder.crops - before, [person.track_id for person in seen], boxes_px)

    return Contestant("ruid", work, stages)


def _embedder(settings: EdgeBenchSettings) -> _Counted:
    return _Counted(load_embedder(settings.embedder, threads=settings.threads))


def _pipeline(
    size_px: tuple[int, int], settings: EdgeBenchSettings, embedder: _Counted, stages: StageTimes
) -> CameraPipeline:
    detector = load_detector(settings.detector, threads=settings.threads, width_px=size_px[0], height_px=size_px[1])
    ids = itertools.count(1)
    rules = CameraRules(thumbnails=ThumbnailPolicy.ON)
    return CameraPipeline(
        Models(detector, embedder),
        size_px=size_px,
        next_track_id=lambda: next(ids),
        stages=stages,
        rules=lambda: rules,
    )


def _sum(rounds: Sequence[tuple[list[Contestant], list[float]]]) -> list[Contestant]:
    totals, *others = [contestants for contestants, _ in rounds]
    for contestants in others:
        for total, contestant in zip(totals, contestants, strict=True):
            total.join(contestant)
    return totals
