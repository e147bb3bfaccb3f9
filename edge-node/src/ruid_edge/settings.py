"""The node's settings, read once from environment variables (`RUID_…`) and options, never at import."""

import re
import shlex
import socket
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from ruid_edge.errors import BadSettings

_NAMED_SOURCE = re.compile(r"^([A-Za-z0-9_-]+)=(.+)$", re.DOTALL)


class CameraSettings(msgspec.Struct, frozen=True):
    """A camera of this node: where its frames come from and what people call it."""

    camera_id: str
    name: str
    source: str


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True, rename=lambda name: f"RUID_{name.upper()}"):
    """Every setting of a node; each is the environment variable `RUID_<NAME>`.

    `source` lists sources as a shell would read words, each optionally `name=source`: a file, a folder of
    images, a V4L2 device or index, an RTSP address, or `picamera[:index]`. `pace` plays recordings in `real`
    time or as `fast` as they can be worked on. `start_at_s` is the time of a recording's first frame (default:
    now). `thumbnails` is the privacy policy for pictures of people. `camera_file` is a JSON file with the node's own
    masks, zones and lines; see `ruid_edge.camera_file`.
    With `role` on `hub` the node rests: this device is the hub alone. An empty `hub_url` means to find the hub on the
    network. `hub_fingerprint` allows one hub only; `join_file` is the file that a hub on the same machine writes (its
    RUID_JOIN_FILE) to let this node in unasked. A node that is well touches `heartbeat_file` about once a second.
    """

    role: Literal["auto", "hub", "edge", "both"] = "edge"
    hub_url: str = ""
    hub_fingerprint: str = ""
    join_file: str = ""
    node_name: str = msgspec.field(default_factory=socket.gethostname)
    state_dir: str = "var/edge"
    source: str = "picamera"
    pace: Literal["real", "fast"] = "real"
    loop: bool = False
    start_at_s: float | None = None
    detector: str = "accurate"
    embedder: str = "reid-osnet"
    runtime: Literal["onnxruntime", "openvino", "ncnn"] = "onnxruntime"
    threads: int = 2
    thumbnails: Literal["off", "blurred", "on"] = "blurred"
    camera_file: str = ""
    spool_max_mb: float = 256.0
    summary_file: str = ""
    heartbeat_file: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def cameras(self) -> tuple[CameraSettings, ...]:
        """The cameras that `source` names; raise `BadSettings` where there is none."""
        try:
            words = shlex.split(self.source)
        except ValueError as error:
            raise BadSettings(f"RUID_SOURCE cannot be read: {error}") from error
        if not words:
            raise BadSettings("RUID_SOURCE is empty: name a file, a folder, a camera or an RTSP address")
        return tuple(self._camera(index, word, alone=len(words) == 1) for index, word in enumerate(words))

    def _camera(self, index: int, word: str, *, alone: bool) -> CameraSettings:
        named = _NAMED_SOURCE.match(word)
        name = named.group(1) if named else self.node_name if alone else f"{self.node_name} {index + 1}"
        return CameraSettings(f"cam{index}", name, named.group(2) if named else word)


def load_settings(environment: Mapping[str, str], **options: object) -> EdgeSettings:
    """Return the settings; an option that is not None wins over the environment.

    Raises `BadSettings` that names the variable and what it should be.
    """
    known = {field.encode_name for field in msgspec.structs.fields(EdgeSettings)}
    values: dict[str, Any] = {key: value for key, value in environment.items() if key in known and value != ""}
    values |= {f"RUID_{key.upper()}": value for key, value in options.items() if value is not None}
    try:
        settings = msgspec.convert(values, EdgeSettings, strict=False)
    except msgspec.ValidationError as error:
        raise BadSettings(f"a setting cannot be used: {error}") from error
    _check(settings)
    return settings


def _check(settings: EdgeSettings) -> None:
    if settings.hub_url and not _is_hub_address(settings.hub_url):
        raise BadSettings(f"RUID_HUB_URL is '{settings.hub_url}': it must look like wss://hub.local:8765, or be empty")
    if settings.threads < 1:
        raise BadSettings("RUID_THREADS must be at least 1")
    if settings.spool_max_mb < 1:
        raise BadSettings("RUID_SPOOL_MAX_MB must be at least 1")
    if not 0 < len(settings.node_name) <= 80 or not settings.node_name.isprintable():
        raise BadSettings("RUID_NODE_NAME must be 1 to 80 printable characters")


def _is_hub_address(text: str) -> bool:
    """Whether it names a host over TLS; the link is never plain, so `ws://` is none."""
    try:
        url = urlsplit(text)
        return url.scheme == "wss" and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is no port, or half an address
        return False
