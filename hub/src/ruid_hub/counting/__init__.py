"""Numbers that can be trusted: each says how sure it is, and how much of the time the cameras saw at all.

`Counting` answers from the hours' accounts (`appearances`), crossings and stays in the store, through the readers'
connections: a report never holds up a commit. An hour that was read once stays in memory as columns until something
in it changes (a late delivery, a correction, an erasure), so that the next question costs no query.

Every method but `people_now` may take tens of milliseconds and more: `ask` it from the event loop, or call it in a
worker thread.
"""

from ruid_hub.counting.counting import Counting
from ruid_hub.counting.errors import BadCounting, BadPeriod, CountingError, StillReading, TooManyVisits, UnknownPlace
from ruid_hub.counting.reading_ahead import keep_read_ahead, read_ahead
from ruid_hub.counting.values import (
    Bucket,
    CameraCoverage,
    Comparison,
    CountingSettings,
    CountOptions,
    Coverage,
    CrossingEntry,
    DwellBin,
    DwellReport,
    Figure,
    FlowPoint,
    Heat,
    HeatCell,
    LineFlow,
    LostTime,
    Occupancy,
    PeopleNow,
    Period,
    Place,
    Point,
    Series,
    Site,
    VisitRow,
)

__all__ = [
    "BadCounting",
    "BadPeriod",
    "Bucket",
    "CameraCoverage",
    "Comparison",
    "CountOptions",
    "Counting",
    "CountingError",
    "CountingSettings",
    "Coverage",
    "CrossingEntry",
    "DwellBin",
    "DwellReport",
    "Figure",
    "FlowPoint",
    "Heat",
    "HeatCell",
    "LineFlow",
    "LostTime",
    "Occupancy",
    "PeopleNow",
    "Period",
    "Place",
    "Point",
    "Series",
    "Site",
    "StillReading",
    "TooManyVisits",
    "UnknownPlace",
    "VisitRow",
    "keep_read_ahead",
    "read_ahead",
]
