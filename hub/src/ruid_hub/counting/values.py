"""What is asked of counting, and what it answers. Times are seconds since the Unix epoch."""

from dataclasses import dataclass
from enum import StrEnum


class Bucket(StrEnum):
    """How a period is cut, by the site's calendar: a day has 23 or 25 hours where clocks change."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """From (included) to (not included). What lies in the future is not waited for: it counts as not asked."""

    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where to count; nothing named means everywhere.

    `camera` is `node_id/camera_id`, a `zone_id` needs its camera. `allowed` are the cameras that the asker may see;
    None for all.
    """

    site_id: str | None = None
    camera: str | None = None
    zone_id: str | None = None
    allowed: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class CountOptions:
    """How to count.

    Who comes back within `re_entry_s` is still on the same visit (infinite: one visit for each person and period).
    `leave_out` are labels: whoever is called so, or so and something more ("Staff" leaves out "Staff Anna"), is
    not counted. None takes what the hub's settings say.
    """

    re_entry_s: float | None = None
    leave_out: tuple[str, ...] | None = None


# --- answers -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, its 95 % interval from the identity scores, and the share (0..1) of the time that cameras saw."""

    value: float
    low: float
    high: float
    coverage: float


@dataclass(frozen=True, slots=True)
class LostTime:
    """How long a camera did not see, and why."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CameraCoverage:
    """Which share of a period a camera saw, and what kept it from the rest; the longest first."""

    camera: str
    name: str
    share: float
    lost: tuple[LostTime, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The same for all the cameras of a place; `items_lost` is what nodes had to give up before it was delivered."""

    share: float
    cameras: tuple[CameraCoverage, ...]
    items_lost: int


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket; `label` is its local beginning as ISO 8601 with the offset."""

    from_s: float
    to_s: float
    label: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class Series:
    """A number for the whole period and for each bucket. Unique visitors do not add up: who comes twice is one."""

    total: Figure
    points: tuple[Point, ...]
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class DwellBin:
    """Visits that lasted from (included) to (not included, maybe infinite) so many seconds."""

    from_s: float
    to_s: float
    visits: int


@dataclass(frozen=True, slots=True)
class DwellReport:
    """How long visits lasted that began in the period."""

    visits: int
    median_s: Figure
    mean_s: float
    p90_s: float
    bins: tuple[DwellBin, ...]
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class FlowPoint:
    """Who went in and out over a line in one bucket."""

    from_s: float
    to_s: float
    label: str
    entered: int
    left: int
    coverage: float


@dataclass(frozen=True, slots=True)
class LineFlow:
    """One line: who went in and out over it."""

    camera: str
    camera_name: str
    line_id: str
    line_name: str
    entered: int
    left: int
    points: tuple[FlowPoint, ...]
    coverage: float


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How many are inside by the lines' count, since the last reset or adjustment.

    `since` is what it starts from: reset, adjusted or (never either) counted; `entered` and `left` are since then.
    """

    people: int
    since: str
    since_s: float
    entered: int
    left: int
    highest: int
    coverage: float


@dataclass(frozen=True, slots=True)
class PeopleNow:
    """Who is in view: one person in two views is one. `cameras_up` of `cameras` can see now."""

    people: int
    cameras_up: int
    cameras: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two periods; `change` is the later's total over the earlier's less one, None where the earlier is zero.

    `certain` where the two intervals do not touch and both periods were seen about equally well.
    """

    now: Series
    before: Series
    change: float | None
    certain: bool


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One hour of one weekday (0 is Monday): it came so many `times`; the mean is that of those that were seen."""

    weekday: int
    hour: int
    mean: float
    times: int
    coverage: float


@dataclass(frozen=True, slots=True)
class Heat:
    """168 cells, Monday 0:00 first."""

    cells: tuple[HeatCell, ...]
    coverage: Coverage


# --- rows for exports ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VisitRow:
    """One visit; `identity_id` is empty for somebody who was erased or could not be told.

    `site_name` and `camera` are where it began; the zone is the one that was asked for, empty where none was.
    """

    identity_id: str
    label: str
    site_name: str
    camera: str
    camera_name: str
    zone_id: str
    zone_name: str
    from_s: float
    to_s: float
    dwell_s: float


@dataclass(frozen=True, slots=True)
class CrossingEntry:
    """One crossing of a line."""

    at_s: float
    site_name: str
    camera: str
    camera_name: str
    line_id: str
    line_name: str
    direction: int
    identity_id: str
    label: str


@dataclass(frozen=True, slots=True)
class Site:
    """A place with cameras of its own; `time_zone` is an IANA name, empty for the hub's."""

    site_id: str
    name: str
    time_zone: str
    cameras: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CountingSettings:
    """How the hub counts unless asked otherwise.

    `reset_at` is the local time of day ("04:00") at which occupancy starts anew, empty for never.
    """

    re_entry_s: float = 300.0
    leave_out: tuple[str, ...] = ("Staff",)
    reset_at: str = "04:00"
    time_zone: str = ""
