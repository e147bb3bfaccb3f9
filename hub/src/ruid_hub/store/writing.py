"""Gaps that the hub saw, and the hour that a row counts in. The caller opens and ends the transaction."""

from typing import Any

from sqlalchemy import Connection, insert

from ruid_hub.observations import CoverageGap
from ruid_hub.store import statements
from ruid_hub.store.rows import (
    Committed,
    CrossingRow,
    DroppedRow,
    GapRow,
    ObservationRow,
    StayRow,
)
from ruid_hub.store.statements import upserts
from ruid_hub.store.tables import (
    gaps,
)

HOUR_S = 3600.0


def hour_of(row: Committed) -> int:
    """The hour (since the Unix epoch) that a row is counted in."""
    match row:
        case ObservationRow(observation):
            return int(observation.started_at_s // HOUR_S)
        case CrossingRow():
            return int(row.at_s // HOUR_S)
        case StayRow():
            return int(row.entered_at_s // HOUR_S)
        case GapRow():
            return int(row.gap.from_s // HOUR_S)
        case DroppedRow():
            return int(row.received_at_s // HOUR_S)


def write_hub_gap(connection: Connection, node_id: str, gap: CoverageGap) -> None:
    """A gap without a sequence number: the hub saw it, no node sent it."""
    node_key = _node_key(connection, node_id)
    camera_key = _camera_key(connection, gap.camera, node_key)
    connection.execute(insert(gaps).values(node_key=node_key, **_gap_values(gap, camera_key)))


def _gap_values(gap: CoverageGap, camera_key: int) -> dict[str, Any]:
    return {"camera_key": camera_key, "from_s": gap.from_s, "to_s": gap.to_s, "reason": gap.reason}


def _node_key(connection: Connection, node_id: str) -> int:
    connection.execute(upserts(connection).node, {"node_id": node_id})
    return connection.execute(statements.NODE_KEY, {"node_id": node_id}).scalar_one()


def _camera_key(connection: Connection, camera: str, node_key: int) -> int:
    """A camera that no hello has named yet goes by its id."""
    name = camera.rpartition("/")[2]
    connection.execute(upserts(connection).camera, {"node_key": node_key, "camera": camera, "name": name})
    return connection.execute(statements.CAMERA_KEY, {"camera": camera}).scalar_one()
