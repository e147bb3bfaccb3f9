"""Frames from wherever they come, behind one small protocol.

`frames` says what a source is, `recordings` plays files and folders, `cameras` reads V4L2 and RTSP, `pi_camera`
picamera2 (the only place that knows it), `sources` picks one by its text, `exchange` hands frames over, and
`loop` is the thread that keeps a source alive.
"""

from ruid_edge.capture.exchange import FrameExchange
from ruid_edge.capture.frames import Frame, FrameSource, SourceLost
from ruid_edge.capture.loop import CaptureLoop
from ruid_edge.capture.sources import make_source

__all__ = ["CaptureLoop", "Frame", "FrameExchange", "FrameSource", "SourceLost", "make_source"]
