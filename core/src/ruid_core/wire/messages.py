"""What node and hub say to each other: one tagged union each way, MessagePack on binary frames.

Fields are only ever added, at the end, with defaults, so that yesterday's bytes decode today (the golden
files under tests/golden/wire hold every message's bytes). These structs belong to the wire alone: the shells
convert to and from the domain's own types, so a rename there cannot change bytes here.

Units: times are seconds since the Unix epoch on the node's clock, boxes are fractions of the picture
(x1, y1, x2, y2), durations carry their unit in the name.
"""

import msgspec

SUBPROTOCOL = "ruid.v1"
PROTOCOL_MAJOR = 1
PROTOCOL_MINOR = 2

Box = tuple[float, float, float, float]
Point = tuple[float, float]


class _Message(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=False, tag=True):
    """Array-like keeps messages small; the tag is the first element."""


# --- parts ---------------------------------------------------------------------------------------------


class CameraInfo(msgspec.Struct, frozen=True, array_like=True):
    """A camera that the node feeds from."""

    camera_id: str
    name: str
    width_px: int
    height_px: int


class LiveTrack(msgspec.Struct, frozen=True, array_like=True):
    """A person in view right now."""

    track_id: int
    box_rel: Box
    confidence: float
    started_at_s: float
    zones: tuple[str, ...] = ()


class StageTime(msgspec.Struct, frozen=True, array_like=True):
    """How long a stage of the pipeline takes, over the last health period."""

    stage: str
    p50_ms: float
    p95_ms: float


class CameraHealth(msgspec.Struct, frozen=True, array_like=True):
    """How one camera does, over the last health period.

    `capturing` is False while the source is lost; `drops` maps the name of a reason to frames since boot.
    `senses` names what is wrong with the picture (covered, moved, dark, blurred, frozen), `steps` what the node
    has given up to keep pace.
    """

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
    senses: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


class Zone(msgspec.Struct, frozen=True, array_like=True):
    """A polygon on the floor of the picture, of at least three points."""

    zone_id: str
    name: str
    points_rel: tuple[Point, ...]


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A directed line: who crosses it from its left to its right, seen from start to end, goes in."""

    line_id: str
    name: str
    start_rel: Point
    end_rel: Point


class CameraConfig(msgspec.Struct, frozen=True, array_like=True):
    """What the hub may set on a camera; None leaves the node's own setting.

    `masks_rel` are polygons that no model, crop, thumbnail or still may show. `thumbnails` is off, blurred or on.
    A camera that hangs `upside_down` has its pictures turned by half a turn before anything else; all coordinates are
    those of the turned picture. A node of before protocol 1.2 does not know of it.
    """

    camera_id: str
    name: str | None = None
    frame_rate_fps: float | None = None
    detection_confidence: float | None = None
    thumbnails: str | None = None
    masks_rel: tuple[tuple[Point, ...], ...] = ()
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    upside_down: bool | None = None


class PersonFound(msgspec.Struct, frozen=True, array_like=True):
    """A person in a picture that the hub sent; `embedding` holds D little-endian float16 (unit norm within 1e-2)."""

    box_rel: Box
    confidence: float
    embedding: bytes
    thumbnail_jpeg: bytes = b""


# --- durable contents ----------------------------------------------------------------------------------


class Tracklet(_Message, frozen=True, tag="tracklet"):
    """A finished or cut stretch of a track; `part` counts from 0 and `final` closes the track.

    `embeddings` holds K rows of D little-endian float16 (unit norm within 1e-2), `qualities` K values in 0..1.
    `grabbed_at_s` is when the newest frame behind it reached the node; on a live camera it equals `ended_at_s`,
    on a recording `ended_at_s` follows the recording's own time.
    """

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
    """From when to when a camera did not see, and why."""

    camera_id: str
    from_s: float
    to_s: float
    reason: str


class Dropped(_Message, frozen=True, tag="dropped"):
    """The node gave up durable items before they could be sent: how many, of what, and why."""

    reason: str
    first_seq: int
    last_seq: int
    items: int


class Crossing(_Message, frozen=True, tag="crossing"):
    """A track crossed a line; `direction` is 1 for in and -1 for out."""

    camera_id: str
    line_id: str
    track_id: int
    direction: int
    at_s: float


class ZoneStay(_Message, frozen=True, tag="stay"):
    """A track was in a zone from when to when; `final` is False while it still is, and a later one replaces it."""

    camera_id: str
    zone_id: str
    track_id: int
    stay: int
    entered_at_s: float
    left_at_s: float
    final: bool


Content = Tracklet | CoverageGap | Dropped | Crossing | ZoneStay

# --- node to hub ---------------------------------------------------------------------------------------


class Hello(_Message, frozen=True, tag="hello"):
    """The first message on every connection."""

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
    config_revision: int = 0


class Item(_Message, frozen=True, tag="item"):
    """A durable item; (node, boot_epoch, seq) names it for ever, and both count upwards."""

    boot_epoch: int
    seq: int
    content: Content


class Live(_Message, frozen=True, tag="live"):
    """Everybody in view of one camera now; replaces the camera's last one and may be lost."""

    camera_id: str
    captured_at_s: float
    grabbed_at_s: float
    tracks: tuple[LiveTrack, ...]


