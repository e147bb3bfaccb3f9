"""Is what a node says possible? Every refusal has a name."""

import math
from collections.abc import Iterable

from ruid_core.wire.errors import InvalidContent
from ruid_core.wire.messages import (
    Configured,
    Content,
    CoverageGap,
    Crossing,
    Dropped,
    Examined,
    Health,
    Hello,
    Live,
    Still,
    Tracklet,
    ZoneStay,
)
from ruid_core.wire.vectors import embedding_dim, unpack_embeddings

MAX_NAME_CHARS = 100
MAX_CAMERAS_PER_NODE = 16
MAX_TRACKS_PER_CAMERA = 500
MAX_PROTOTYPES = 16
MAX_THUMBNAIL_BYTES = 32 * 1024
MAX_EMBEDDING_DIM = 2048
MAX_COUNTERS = 200
MAX_ZONES_PER_CAMERA = 32
MAX_STILL_BYTES = 224 * 1024
MAX_PEOPLE_FOUND = 8
MAX_REASON_CHARS = 500
_EARLIEST_S = 1_577_836_800.0  # 2020-01-01: no node is older than this software
_BOX_SLACK = 0.05  # a box may reach a little over the picture's edge
_UINT63 = 2**63
_JPEG = b"\xff\xd8"


def check_hello(hello: Hello) -> None:
    """Raise `InvalidContent` where the introduction cannot be accepted."""
    for text in (hello.node_id, hello.node_name, *(camera.camera_id for camera in hello.cameras)):
        _check_name(text)
    described = (hello.software_version, hello.embedding_model_id, hello.detector_model_id)
    for text in (*described, *(camera.name for camera in hello.cameras)):
        _check_label(text)
    _require(len(hello.cameras) <= MAX_CAMERAS_PER_NODE, "camera_count", "a node has at most 16 cameras")
    identifiers = [camera.camera_id for camera in hello.cameras]
    _require(len(set(identifiers)) == len(identifiers), "camera_twice", "two cameras have the same camera_id")
    _require(0 < hello.embedding_dim <= MAX_EMBEDDING_DIM, "embedding_dim", "the embedding size is out of range")
    _require(0 <= hello.boot_epoch < _UINT63, "boot_epoch", "the boot epoch is out of range")


def check_content(content: Content, hello: Hello, *, now_s: float, future_s: float = 3600.0) -> None:
    """Raise `InvalidContent` where a durable item's values cannot be true.

    `now_s` is the hub's time; what claims to be more than `future_s` ahead of it is refused.
    """
    if isinstance(content, Dropped):
        _check_dropped(content)
        return
    _check_camera(content.camera_id, hello)
    match content:
        case Tracklet():
            _check_tracklet(content, hello)
            latest_s = content.ended_at_s
        case CoverageGap():
            _check_span(content.from_s, content.to_s)
            _check_reason(content.reason)
            latest_s = content.to_s
        case Crossing():
            _check_crossing(content)
            latest_s = content.at_s
        case _:  # a stay
            _check_stay(content)
            latest_s = content.left_at_s
    _require(latest_s <= now_s + future_s, "time_in_future", "the time stamp is more than an hour ahead of the hub")


def check_live(live: Live, hello: Hello) -> None:
    """Raise `InvalidContent` where the live state cannot be true."""
    _check_camera(live.camera_id, hello)
    _require(len(live.tracks) <= MAX_TRACKS_PER_CAMERA, "track_count", "too many people in one picture")
    _check_times((live.captured_at_s, live.grabbed_at_s))
    for track in live.tracks:
        _check_box(track.box_rel)
        _check_fraction(track.confidence, "confidence")
        _require(len(track.zones) <= MAX_ZONES_PER_CAMERA, "zone_count", "somebody is in too many zones")
        for zone_id in track.zones:
            _check_name(zone_id)


