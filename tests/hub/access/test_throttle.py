"""Guessing gets slow, and the owner gets in."""

import pytest

from ruid_hub.access import TooManyAttempts
from ruid_hub.access.throttle import FORGET_AFTER_S, REMEMBERED, WITH_ADDRESS, LoginThrottle


def guesses(throttle: LoginThrottle, *, seconds: int, address: str = "10.0.0.9", known: str | None = None) -> int:
    """How many attempts of one a second get through."""
    through = 0
    for second in range(seconds):
        try:
            throttle.attempt("owner", address=address, known_browser=known, at_s=float(second))
            through += 1
        except TooManyAttempts:
            pass
    return through


def test_guessing_from_one_address_soon_takes_minutes_a_try():
    assert guesses(LoginThrottle(), seconds=3600) < WITH_ADDRESS.free + 20


def test_guessing_from_many_addresses_is_slow_as_well():
    throttle = LoginThrottle()
    through = sum(guesses(throttle, seconds=1, address=f"10.0.{number // 250}.{number % 250}") for number in range(500))
    assert through < 30


def test_the_owner_gets_in_from_their_own_browser_while_others_guess():
    throttle = LoginThrottle()
    guesses(throttle, seconds=1000)
    throttle.attempt("owner", address="10.0.0.9", known_browser="a cookie", at_s=1000.0)


def test_a_right_password_clears_the_failures():
    throttle = LoginThrottle()
    guesses(throttle, seconds=5)
    throttle.succeeded("owner", address="10.0.0.9", known_browser=None)
    assert guesses(throttle, seconds=5) == 5


def test_it_says_when_to_come_back():
    throttle = LoginThrottle()
    for _ in range(WITH_ADDRESS.free):
        throttle.attempt("owner", address="a", known_browser=None, at_s=0.0)
    with pytest.raises(TooManyAttempts) as refused:
        throttle.attempt("owner", address="a", known_browser=None, at_s=0.0)
    throttle.attempt("owner", address="a", known_browser=None, at_s=refused.value.retry_after_s)


def test_failures_are_forgotten_and_never_fill_the_memory():
    throttle = LoginThrottle()
    guesses(throttle, seconds=100)
    throttle.attempt("owner", address="10.0.0.9", known_browser=None, at_s=100 + FORGET_AFTER_S + 1)
    for number in range(2 * REMEMBERED):
        throttle.attempt(f"name {number}", address=f"address {number}", known_browser=None, at_s=0.0)
    assert len(throttle._failures) <= REMEMBERED  # pyright: ignore[reportPrivateUsage]