class Health(_Message, frozen=True, tag="health"):
    """How the node does; `counters` are since boot and named, `spool_items` waits to be sent.

    `started_after` says why the run before this one ended, where it ended badly; `slowed_by` for what the machine's
    firmware slows its processor down now.
    """

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
    started_after: str = ""
    slowed_by: tuple[str, ...] = ()


class ClockProbe(_Message, frozen=True, tag="clock"):
    """Asks the hub for its time; `sent_at_s` comes back in the reply."""

    sent_at_s: float
    offset_s: float | None = None
    error_s: float | None = None


class Goodbye(_Message, frozen=True, tag="bye"):
    """Said before a clean close; `finished` means that the source has ended and nothing will follow."""

    reason: str
    finished: bool = False


class Configured(_Message, frozen=True, tag="configured"):
    """What became of a configuration; where it was refused, `field` and `reason` say why and the old one stays."""

    revision: int
    accepted: bool
    field: str = ""
    reason: str = ""


class Still(_Message, frozen=True, tag="still"):
    """One picture of a camera, its masks applied, because somebody at the hub asked for it; `jpeg` may be empty."""

    camera_id: str
    captured_at_s: float
    jpeg: bytes
    reason: str = ""


class Examined(_Message, frozen=True, tag="examined"):
    """Who is in a picture that the hub sent, the largest first; where `refusal` names why nobody is, `people` is empty.

    Refusals: `nobody`, `busy`, `unavailable` (no models), and what `pictures.check_picture` calls a picture that
    cannot be one.
    """

    request_id: int
    embedding_model_id: str
    people: tuple[PersonFound, ...] = ()
    refusal: str = ""


NodeMessage = Hello | Item | Live | Health | ClockProbe | Goodbye | Configured | Still | Examined

# --- hub to node ---------------------------------------------------------------------------------------


class Welcome(_Message, frozen=True, tag="welcome"):
    """The hub has everything up to and including (boot_epoch, seq); send what comes after."""

    protocol_major: int
    protocol_minor: int
    hub_id: str
    resume_boot_epoch: int
    resume_seq: int
    received_at_s: float
    items_per_s: float | None = None


class Ack(_Message, frozen=True, tag="ack"):
    """Everything up to and including (boot_epoch, seq) is committed at the hub."""

    boot_epoch: int
    seq: int


class ClockReply(_Message, frozen=True, tag="clock_reply"):
    """Answers a probe: the node's own time back, and the hub's."""

    sent_at_s: float
    hub_at_s: float


class Refused(_Message, frozen=True, tag="refused"):
    """The hub will not take something; `fatal` means that the connection closes and why must be mended."""

    code: str
    text: str
    fatal: bool


class Configure(_Message, frozen=True, tag="configure"):
    """The configuration of all the node's cameras; revisions count upwards."""

    revision: int
    cameras: tuple[CameraConfig, ...]


class StillWanted(_Message, frozen=True, tag="still_wanted"):
    """Asks for one picture of a camera, to draw masks, zones and lines on."""

    camera_id: str


class Examine(_Message, frozen=True, tag="examine"):
    """Asks who is in a picture (JPEG, PNG or WebP) that somebody at the hub searches with; nobody keeps it."""

    request_id: int
    picture: bytes


HubMessage = Welcome | Ack | ClockReply | Refused | Goodbye | Configure | StillWanted | Examine
