"""What counting can refuse.

CountingError
├── UnknownPlace    no such site or camera, or the asker may not see it
├── BadPeriod       a period that ends before it begins, or with more buckets than anybody could read
└── BadCounting     a setting that makes no sense
"""


class CountingError(Exception):
    """Its text says what to ask for instead."""


class UnknownPlace(CountingError):
    """Somebody who may not see a place learns no more than that there is none."""


class BadPeriod(CountingError):
    """Choose a period or another bucket."""


class BadCounting(CountingError):
    """A setting is out of its range."""
