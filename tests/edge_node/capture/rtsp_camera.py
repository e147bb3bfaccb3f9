"""A network camera that speaks RTSP (RFC 2326), made to misbehave.

It sends its footage over RTP inside the RTSP connection, as OpenCV's FFmpeg asks for it, to any number of viewers: a
bar that moves as JPEG (RFC 2435), or what it is given.
"""

import base64
import itertools
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol, Self, cast

import cv2
import numpy as np
from numpy.typing import NDArray

_TICKS_PER_S = 90_000
_PACKET_BYTES = 1200
_LOST_EVERY = 7
_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"


class Coded(Protocol):
    """Footage in packets: its media section of the session's description, and what the packets of a picture carry."""

    @property
    def media(self) -> str: ...

    @property
    def payload_type(self) -> int: ...

    @property
    def ticks_per_picture(self) -> int: ...

    def payloads(self, index: int, *, garbage: bool) -> Iterator[bytes]: ...


class RtspCamera(socketserver.ThreadingTCPServer):
    """Serves from `with` to `with`; its faults are attributes that a test sets while somebody watches.

    `silent`: connected, but no more frames. `mute`: not even an answer. `garbage`: the pictures' bytes are noise.
    `lossy`: every seventh packet gets lost.
    `granted` is the login that it lets in, all of them while it is empty; `cut` breaks off and ends every connection.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *, user: str = "", password: str = "", port: int = 0, shows: Coded | None = None) -> None:
        super().__init__(("127.0.0.1", port), _Viewer)
        self.port = int(self.server_address[1])
        self.bar = MovingBar()
        self.shows: Coded = shows or self.bar
        self.silent, self.mute, self.garbage = threading.Event(), threading.Event(), threading.Event()
        self.lossy, self.cut = threading.Event(), threading.Event()
        self.visited_s: list[float] = []
        self.granted = base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut.set()
        self.shutdown()
        self.server_close()

    @property
    def address(self) -> str:
        """Where it is, without a password."""
        return f"rtsp://127.0.0.1:{self.port}/live"


class _Viewer(socketserver.StreamRequestHandler):
    """One connection: answers requests, and sends pictures once it is asked to play."""

    def handle(self) -> None:
        camera = cast("RtspCamera", self.server)
        camera.visited_s.append(time.monotonic())
        with suppress(OSError):
            for method, fields in self._requests():
                while camera.mute.is_set():
                    if camera.cut.wait(0.02):
                        return
                granted = not camera.granted or fields.get("authorization") == f"Basic {camera.granted}"
                self._answer(method, fields, granted=granted, media=camera.shows.media)
                if method == "PLAY" and granted:
                    self._play(camera)
                    return

    def _requests(self) -> Iterator[tuple[str, dict[str, str]]]:
        while line := self.rfile.readline().decode():
            fields: dict[str, str] = {}
            while header := self.rfile.readline().decode().strip():
                name, _, value = header.partition(":")
                fields[name.lower()] = value.strip()
            yield line.split(" ")[0], fields

    def _answer(self, method: str, fields: dict[str, str], *, granted: bool, media: str) -> None:
        status, body = ("200 OK", "") if granted else ("401 Unauthorized", "")
        head = [f"CSeq: {fields['cseq']}"]
        if not granted:
            head.append('WWW-Authenticate: Basic realm="camera"')
        elif method == "OPTIONS":
            head.append("Public: DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif method == "DESCRIBE":
            body = _SDP + media
            head += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif method == "SETUP":
            head += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1"]
        else:
            head.append("Session: 1")
        self.wfile.write(("\r\n".join([f"RTSP/1.0 {status}", *head]) + "\r\n\r\n" + body).encode())

    def _play(self, camera: RtspCamera) -> None:
        begun_s, numbers = time.monotonic(), itertools.count()
        for index in itertools.count():
            due_s = begun_s + index * camera.shows.ticks_per_picture / _TICKS_PER_S
            if camera.cut.wait(max(0.0, due_s - time.monotonic())):
                return
            if not camera.silent.is_set():
                for packet in _packets(index, camera, numbers):
                    self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)


def _packets(index: int, camera: RtspCamera, numbers: Iterator[int]) -> Iterator[bytes]:
    """The packets of a picture that are not lost; the last one is marked."""
    payloads = list(camera.shows.payloads(index, garbage=camera.garbage.is_set()))
    at_ticks = index * camera.shows.ticks_per_picture & 0xFFFFFFFF
    marks = [0] * (len(payloads) - 1) + [0x80]
    for number, mark, payload in zip(itertools.islice(numbers, len(payloads)), marks, payloads, strict=True):
        head = struct.pack(">BBHII", 0x80, camera.shows.payload_type | mark, number & 0xFFFF, at_ticks, 7)
        if not camera.lossy.is_set() or number % _LOST_EVERY:
            yield head + payload


class MovingBar:
    """A bright bar on grey that steps right with every picture, as JPEG; `size_px` may change while it is watched."""

    media = "m=video 0 RTP/AVP 26\r\na=control:0\r\n"
    payload_type = 26
    ticks_per_picture = 4500
    step_px = 8

    def __init__(self) -> None:
        self.size_px: tuple[int, int] = (320, 240)

    def payloads(self, index: int, *, garbage: bool) -> Iterator[bytes]:
        """A JPEG header (4:2:0, tables in band), in the first packet the tables, and a part of the scan."""
        jpeg = self._jpeg(index)
        if garbage:
            jpeg.scan = np.random.default_rng(index).integers(0, 255, len(jpeg.scan), np.uint8).tobytes()
        for start in range(0, len(jpeg.scan), _PACKET_BYTES):
            head = struct.pack(">IBBBB", start, 1, 255, jpeg.width_px // 8, jpeg.height_px // 8)
            tables = struct.pack(">BBH", 0, 0, len(jpeg.tables)) + jpeg.tables if start == 0 else b""
            yield head + tables + jpeg.scan[start : start + _PACKET_BYTES]

    def _jpeg(self, index: int) -> "_Jpeg":
        width, height = self.size_px
        picture = np.full((height, width, 3), 90, np.uint8)
        picture[:, index * self.step_px % width :][:, :16] = 200
        return _Jpeg(picture)


class _Jpeg:
    """A picture's parts as RFC 2435 sends them: its size, quantisation tables and scan."""

    def __init__(self, picture_bgr: NDArray[np.uint8]) -> None:
        code = cv2.imencode(".jpg", picture_bgr)[1].tobytes()
        self.height_px, self.width_px = picture_bgr.shape[:2]
        self.tables = b""
        at = 2
        while code[at + 1] != 0xDA:
            length = int.from_bytes(code[at + 2 : at + 4], "big")
            if code[at + 1] == 0xDB:
                tables = code[at + 4 : at + 2 + length]
                self.tables += b"".join(tables[start + 1 : start + 65] for start in range(0, len(tables), 65))
            at += 2 + length
        self.scan = code[at + 2 + int.from_bytes(code[at + 2 : at + 4], "big") : -2]
