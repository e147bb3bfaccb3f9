"""Slows guessing of passwords down without keeping the owner out.

Failures are counted by network address and by name. A browser in which somebody has signed in before brings a
cookie that says so: for that name it has a count of its own, so that an attacker who knocks with the owner's name all
day long delays strangers only. (The scheme is OWASP's "device cookies".)
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from ruid_hub.access.errors import TooManyAttempts

REMEMBERED = 4096
FORGET_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Patience:
    """So many attempts are free, then each wait is twice the one before, up to a longest."""

    free: int
    first_wait_s: float
    longest_wait_s: float

    def wait_s(self, failures: int) -> float:
        """How long after the last failure the next attempt may come."""
        beyond = failures - self.free
        return 0.0 if beyond < 0 else min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(beyond, 30))


WITH_ADDRESS = Patience(free=5, first_wait_s=2.0, longest_wait_s=300.0)
WITH_NAME = Patience(free=20, first_wait_s=1.0, longest_wait_s=30.0)
WITH_BROWSER = Patience(free=10, first_wait_s=1.0, longest_wait_s=60.0)


@dataclass(slots=True)
class _Failures:
    times: int
    last_s: float


class LoginThrottle:
    """One per hub; the time is an argument. An attempt counts as a failure until `succeeded`."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Hashable, _Failures] = OrderedDict()

    def attempt(self, name: str, *, address: str, known_browser: str | None, at_s: float) -> None:
        """Count an attempt; raises TooManyAttempts where it comes too soon."""
        counts = _counts(name, address, known_browser)
        wait_s = max(self._wait_s(key, patience, at_s) for key, patience in counts)
        if wait_s > 0:
            raise TooManyAttempts(wait_s)
        for key, _ in counts:
            self._count(key, at_s)

    def succeeded(self, name: str, *, address: str, known_browser: str | None) -> None:
        """The password was right: forget the failures that led here."""
        for key, _ in _counts(name, address, known_browser):
            self._failures.pop(key, None)

    def _wait_s(self, key: Hashable, patience: Patience, at_s: float) -> float:
        held = self._failures.get(key)
        if held is None or at_s - held.last_s > FORGET_AFTER_S:
            return 0.0
        return held.last_s + patience.wait_s(held.times) - at_s

    def _count(self, key: Hashable, at_s: float) -> None:
        held = self._failures.pop(key, None)
        fresh = held is None or at_s - held.last_s > FORGET_AFTER_S
        self._failures[key] = _Failures(1 if fresh or held is None else held.times + 1, at_s)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)


def _counts(name: str, address: str, known_browser: str | None) -> tuple[tuple[Hashable, Patience], ...]:
    if known_browser is not None:
        return ((("browser", name, known_browser), WITH_BROWSER),)
    return ((("address", address), WITH_ADDRESS), (("name", name), WITH_NAME))
