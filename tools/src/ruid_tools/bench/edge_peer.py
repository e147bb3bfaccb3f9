"""The straightforward assembly that a user would make from packages, and how a contestant is timed.

The peer runs its detector on every frame, supervision's ByteTrack, and its ReID network on every person in every
frame; onnxruntime's spinning is off, which is its best configuration on few cores.
"""

import importlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ruid_edge.capture import Frame
from ruid_edge.health.stages import StageTimes
from ruid_edge.inference import load_detector, load_embedder
from ruid_tools.errors import ToolError
from ruid_tools.evaluation.track import MotRows, mot_rows, score_tracks

_PEER_CONFIDENCE = 0.25


class BenchError(ToolError):
    """The benchmark cannot run as asked."""


@dataclass(frozen=True, slots=True, eq=False)
class Worked:
    """What came of a frame: crops embedded, and the (M,) ids and (M, 4) boxes of the tracks seen in it."""

    embedded: int
    track_ids: Sequence[int]
    boxes_xyxy_px: NDArray[Any]


@dataclass(slots=True)
class Contestant:
    """One of those who are timed, what it does with a frame, what that took, and whom it followed."""

    name: str
    work: Callable[[Frame], Worked]
    stages: StageTimes
    frames: int = 0
    embedded: int = 0
    people: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    frame_ms: list[float] = field(default_factory=list[float])
    tracks: list[MotRows] = field(default_factory=list[MotRows])

    def take_turn(self, frames: Iterable[Frame]) -> None:
        """Work on some frames and note what it took."""
        for frame in frames:
            cpu_s, started_s = time.process_time(), time.perf_counter()
            worked = self.work(frame)
            took_s = time.perf_counter() - started_s
            self.cpu_s += time.process_time() - cpu_s
            self.wall_s += took_s
            self.frame_ms.append(took_s * 1000)
            self.frames += 1
            self.embedded += worked.embedded
            self.people += len(worked.track_ids)
            self.tracks.append(mot_rows(self.frames, worked.track_ids, worked.boxes_xyxy_px))

    def join(self, other: "Contestant") -> None:
        """Add what the same contestant did on another clip."""
        self.frames += other.frames
        self.embedded += other.embedded
        self.people += other.people
        self.wall_s += other.wall_s
        self.cpu_s += other.cpu_s
        self.frame_ms += other.frame_ms

    def figures(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "name": self.name,
            "frames": self.frames,
            "fps": round(self.frames / self.wall_s, 2),
            "frame_ms": percentiles(self.frame_ms),
            "cpu_s_per_frame": round(self.cpu_s / self.frames, 5),
            "people_per_frame": round(self.people / self.frames, 2),
            "embeddings_per_frame": round(self.embedded / self.frames, 2),
            "stage_ms": {
                stage.stage: {"p50": round(stage.p50_ms, 2), "p95": round(stage.p95_ms, 2)}
                for stage in self.stages.summaries()
            },
        }

    def scores(self, truth: MotRows) -> dict[str, float]:
        """Return how well it followed people over the frames that it worked on, in order from the clip's first."""
        numbers = range(1, self.frames + 1)
        scores = score_tracks(np.concatenate(self.tracks), truth=truth, frames=numbers)
        return {
            "hota": round(scores.hota, 4),
            "idf1": round(scores.idf1, 4),
            "mota": round(scores.mota, 4),
            "id_switches": scores.id_switches,
        }


def percentiles(durations_ms: list[float]) -> dict[str, float]:
    """Return median and 95th percentile."""
    p50, p95 = np.percentile(durations_ms, [50, 95])
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2)}


class PeerEmbedder(Protocol):
    """A ReID network on every crop."""

    @property
    def model_id(self) -> str:
        """Its name."""
        ...

    def embed(self, picture_bgr: NDArray[np.uint8], boxes_xyxy_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, dim) embeddings."""
        ...


class OpenVinoCrops:
    """A network in OpenVINO's own format, crop by crop: a person-reidentification-retail takes BGR, 0..255."""

    def __init__(self, path: Path, *, threads: int) -> None:
        try:
            openvino: Any = importlib.import_module("openvino")
        except ImportError as error:
            raise BenchError("a peer in OpenVINO's format needs its runtime: pip install openvino") from error
        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        self._network: Any = openvino.Core().compile_model(str(path), "CPU", settings)
        self.model_id = path.stem
        _, _, self._height, self._width = self._network.input(0).shape

    def embed(self, picture_bgr: NDArray[np.uint8], boxes_xyxy_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, dim) embeddings."""
        rows = [self._one(picture_bgr, box) for box in boxes_xyxy_px.astype(int).tolist()]
        return np.concatenate(rows) if rows else np.zeros((0, 1), np.float32)

    def _one(self, picture_bgr: NDArray[np.uint8], box: list[int]) -> NDArray[np.float32]:
        x1, y1, x2, y2 = box
        crop = picture_bgr[max(0, y1) : max(y2, y1 + 1), max(0, x1) : max(x2, x1 + 1)]
        scaled = cv2.resize(crop, (self._width, self._height)).astype(np.float32)
        return np.asarray(self._network(scaled.transpose(2, 0, 1)[None])[0]).reshape(1, -1)


def make_peer(size_px: tuple[int, int], detector_path: Path, embedder_path: Path, *, threads: int) -> Contestant:
    """Return the peer for pictures of a size; raise `BenchError` where a package is missing."""
    try:
        supervision: Any = importlib.import_module("supervision")
    except ImportError as error:
        raise BenchError("the peer's tracker is not installed: pip install supervision") from error
    detector = load_detector(
        str(detector_path),
        threads=threads,
        width_px=size_px[0],
        height_px=size_px[1],
        confidence_min=_PEER_CONFIDENCE,
    )
    embedder = _open_embedder(embedder_path, threads=threads)
    tracker = supervision.ByteTrack()
    stages = StageTimes()

    def work(frame: Frame) -> Worked:
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
            embedded = len(embedder.embed(frame.picture_bgr, boxes)) if len(boxes) else 0
        ids: list[int] = [] if people.tracker_id is None else people.tracker_id.tolist()
        return Worked(embedded, ids, boxes)

    return Contestant(f"{detector.model_id} + supervision ByteTrack + {embedder.model_id}", work, stages)


def _open_embedder(path: Path, *, threads: int) -> PeerEmbedder:
    if path.suffix == ".xml":
        return OpenVinoCrops(path, threads=threads)
    return load_embedder(str(path), threads=threads)