def check_configured(configured: Configured) -> None:
    """Raise `InvalidContent` where an answer to a configuration cannot be true."""
    _require(0 <= configured.revision < _UINT63, "revision", "the revision is out of range")
    _check_reason(configured.field)
    _check_reason(configured.reason)


def check_still(still: Still, hello: Hello) -> None:
    """Raise `InvalidContent` where a still cannot be one; without a picture it must say why."""
    _check_camera(still.camera_id, hello)
    _require(len(still.jpeg) <= MAX_STILL_BYTES, "still_size", "the still is too large")
    _require(still.jpeg.startswith(_JPEG) or not still.jpeg, "still_format", "the still is no JPEG picture")
    _require(bool(still.jpeg or still.reason), "still_empty", "neither a picture nor a reason why there is none")
    _check_reason(still.reason)
    if still.jpeg:
        _check_times((still.captured_at_s,))


def check_examined(examined: Examined, hello: Hello) -> None:
    """Raise `InvalidContent` where what a node found in a picture cannot be true."""
    _require(0 <= examined.request_id < _UINT63, "request_id", "the number of the request is out of range")
    _check_label(examined.refusal)
    _require(len(examined.people) <= MAX_PEOPLE_FOUND, "people_count", "too many people in one picture")
    _require(bool(examined.people) != bool(examined.refusal), "examined_empty", "either people or a refusal")
    for person in examined.people:
        _check_model(examined.embedding_model_id, hello)
        _check_box(person.box_rel)
        _check_fraction(person.confidence, "confidence")
        _require(len(person.embedding) == 2 * hello.embedding_dim, "embedding_size", "an embedding has another length")
        unpack_embeddings(person.embedding, dim=hello.embedding_dim)
        _check_thumbnail(person.thumbnail_jpeg)


def plain_reason(text: str) -> str:
    """Return a reason as it is accepted: without what cannot be printed, line ends as spaces, not too long."""
    return "".join(filter(str.isprintable, " ".join(text.split())))[:MAX_REASON_CHARS]


def check_health(health: Health, hello: Hello) -> None:
    """Raise `InvalidContent` where a health message cannot be true."""
    for camera in health.cameras:
        _check_camera(camera.camera_id, hello)
        named = (camera.drops, camera.stages, camera.senses, camera.steps)
        _require(all(len(names) <= MAX_COUNTERS for names in named), "counters", "too many names")
        _check_reason(camera.trouble)
        for text in (*camera.drops, *camera.senses, *camera.steps, *(stage.stage for stage in camera.stages)):
            _check_label(text)
    named = (health.counters, health.queues, health.slowed_by)
    _require(all(len(names) <= MAX_COUNTERS for names in named), "counters", "too many named counters")
    for text in (*health.counters, *health.queues, *health.slowed_by):
        _check_label(text)
    _check_reason(health.started_after)
    numbers = (health.cpu_percent, health.memory_mb, *(camera.fps for camera in health.cameras))
    _require(all(map(math.isfinite, numbers)), "not_finite", "a health figure is not a number")


def _check_dropped(dropped: Dropped) -> None:
    _require(0 <= dropped.first_seq <= dropped.last_seq < _UINT63, "dropped_range", "the dropped range is reversed")
    _require(0 <= dropped.items < _UINT63, "dropped_items", "the number of dropped items is out of range")
    _check_reason(dropped.reason)


def _check_crossing(crossing: Crossing) -> None:
    _check_name(crossing.line_id)
    _check_track_id(crossing.track_id)
    _require(crossing.direction in {1, -1}, "direction", "a crossing goes in (1) or out (-1)")
    _check_times((crossing.at_s,))


def _check_stay(stay: ZoneStay) -> None:
    _check_name(stay.zone_id)
    _check_track_id(stay.track_id)
    _require(0 <= stay.stay < _UINT63, "stay", "the number of the stay is out of range")
    _check_span(stay.entered_at_s, stay.left_at_s)


