"""How cameras did over time: functions over a connection; the caller opens and ends it."""

from collections.abc import Mapping
from dataclasses import asdict

from sqlalchemy import Connection, insert, select

from ruid_hub.observations import HealthSample
from ruid_hub.store.tables import cameras
from ruid_hub.store.tables.health import health_samples

MOST_SAMPLES = 20_000


def write_health(connection: Connection, samples: Mapping[str, HealthSample]) -> None:
    """Keep how each camera (`node_id/camera_id`) does; one that the store does not know is left out."""
    keys = {row.camera: row.camera_key for row in connection.execute(select(cameras.c.camera, cameras.c.camera_key))}
    rows = [{"camera_key": keys[camera], **asdict(sample)} for camera, sample in samples.items() if camera in keys]
    if rows:
        connection.execute(insert(health_samples), rows)


def health_since(connection: Connection, camera: str, since_s: float) -> tuple[HealthSample, ...]:
    """How a camera did after a time, the oldest first and the newest MOST_SAMPLES of them."""
    held = health_samples.c
    query = (
        select(
            held.at_s, held.fps, held.temperature_c, held.cpu_percent, held.latency_p50_ms, held.spool_items, held.up
        )
        .join(cameras, cameras.c.camera_key == held.camera_key)
        .where(cameras.c.camera == camera, held.at_s > since_s)
        .order_by(held.at_s.desc())
        .limit(MOST_SAMPLES)
    )
    return tuple(HealthSample(*row) for row in reversed(connection.execute(query).all()))
