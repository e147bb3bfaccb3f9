"""Frames become tracklets.

`camera` is one camera's chain (mask, gate, detect, track, choose, embed, record), `loop` the thread that drives all
cameras of the node. `rules` is what holds at a camera, `places` its zones and lines, `pictures` its masks and stills,
`thumbnails` the crops that policy allows, `gate` spares the detector an unchanged picture, and `adaptation` says what
is given up under strain.
"""

from ruid_edge.pipeline.adaptation import Effort
from ruid_edge.pipeline.camera import CameraPipeline, FrameOutcome, LastParts, Models
from ruid_edge.pipeline.loop import InferenceLoop
from ruid_edge.pipeline.rules import CameraRules
from ruid_edge.pipeline.thumbnails import ThumbnailPolicy, encode_thumbnail

__all__ = [
    "CameraPipeline",
    "CameraRules",
    "Effort",
    "FrameOutcome",
    "InferenceLoop",
    "LastParts",
    "Models",
    "ThumbnailPolicy",
    "encode_thumbnail",
]
