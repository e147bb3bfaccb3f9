"""Frames become tracklets.

`camera` is one camera's chain (detect, track, choose, embed, record), `loop` the thread that drives all cameras
of the node, `thumbnails` the pictures that policy allows.
"""

from ruid_edge.pipeline.camera import CameraPipeline, FrameOutcome, Models
from ruid_edge.pipeline.loop import InferenceLoop
from ruid_edge.pipeline.thumbnails import ThumbnailPolicy, encode_thumbnail

__all__ = ["CameraPipeline", "FrameOutcome", "InferenceLoop", "Models", "ThumbnailPolicy", "encode_thumbnail"]
