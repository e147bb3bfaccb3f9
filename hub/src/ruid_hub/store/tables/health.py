"""How cameras and their nodes did."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table

from ruid_hub.store.tables.base import REAL, metadata

health_samples = Table(
    "health_samples",
    metadata,
    Column("sample_key", Integer, primary_key=True),
    Column("camera_key", Integer, ForeignKey("cameras.camera_key"), nullable=False),
    Column("at_s", REAL, nullable=False),
    Column("up", Boolean, nullable=False),
    Column("fps", REAL, nullable=False),
    # Empty where the node did not say.
    Column("temperature_c", REAL),
    Column("cpu_percent", REAL),
    Column("latency_p50_ms", Integer),
    Column("spool_items", BigInteger),
    Index(None, "camera_key", "at_s"),
    Index(None, "at_s"),
)
