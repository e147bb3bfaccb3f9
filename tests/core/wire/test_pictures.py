"""What a picture says of itself is known before anything decodes it."""

import contextlib
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruid_core.wire.errors import InvalidContent
from ruid_core.wire.pictures import MAX_PICTURE_BYTES, MAX_PICTURE_SIDE_PX, check_picture

APP0 = b"\xff\xe0\x00\x06JFIF"
QUANTISATION = b"\xff\xdb\x00\x04\x00\x01"


def jpeg(
    width: int, height: int, *, before: bytes = APP0 + QUANTISATION, kind: int = 0xC0, after: bytes = b""
) -> bytes:
    return b"\xff\xd8" + before + struct.pack(">BBHBHH", 0xFF, kind, 11, 8, height, width) + after


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x02\0\0\0"


def webp(kind: bytes, head: bytes) -> bytes:
    return b"RIFF\x40\0\0\0WEBP" + kind + b"\x30\0\0\0" + head + b"\0" * 16


def lossy(width: int, height: int) -> bytes:
    return webp(b"VP8 ", b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width | 0x4000, height))


def lossless(width: int, height: int) -> bytes:
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14))


def extended(width: int, height: int) -> bytes:
    return webp(b"VP8X", b"\0" * 4 + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))


Maker = Callable[[int, int], bytes]
MAKERS: list[Maker] = [jpeg, png, lossy, lossless, extended]


@pytest.mark.parametrize("make", MAKERS)
def test_the_size_is_read_from_the_head(make: Maker) -> None:
    assert check_picture(make(640, 480)) == (640, 480)
    assert check_picture(make(1, MAX_PICTURE_SIDE_PX)) == (1, MAX_PICTURE_SIDE_PX)


@pytest.mark.parametrize("make", MAKERS)
def test_a_bomb_is_refused_by_its_size(make: Maker) -> None:
    for size in ((MAX_PICTURE_SIDE_PX + 1, 4), (4, MAX_PICTURE_SIDE_PX + 1), (16_383, 16_383)):
        assert refusal(make(*size)) == "picture_size"


@pytest.mark.parametrize("picture", [jpeg(0, 9), jpeg(9, 0), png(0, 9), lossy(0, 9)])
def test_a_picture_without_a_pixel_is_none(picture: bytes) -> None:
    assert refusal(picture) == "picture_size"


@pytest.mark.parametrize("kind", [0xC0, 0xC1, 0xC2, 0xCF])
def test_every_kind_of_jpeg_frame_tells_its_size(kind: int) -> None:
    assert check_picture(jpeg(64, 128, kind=kind)) == (64, 128)


def test_tables_and_padding_before_the_frame_are_walked_over() -> None:
    huffman = b"\xff\xc4\x00\x05\xff\xc0\x07"
    assert check_picture(jpeg(64, 128, before=APP0 + b"\xff\xff\xff" + huffman)) == (64, 128)


@pytest.mark.parametrize(
    "picture",
    [
        b"",
        b"GIF89a" + b"\0" * 40,
        b"II*\0" + b"\0" * 40,
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xd9",
        jpeg(64, 128)[:-3],
        jpeg(64, 128, before=APP0 + b"garbage"),
        png(64, 128)[:20],
        webp(b"VP8 ", b"\x10\0\0no!" + b"\0" * 4),
        webp(b"VP8L", b"\x2e" + b"\0" * 9),
        webp(b"JUNK", b"\0" * 10),
        extended(64, 128)[:29],
    ],
)
def test_what_is_no_picture_is_refused(picture: bytes) -> None:
    assert refusal(picture) == "picture_format"


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    assert check_picture(jpeg(64, 128, after=b"\xff\xda\0\x08" * 64)) == (64, 128)
    assert refusal(jpeg(64, 128, after=b"\xff\xda\0\x08" * 65)) == "picture_format"


def test_too_many_bytes_are_refused_whatever_they_are() -> None:
    assert refusal(jpeg(64, 128, after=b"\0" * MAX_PICTURE_BYTES)) == "picture_bytes"


@given(st.sampled_from(MAKERS), st.binary(max_size=60), st.integers(0, 40))
def test_whatever_the_bytes_are_they_are_a_picture_or_refused(make: Maker, noise: bytes, at: int) -> None:
    picture = make(640, 480)
    with contextlib.suppress(InvalidContent):
        width_px, height_px = check_picture(picture[:at] + noise)
        assert 0 < min(width_px, height_px) <= max(width_px, height_px) <= MAX_PICTURE_SIDE_PX


def refusal(picture: bytes) -> str:
    with pytest.raises(InvalidContent) as refused:
        check_picture(picture)
    return refused.value.code
