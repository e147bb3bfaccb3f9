"""What a demo run did, added up from what the hub and the nodes say of themselves."""

from collections.abc import Sequence
from typing import Any


def add_up(hub: dict[str, Any], nodes: Sequence[dict[str, Any]], *, wall_s: float) -> dict[str, Any]:
    """Return the account that `ruid demo --once --json` prints.

    An item is lost when a node stored it for sending and the hub never committed it, duplicated when the hub
    committed more than the node stored.
    """
    cameras = [camera for node in nodes for camera in node["cameras"]]
    stored = hub["items_stored"]
    differences = [node["items_spooled"] - stored.get(node["node_id"], 0) for node in nodes]
    frames = sum(camera["frames"] for camera in cameras)
    return {
        "cameras": len(cameras),
        "frames": frames,
        "frames_skipped": sum(camera["frames_skipped"] for camera in cameras),
        "detections": sum(camera["detections"] for camera in cameras),
        "tracklets": sum(camera["tracklets"] for camera in cameras),
        "observations": hub["observations"],
        "identities": hub["identities"],
        "identities_on_several_cameras": hub["identities_on_several_cameras"],
        "unique_estimate": hub["unique_estimate"],
        "items_lost": sum(max(0, difference) for difference in differences),
        "items_duplicated": sum(max(0, -difference) for difference in differences),
        "wall_s": round(wall_s, 2),
        "fps_per_camera": {
            camera["name"]: round(camera["frames"] / node["wall_s"], 1) for node in nodes for camera in node["cameras"]
        },
        "latency_capture_to_identity_ms": hub["latency_capture_to_identity_ms"],
        "stage_ms": {camera["name"]: camera["stage_ms"] for camera in cameras},
        "model_ids": sorted(
            {model for node in nodes for model in (*node["detector_model_ids"], node["embedding_model_id"])}
        ),
        "refusals": hub["refusals"],
    }
