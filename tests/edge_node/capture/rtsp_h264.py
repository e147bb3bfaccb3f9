"""H.264 as network cameras send it: a clip encoded as they do, in the RTP packets of RFC 6184.

Small units of the code travel alone in a packet, large ones in parts (FU-A), all in order (packetization mode 1).
"""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tooling import require_tool

_START = b"\x00\x00\x01"
_PACKET_BYTES = 1200
_FU_A = 28
_SLICES, _KEY_SLICES, _SEQUENCE, _PICTURE, _NEXT_PICTURE = 1, 5, 7, 8, 9
_KEY_FRAME_EVERY = 10
_ENCODING = (
    *("-an", "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-profile:v", "main"),
    *("-x264-params", f"keyint={_KEY_FRAME_EVERY}:scenecut=0:slices=2:aud=1:repeat-headers=1:bframes=0"),
    *("-f", "h264", "-bsf:v", "filter_units=remove_types=6"),
)


class H264Clip:
    """A clip's pictures, over and over, each as the payloads of its packets."""

    payload_type = 96
    ticks_per_picture = 9000
    """The demo clips show ten pictures a second."""

    def __init__(self, clip: Path, *, frames: int = 120) -> None:
        command = [str(require_tool("ffmpeg")), "-v", "error", "-nostdin", "-i", str(clip), "-frames:v", str(frames)]
        code = subprocess.run([*command, *_ENCODING, "-"], capture_output=True, check=True).stdout
        self._pictures = list(_pictures(code))
        heads = {_kind(unit): unit for unit in self._pictures[0]}
        sets = ",".join(base64.b64encode(heads[kind]).decode() for kind in (_SEQUENCE, _PICTURE))
        self.media = (
            "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\na=control:0\r\n"
        )

    def payloads(self, index: int, *, garbage: bool) -> Iterator[bytes]:
        """The packets of a picture; its slices are noise where they are to be garbage."""
        for unit in self._pictures[index % len(self._pictures)]:
            yield from _packed(_noise(unit, index) if garbage and _kind(unit) <= _KEY_SLICES else unit)


def _pictures(code: bytes) -> Iterator[list[bytes]]:
    """The units of each picture; a delimiter begins one and is left out, as cameras do."""
    units: list[bytes] = []
    for unit in (part.rstrip(b"\x00") for part in code.split(_START)[1:]):
        if _kind(unit) != _NEXT_PICTURE:
            units.append(unit)
        elif units:
            yield units
            units = []
    yield units


def _kind(unit: bytes) -> int:
    return unit[0] & 31


def _noise(unit: bytes, seed: int) -> bytes:
    return unit[:1] + np.random.default_rng(seed).integers(0, 256, len(unit) - 1, np.uint8).tobytes()


def _packed(unit: bytes) -> Iterator[bytes]:
    if len(unit) <= _PACKET_BYTES:
        yield unit
        return
    indicator, kind, rest = unit[0] & 0xE0 | _FU_A, _kind(unit), unit[1:]
    for start in range(0, len(rest), _PACKET_BYTES):
        part = rest[start : start + _PACKET_BYTES]
        first, last = start == 0, start + len(part) == len(rest)
        yield bytes([indicator, first << 7 | last << 6 | kind]) + part
