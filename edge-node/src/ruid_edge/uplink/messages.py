"""The node's own values to the wire's, so that a rename here cannot change bytes there."""

from ruid_core.tracking import Crossing, Stay
from ruid_core.tracking.tracklets import Tracklet
from ruid_core.wire import messages as wm
from ruid_core.wire.vectors import pack_embeddings
from ruid_edge.health.stages import StageSummary
from ruid_edge.health.tally import CameraCounts
from ruid_edge.pipeline.camera import FrameOutcome
from ruid_edge.pipeline.thumbnails import encode_thumbnail


def tracklet_message(camera_id: str, tracklet: Tracklet, *, embedding_model_id: str) -> wm.Tracklet:
    """Return a tracklet as a durable content."""
    return wm.Tracklet(
        camera_id=camera_id,
        track_id=tracklet.track_id,
        part=tracklet.part,
        final=tracklet.final,
        started_at_s=tracklet.started_at_s,
        ended_at_s=tracklet.ended_at_s,
        grabbed_at_s=tracklet.grabbed_at_s,
        box_rel=tracklet.box_rel,
        frames=tracklet.frames,
        embedding_model_id=embedding_model_id,
        embeddings=pack_embeddings(tracklet.embeddings),
        qualities=tuple(float(quality) for quality in tracklet.qualities),
        thumbnail_jpeg=encode_thumbnail(tracklet.crop_bgr),
    )


def live_message(camera_id: str, outcome: FrameOutcome) -> wm.Live:
    """Return who is in view as a live message."""
    people = (
        wm.LiveTrack(
            person.track_id,
            person.box_rel,
            min(1.0, max(0.0, person.confidence)),
            person.started_at_s,
            person.zones,
        )
        for person in outcome.people
    )
    return wm.Live(camera_id, outcome.captured_at_s, outcome.grabbed_at_s, tuple(people))


def crossing_message(camera_id: str, crossing: Crossing) -> wm.Crossing:
    """Return a crossing as a durable content."""
    return wm.Crossing(camera_id, crossing.line_id, crossing.track_id, crossing.direction, crossing.at_s)


def stay_message(camera_id: str, stay: Stay) -> wm.ZoneStay:
    """Return a stay in a zone as a durable content."""
    return wm.ZoneStay(camera_id, stay.zone_id, stay.track_id, stay.stay, stay.entered_at_s, stay.left_at_s, stay.final)


def camera_health(
    camera_id: str,
    counts: CameraCounts,
    stages: tuple[StageSummary, ...],
    *,
    senses: tuple[str, ...] = (),
    steps: tuple[str, ...] = (),
) -> wm.CameraHealth:
    """Return a camera's figures as a part of a health message."""
    return wm.CameraHealth(
        camera_id=camera_id,
        capturing=counts.capturing,
        fps=counts.fps,
        last_frame_at_s=counts.last_frame_at_s,
        frames=counts.frames,
        detections=counts.detections,
        tracklets=counts.tracklets,
        drops=counts.drops,
        stages=tuple(wm.StageTime(stage.stage, stage.p50_ms, stage.p95_ms) for stage in stages),
        trouble=counts.trouble,
        senses=senses,
        steps=steps,
    )
