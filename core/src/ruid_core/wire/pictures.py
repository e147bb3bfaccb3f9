"""Is this a picture that a node may decode? Read from its head alone, before any decoder sees it."""

from ruid_core.wire.errors import InvalidContent

MAX_PICTURE_BYTES = 1_000_000
MAX_PICTURE_SIDE_PX = 2560
_MAX_SCANS = 64
"""A progressive JPEG of ten bytes a scan would keep a decoder busy for hours; honest ones have about ten."""
_START_OF_SCAN = b"\xff\xda"
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def check_picture(picture: bytes) -> tuple[int, int]:
    """Return the (width, height) in pixels of a JPEG, PNG or WebP picture.

    Raises `InvalidContent` with the code `picture_bytes` (too many), `picture_format` or `picture_size`.
    """
    if len(picture) > MAX_PICTURE_BYTES:
        raise InvalidContent("picture_bytes", f"a picture may have {MAX_PICTURE_BYTES} bytes, not {len(picture)}")
    width_px, height_px = _size(picture)
    if not (0 < width_px <= MAX_PICTURE_SIDE_PX and 0 < height_px <= MAX_PICTURE_SIDE_PX):
        most = f"{MAX_PICTURE_SIDE_PX} pixels on a side"
        raise InvalidContent("picture_size", f"a picture may have {most}, not {width_px}×{height_px}")
    return width_px, height_px


def _size(picture: bytes) -> tuple[int, int]:
    if picture.startswith(b"\xff\xd8\xff"):
        return _jpeg_size(picture)
    if picture.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") and len(picture) >= 24:
        return int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP" and len(picture) >= 30:
        return _webp_size(picture)
    raise _unreadable("it is neither JPEG nor PNG nor WebP")


def _jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """Walk the segments to the start of the frame (ITU T.81, annex B)."""
    if jpeg.count(_START_OF_SCAN) > _MAX_SCANS:
        raise _unreadable(f"it has more than {_MAX_SCANS} scans")
    at = 2
    while at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        if jpeg[at + 1] in _START_OF_FRAME:
            return int.from_bytes(jpeg[at + 7 : at + 9]), int.from_bytes(jpeg[at + 5 : at + 7])
        padded = jpeg[at + 1] == 0xFF
        at += 1 if padded else 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    raise _unreadable("the JPEG has no frame")


def _webp_size(webp: bytes) -> tuple[int, int]:
    """Read the first chunk (RFC 9649, section 2): lossy, lossless, or extended."""
    kind = webp[12:16]
    if kind == b"VP8 " and webp[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(webp[26:28], "little") & 0x3FFF, int.from_bytes(webp[28:30], "little") & 0x3FFF
    if kind == b"VP8L" and webp[20] == 0x2F:
        sides = int.from_bytes(webp[21:25], "little")
        return (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(webp[24:27], "little") + 1, int.from_bytes(webp[27:30], "little") + 1
    raise _unreadable("the WebP has no picture")


def _unreadable(reason: str) -> InvalidContent:
    return InvalidContent("picture_format", reason)
