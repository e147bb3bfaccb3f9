"""A detector's raw outputs become people in a picture: fit, decode, suppress, judge.

Pictures themselves stay outside: this package knows sizes, boxes and arrays of numbers. `Letterbox` says where a
picture lies inside a network's input, `recognise` names the family of an output, `decode` turns it into
`Detections` in input pixels, `crop_quality` says how far a crop can be trusted.
"""

from ruid_core.vision.decoding import DecodeSettings, decode
from ruid_core.vision.detections import Detections
from ruid_core.vision.errors import UnknownOutputsError, VisionError
from ruid_core.vision.family import Family, recognise
from ruid_core.vision.grid import Size
from ruid_core.vision.letterbox import Letterbox, fit, input_size_for
from ruid_core.vision.nms import suppress
from ruid_core.vision.quality import crop_quality

__all__ = [
    "DecodeSettings",
    "Detections",
    "Family",
    "Letterbox",
    "Size",
    "UnknownOutputsError",
    "VisionError",
    "crop_quality",
    "decode",
    "fit",
    "input_size_for",
    "recognise",
    "suppress",
]