def _check_track_id(track_id: int) -> None:
    _require(0 <= track_id < _UINT63, "track_id", "the track number is out of range")


def _check_tracklet(tracklet: Tracklet, hello: Hello) -> None:
    _check_track_id(tracklet.track_id)
    _require(0 <= tracklet.part < _UINT63 and tracklet.frames >= 0, "part", "a count is negative")
    _check_span(tracklet.started_at_s, tracklet.ended_at_s)
    _check_times((tracklet.grabbed_at_s,))
    _check_box(tracklet.box_rel)
    _require(len(tracklet.qualities) <= MAX_PROTOTYPES, "prototype_count", "too many embeddings in one tracklet")
    for quality in tracklet.qualities:
        _check_fraction(quality, "quality")
    _check_embeddings(tracklet, hello)
    _check_thumbnail(tracklet.thumbnail_jpeg)


def _check_embeddings(tracklet: Tracklet, hello: Hello) -> None:
    """What a node could not deliver before its embedder was replaced is of the former model, of whatever dimension."""
    _check_label(tracklet.embedding_model_id)
    named = bool(tracklet.embedding_model_id) or not tracklet.embeddings
    _require(named, "embedding_model", "the embeddings do not say which model they are of")
    dim = hello.embedding_dim if tracklet.embedding_model_id == hello.embedding_model_id else embedding_dim(tracklet)
    agree = 0 < dim <= MAX_EMBEDDING_DIM and len(tracklet.embeddings) == len(tracklet.qualities) * dim * 2
    _require(agree, "embedding_size", "embeddings and qualities do not agree")


def _check_model(model_id: str, hello: Hello) -> None:
    same = model_id == hello.embedding_model_id
    _require(same, "embedding_model", "the embedding model is not the one that the node introduced itself with")


def _check_thumbnail(jpeg: bytes) -> None:
    _require(len(jpeg) <= MAX_THUMBNAIL_BYTES, "thumbnail_size", "the thumbnail is too large")


def _check_camera(camera_id: str, hello: Hello) -> None:
    known = any(camera.camera_id == camera_id for camera in hello.cameras)
    _require(known, "unknown_camera", "the camera is not one that the node introduced")


def _check_name(text: str) -> None:
    _require(bool(text), "name_length", "a name is empty or longer than 100 characters")
    _check_label(text)


def _check_label(text: str) -> None:
    """A name that may be empty. NUL fits into no PostgreSQL text, and line ends would forge lines of a log."""
    _require(len(text) <= MAX_NAME_CHARS, "name_length", "a name is empty or longer than 100 characters")
    _require(text.isprintable(), "name_characters", "a name holds characters that cannot be printed")


def _check_reason(text: str) -> None:
    _require(len(text) <= MAX_REASON_CHARS, "reason_length", "a reason is longer than 500 characters")
    _require(text.isprintable(), "reason_characters", "a reason holds characters that cannot be printed")


def _check_span(from_s: float, to_s: float) -> None:
    _check_times((from_s, to_s))
    _require(from_s <= to_s, "time_reversed", "it ends before it starts")


def _check_times(times_s: Iterable[float]) -> None:
    for time_s in times_s:
        _require(math.isfinite(time_s) and time_s >= _EARLIEST_S, "time_too_early", "the time stamp is before 2020")


def _check_box(box_rel: tuple[float, float, float, float]) -> None:
    x1, y1, x2, y2 = box_rel
    inside = all(-_BOX_SLACK <= value <= 1 + _BOX_SLACK for value in box_rel)
    _require(inside and x1 <= x2 and y1 <= y2, "box", "the box does not lie in the picture")


def _check_fraction(value: float, name: str) -> None:
    _require(0 <= value <= 1, name, f"the {name} is not between 0 and 1")


def _require(holds: bool, code: str, text: str) -> None:  # noqa: FBT001 - a guard reads best as a condition
    if not holds:
        raise InvalidContent(code, text)
