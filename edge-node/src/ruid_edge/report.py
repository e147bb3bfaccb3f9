"""What the node says of itself: to the hub in hello and health, and in its account at the end."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ruid_core.wire import messages as wm
from ruid_edge import __version__
from ruid_edge.capture import CaptureLoop, FrameSource
from ruid_edge.health.machine import Machine
from ruid_edge.health.stages import StageTimes
from ruid_edge.health.tally import CameraTally
from ruid_edge.inference import Embedder
from ruid_edge.pipeline import CameraRules
from ruid_edge.settings import CameraSettings, EdgeSettings
from ruid_edge.spool import Spool, SpoolState
from ruid_edge.uplink.client import UplinkCounters
from ruid_edge.uplink.messages import camera_health


@dataclass(slots=True)
class Camera:
    """A camera of the running node and what is known of it; `rules` are the node's `own_rules` and the hub's wishes."""

    settings: CameraSettings
    source: FrameSource
    name: str = ""
    own_rules: CameraRules = field(default_factory=CameraRules)
    rules: CameraRules = field(default_factory=CameraRules)
    tally: CameraTally = field(default_factory=CameraTally)
    stages: StageTimes = field(default_factory=StageTimes)
    capture: CaptureLoop | None = None
    detector_model_id: str = ""
    ended: bool = False
    senses: tuple[str, ...] = ()
    clock_jumps: int = 0


def hello_message(
    settings: EdgeSettings, spool: Spool, embedder: Embedder, cameras: Mapping[str, Camera], *, now_s: float
) -> wm.Hello:
    """Return the node's introduction."""
    return wm.Hello(
        protocol_major=wm.PROTOCOL_MAJOR,
        protocol_minor=wm.PROTOCOL_MINOR,
        node_id=spool.node_id,
        node_name=settings.node_name,
        boot_epoch=spool.boot_epoch,
        software_version=__version__,
        embedding_model_id=embedder.model_id,
        embedding_dim=embedder.dim,
        detector_model_id=next((camera.detector_model_id for camera in cameras.values()), ""),
        cameras=tuple(_camera_info(camera_id, camera, now_s) for camera_id, camera in cameras.items()),
        sent_at_s=now_s,
    )


def health_message(
    cameras: Mapping[str, Camera],
    spool: SpoolState,
    uplink: UplinkCounters,
    machine: Machine,
    *,
    queues: dict[str, int],
    steps: tuple[str, ...],
    now_s: float,
    uptime_s: float,
) -> wm.Health:
    """Return how the node does now."""
    return wm.Health(
        sent_at_s=now_s,
        uptime_s=uptime_s,
        cameras=tuple(
            camera_health(
                camera_id,
                camera.tally.counts(now_s=now_s),
                camera.stages.summaries(),
                senses=camera.senses,
                steps=steps,
            )
            for camera_id, camera in cameras.items()
        ),
        spool_items=spool.items,
        spool_bytes=spool.content_bytes,
        queues=queues,
        counters={
            "items_spooled": spool.appended,
            "spool_dropped_items": spool.dropped_items,
            "spool_dropped_thumbnails": spool.dropped_thumbnails,
            "spool_dropped_embeddings": spool.dropped_embeddings,
            "spool_dropped_counts": spool.dropped_counts,
            "spool_put_aside": spool.put_aside,
            "uplink_connections": uplink.connections,
            "uplink_live_replaced": uplink.live_replaced,
            "uplink_live_stale": uplink.live_stale,
            "uplink_answers_dropped": uplink.answers_dropped,
            "uplink_refused": uplink.refused,
            "disk_written_bytes": machine.written_bytes(),
            "clock_jumps": sum(camera.clock_jumps for camera in cameras.values()),
        },
        cpu_percent=machine.cpu_percent(),
        memory_mb=machine.memory_mb(),
        temperature_c=machine.temperature_c(),
        slowed_by=machine.slowed_by,
    )


def summarise(
    settings: EdgeSettings,
    spool: Spool,
    embedder: Embedder,
    cameras: Mapping[str, Camera],
    *,
    now_s: float,
    wall_s: float,
) -> dict[str, object]:
    """Return what the node did, as plain values."""
    state = spool.state
    return {
        "node_id": spool.node_id,
        "node_name": settings.node_name,
        "items_spooled": state.appended,
        "items_waiting": state.items,
        "items_dropped": state.dropped_items,
        "embedding_model_id": embedder.model_id,
        "detector_model_ids": sorted({camera.detector_model_id for camera in cameras.values()} - {""}),
        "wall_s": wall_s,
        "cameras": [_camera_summary(camera, now_s) for camera in cameras.values()],
    }


def _camera_info(camera_id: str, camera: Camera, now_s: float) -> wm.CameraInfo:
    counts = camera.tally.counts(now_s=now_s)
    return wm.CameraInfo(camera_id, camera.name, counts.width_px, counts.height_px)


def _camera_summary(camera: Camera, now_s: float) -> dict[str, object]:
    counts = camera.tally.counts(now_s=now_s)
    return {
        "name": camera.name,
        "frames": counts.frames,
        "frames_skipped": sum(counts.drops.values()),
        "detections": counts.detections,
        "tracklets": counts.tracklets,
        "drops": counts.drops,
        "stage_ms": {
            stage.stage: {"p50": round(stage.p50_ms, 2), "p95": round(stage.p95_ms, 2)}
            for stage in camera.stages.summaries()
        },
    }
