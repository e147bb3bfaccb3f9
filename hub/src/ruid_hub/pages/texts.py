"""How the pages write times, durations, shares and names."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from ruid_hub.live.picture import element_id
from ruid_hub.site import default_label

WORDS = {
    "under_voltage": "its power supply is too weak",
    "frequency_capped": "it is kept from its full speed",
    "throttled": "its processor is throttled",
    "soft_temperature_limit": "it is nearly too hot",
    "embeddings_halved": "describes people less often",
    "detector_input_smaller": "looks at a smaller picture",
    "inference_busy": "while it was busy",
    "image_unreadable": "with a picture that could not be read",
    "frame_unusable": "that could not be used",
}
"""What nodes call their steps, what slows them down, and the reasons of skipped frames."""
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("SamsungBrowser/", "Samsung"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
"""What a browser says of itself and what people call it; the first that fits: all but Firefox say Safari too."""
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)
_RATE = re.compile(r"detector_(\d+)_per_s")


def span(duration_s: float) -> str:
    """A duration for people: `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`."""
    seconds = max(0, round(duration_s))
    for unit, step, lower, lower_step in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= step:
            rest = seconds % step // lower_step
            return f"{seconds // step} {unit}" + (f" {rest} {lower}" if rest else "")
    return f"{seconds} s"


def lasting(duration_s: float) -> str:
    """How long something is kept, in words: `24 hours`, `90 days`; `36 min` where it is not a whole number of hours."""
    for unit, length_s, least in (("day", 86_400, 2), ("hour", 3600, 1)):
        count, rest_s = divmod(round(duration_s), length_s)
        if count >= least and not rest_s:
            return plural(count, unit, f"{unit}s")
    return span(duration_s)


def quickly(duration_ms: float) -> str:
    """A short time: `80 ms`, `1.4 s`, `2 min 49 s`."""
    if duration_ms < 1000:
        return f"{round(duration_ms)} ms"
    return f"{duration_ms / 1000:.1f} s" if duration_ms < 10_000 else span(duration_ms / 1000)


def plain(word: str) -> str:
    """What a node calls something, in plain words; what has none yet is spelt out."""
    return WORDS.get(word) or word.replace("_", " ")


def effort(steps: Sequence[str]) -> str:
    """What a node gave up to keep pace; of the rates the last one holds."""
    rates = [found[1] for step in steps if (found := _RATE.fullmatch(step))]
    said = [plain(step) for step in steps if not _RATE.fullmatch(step)]
    if rates:
        said.insert(0, f"looks at most {rates[-1]} times a second")
    return " and ".join(filter(None, (", ".join(said[:-1]), *said[-1:])))


def percent(share: float) -> str:
    """A share of one: `97 %`; only the whole is `100 %`, only nothing is `0 %`."""
    whole = round(share * 100)
    if whole in {0, 100} and share not in {0, 1}:
        return "under 1 %" if whole == 0 else "over 99 %"
    return f"{whole} %"


def browser(user_agent: str) -> str:
    """What somebody signed in with, as they would say it: `Chrome on Android`; what is not known, as it says itself."""
    name = next((name for mark, name in BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    return f"{name} on {system}" if name and system else user_agent[:60] or "Unknown browser"


def plural(count: int, one: str, several: str) -> str:
    """`1 person`, `2 people`."""
    return f"{count:,} {one if count == 1 else several}"


def label_of(identity_id: str, label: str | None) -> str:
    """What a person is called: the operator's name, or a short one made of the identity."""
    return label or default_label(identity_id)


def anchor(key: str, kind: str) -> str:
    """An element id for a key; a filter gets what it filters first."""
    return element_id(kind, key)


@dataclass(frozen=True, slots=True)
class SiteTime:
    """Times as the site's clock on the wall shows them."""

    time_zone: tzinfo
    now_s: Callable[[], float]

    def moment(self, at_s: float) -> datetime:
        """A time in the site's zone."""
        return datetime.fromtimestamp(at_s, self.time_zone)

    def read(self, text: str) -> float | None:
        """A time as a browser's field for date and time writes it, `2026-11-22T14:30`; None where it is none."""
        try:
            return datetime.fromisoformat(text).replace(tzinfo=self.time_zone).timestamp()
        except (ValueError, OverflowError):
            return None

    def clock(self, at_s: float) -> str:
        """Time of day, with the date where that is not today."""
        moment = self.moment(at_s)
        if moment.date() == self.moment(self.now_s()).date():
            return f"{moment:%H:%M:%S}"
        return f"{moment.day} {moment:%b %H:%M}"

    def day(self, at_s: float) -> str:
        """`Sunday 22 November 2026`."""
        moment = self.moment(at_s)
        return f"{moment:%A} {moment.day} {moment:%B %Y}"

    def date(self, at_s: float) -> str:
        """`2026-11-22`, as date fields want it."""
        return f"{self.moment(at_s):%Y-%m-%d}"

    def ago(self, at_s: float) -> str:
        """`just now`, `3 min 20 s ago`."""
        age_s = self.now_s() - at_s
        return "just now" if age_s < 2 else f"{span(age_s)} ago"

    def bucket(self, from_s: float, size: str) -> str:
        """The beginning of an hour, day or week as an axis shows it: `14:00`, `Sun 22 Nov`."""
        moment = self.moment(from_s)
        return f"{moment:%H:%M}" if size == "hour" else f"{moment:%a} {moment.day} {moment:%b}"

    def filters(self) -> dict[str, Callable[..., str]]:
        """By the names that templates use."""
        return {
            "clock": self.clock,
            "day": self.day,
            "date": self.date,
            "ago": self.ago,
            "bucket": self.bucket,
            "span": span,
            "lasting": lasting,
            "quickly": quickly,
            "plain": plain,
            "effort": effort,
            "percent": percent,
            "browser": browser,
            "element_id": anchor,
        }
