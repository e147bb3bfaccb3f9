"""What version 1.0 of the link could say and read, as it was: never changed again; its golden bytes check it.

An older side reads longer messages and passes over what it does not know at their ends; a message or a content with a
tag that it does not know it cannot read at all.
"""

import msgspec

Box = tuple[float, float, float, float]


class _Message(msgspec.Struct, frozen=True, array_like=True, tag=True): ...


class CameraInfo(msgspec.Struct, frozen=True, array_like=True):
    camera_id: str
    name: str
    width_px: int
    height_px: int


class LiveTrack(msgspec.Struct, frozen=True, array_like=True):
    track_id: int
    box_rel: Box
    confidence: float
    started_at_s: float


class StageTime(msgspec.Struct, frozen=True, array_like=True):
    stage: str
    p50_ms: float
    p95_ms: float


class CameraHealth(msgspec.Struct, frozen=True, array_like=True):
    camera_id: str
    capturing: bool
    fps: float
    last_frame_at_s: float
    frames: int
    detections: int
    tracklets: int
    drops: dict[str, int]
    stages: tuple[StageTime, ...]
    trouble: str = ""


class Tracklet(_Message, frozen=True, tag="tracklet"):
    camera_id: str
    track_id: int
    part: int
    final: bool
    started_at_s: float
    ended_at_s: float
    grabbed_at_s: float
    box_rel: Box
    frames: int
    embedding_model_id: str
    embeddings: bytes
    qualities: tuple[float, ...]
    thumbnail_jpeg: bytes = b""


class CoverageGap(_Message, frozen=True, tag="gap"):
    camera_id: str
    from_s: float
    to_s: float
    reason: str


class Dropped(_Message, frozen=True, tag="dropped"):
    reason: str
    first_seq: int
    last_seq: int
    items: int


class Hello(_Message, frozen=True, tag="hello"):
    protocol_major: int
    protocol_minor: int
    node_id: str
    node_name: str
    boot_epoch: int
    software_version: str
    embedding_model_id: str
    embedding_dim: int
    detector_model_id: str
    cameras: tuple[CameraInfo, ...]
    sent_at_s: float


class Item(_Message, frozen=True, tag="item"):
    boot_epoch: int
    seq: int
    content: Tracklet | CoverageGap | Dropped


class Live(_Message, frozen=True, tag="live"):
    camera_id: str
    captured_at_s: float
    grabbed_at_s: float
    tracks: tuple[LiveTrack, ...]


class Health(_Message, frozen=True, tag="health"):
    sent_at_s: float
    uptime_s: float
    cameras: tuple[CameraHealth, ...]
    spool_items: int
    spool_bytes: int
    queues: dict[str, int]
    counters: dict[str, int]
    cpu_percent: float
    memory_mb: float
    temperature_c: float | None = None


class ClockProbe(_Message, frozen=True, tag="clock"):
    sent_at_s: float
    offset_s: float | None = None
    error_s: float | None = None


class Goodbye(_Message, frozen=True, tag="bye"):
    reason: str
    finished: bool = False


class Welcome(_Message, frozen=True, tag="welcome"):
    protocol_major: int
    protocol_minor: int
    hub_id: str
    resume_boot_epoch: int
    resume_seq: int
    received_at_s: float


class Ack(_Message, frozen=True, tag="ack"):
    boot_epoch: int
    seq: int


class ClockReply(_Message, frozen=True, tag="clock_reply"):
    sent_at_s: float
    hub_at_s: float


class Refused(_Message, frozen=True, tag="refused"):
    code: str
    text: str
    fatal: bool


NodeMessage = Hello | Item | Live | Health | ClockProbe | Goodbye
HubMessage = Welcome | Ack | ClockReply | Refused | Goodbye

read_at_the_hub = msgspec.msgpack.Decoder(NodeMessage).decode
read_at_the_node = msgspec.msgpack.Decoder(HubMessage).decode
encode = msgspec.msgpack.encode
