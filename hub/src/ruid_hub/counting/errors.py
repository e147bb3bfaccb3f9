"""What counting can refuse.

CountingError
├── UnknownPlace    no such site or camera, or the asker may not see it
├── BadPeriod       a period that ends before it begins, or with more buckets than anybody could read
│   └── TooManyVisits   more than fit the memory of a small machine
├── BadCounting     a setting that makes no sense
└── StillReading    the hub has just started: ask again in a moment
"""


class CountingError(Exception):
    """Its text says what to ask for instead."""


class UnknownPlace(CountingError):
    """Somebody who may not see a place learns no more than that there is none."""


class BadPeriod(CountingError):
    """Choose a period or another bucket."""


class TooManyVisits(BadPeriod):
    """Nothing is told rather than a part."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"there are more than {most:,} visits in that time: ask for a shorter period, a camera or a zone"
        )


class BadCounting(CountingError):
    """A setting is out of its range."""


class StillReading(CountingError):
    """What was asked is worked out meanwhile."""

    def __init__(self) -> None:
        super().__init__("the hub has just started and is still reading what it counted: ask again in a minute")
