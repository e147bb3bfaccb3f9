"""A network camera that speaks RTSP (RFC 2326), made to misbehave.

It sends JPEG over RTP (RFC 2435) inside the RTSP connection, as OpenCV's FFmpeg asks for it, to any number of viewers.
"""

import base64
import itertools
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Self, cast

import cv2
import numpy as np
from numpy.typing import NDArray

_FRAME_GAP_S = 0.05
_TICKS_PER_S = 90_000
_PACKET_BYTES = 1200
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 26\r\na=control:0\r\n"
)


class RtspCamera(socketserver.ThreadingTCPServer):
    """Serves from `with` to `with`; its faults are attributes that a test sets while somebody watches.

    `silent`: connected, but no more frames. `mute`: not even an answer. `garbage`: the pictures' bytes are noise.
    `granted` is the login that it lets in, all of them while it is empty; `cut` breaks off and ends every connection.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *, user: str = "", password: str = "", port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Viewer)
        self.port = int(self.server_address[1])
        self.size_px: tuple[int, int] = (320, 240)
        self.silent, self.mute, self.garbage = threading.Event(), threading.Event(), threading.Event()
        self.cut = threading.Event()
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
                self._answer(method, fields, granted=granted)
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

    def _answer(self, method: str, fields: dict[str, str], *, granted: bool) -> None:
        status, body = ("200 OK", "") if granted else ("401 Unauthorized", "")
        head = [f"CSeq: {fields['cseq']}"]
        if not granted:
            head.append('WWW-Authenticate: Basic realm="camera"')
        elif method == "OPTIONS":
            head.append("Public: DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif method == "DESCRIBE":
            body = _SDP
            head += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif method == "SETUP":
            head += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1"]
        else:
            head.append("Session: 1")
        self.wfile.write(("\r\n".join([f"RTSP/1.0 {status}", *head]) + "\r\n\r\n" + body).encode())

    def _play(self, camera: RtspCamera) -> None:
        numbers = itertools.count()
        for index in itertools.count():
            if camera.cut.wait(_FRAME_GAP_S):
                return
            if not camera.silent.is_set():
                for packet in _packets(
                    _scene(index, camera), numbers, at_ticks=int(index * _FRAME_GAP_S * _TICKS_PER_S)
                ):
                    self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)


def _scene(index: int, camera: RtspCamera) -> "_Jpeg":
    width, height = camera.size_px
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[:, index * 8 % width :][:, :16] = 200
    jpeg = _Jpeg(picture)
    if camera.garbage.is_set():
        jpeg.scan = np.random.default_rng(index).integers(0, 255, len(jpeg.scan), np.uint8).tobytes()
    return jpeg


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


def _packets(jpeg: _Jpeg, numbers: Iterator[int], *, at_ticks: int) -> Iterator[bytes]:
    """RTP header, JPEG header (4:2:0, tables in band), and in the first packet the tables."""
    for start in range(0, len(jpeg.scan), _PACKET_BYTES):
        part = jpeg.scan[start : start + _PACKET_BYTES]
        last = start + len(part) == len(jpeg.scan)
        rtp = struct.pack(">BBHII", 0x80, 26 | (0x80 if last else 0), next(numbers) & 0xFFFF, at_ticks & 0xFFFFFFFF, 7)
        head = struct.pack(">IBBBB", start, 1, 255, jpeg.width_px // 8, jpeg.height_px // 8)
        tables = struct.pack(">BBH", 0, 0, len(jpeg.tables)) + jpeg.tables if start == 0 else b""
        yield rtp + head + tables + part
