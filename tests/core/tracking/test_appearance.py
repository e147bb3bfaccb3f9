"""Who was hidden for a moment is known again by his or her looks, and whose track another one has taken shows."""

import numpy as np
from numpy.typing import NDArray

from ruid_core.tracking.appearance import Appearances, Exchange
from ruid_core.tracking.tracklets import Sample


def looks(*values: float) -> NDArray[np.float32]:
    """A unit embedding."""
    row = np.array(values, np.float32)
    return (row / np.linalg.norm(row)).astype(np.float32)


RED, BLUE, REDDISH = looks(1, 0, 0), looks(0, 1, 0), looks(1, 0.3, 0)
HIDDEN = looks(0, 0, 1)


def crop(look: NDArray[np.float32], at_s: float = 0.0, *, quality: float = 1.0) -> Sample:
    return Sample(at_s, at_s, look, quality)


def followed(*track_looks: NDArray[np.float32]) -> Appearances:
    """Track 1 has shown these looks, half a second apart from 0 s on."""
    appearances = Appearances()
    for number, look in enumerate(track_looks):
        sample = crop(look, number / 2)
        assert appearances.judge(1, sample) == (sample,)
    return appearances


def two_followed() -> Appearances:
    appearances = followed(RED, RED)
    appearances.judge(2, crop(BLUE))
    return appearances


def test_the_most_alike_is_recognised() -> None:
    assert two_followed().recognise(REDDISH, among=[1, 2]) == 1
    assert two_followed().recognise(looks(0.3, 1, 0), among=[1, 2]) == 2


def test_somebody_unlike_all_is_new() -> None:
    assert two_followed().recognise(-RED, among=[1, 2]) is None
    assert Appearances().recognise(RED, among=[1]) is None


def test_somebody_more_like_one_who_is_in_view_is_new() -> None:
    assert two_followed().recognise(REDDISH, among=[2]) is None


def test_looks_follow_what_is_seen_and_end_with_the_track() -> None:
    appearances = two_followed()
    for step in range(1, 10):
        appearances.judge(1, crop(looks(10 - step, step, 0), float(step)))
    appearances.forget([2, 3])
    assert appearances.recognise(BLUE, among=[1, 2]) == 1
    assert appearances.recognise(RED, among=[1, 2]) is None


def test_a_crop_unlike_those_before_is_held_back_and_left_out_when_the_person_shows_again() -> None:
    appearances = followed(RED, RED, RED)
    assert appearances.judge(1, crop(HIDDEN, 1.5)) == ()
    assert appearances.doubtful(at_s=1.5) == {1}
    assert appearances.judge(1, crop(REDDISH, 2.0)) != ()
    assert appearances.doubtful(at_s=2.0) == frozenset()
    assert appearances.judge(1, crop(HIDDEN, 2.5)) == ()  # the one before says nothing any more


def test_two_crops_that_agree_are_somebody_else_whatever_was_between_them() -> None:
    appearances = followed(RED, RED)
    samples = [crop(BLUE, 1.0), crop(HIDDEN, 1.5), crop(looks(0.3, 1, 0), 2.0)]
    assert [appearances.judge(1, sample) for sample in samples[:2]] == [(), ()]

    exchange = appearances.judge(1, samples[2])

    assert isinstance(exchange, Exchange)
    assert (exchange.own_until_s, exchange.since_s, exchange.samples) == (0.5, 1.0, (samples[0], samples[2]))
    assert exchange.look @ BLUE > 0.95
    assert appearances.recognise(RED, among=[1]) is None
    appearances.begin(2, exchange.samples)
    assert appearances.recognise(BLUE, among=[1, 2]) == 2
    assert appearances.judge(2, crop(RED, 2.5)) == ()


def test_a_person_half_hidden_who_resembles_himself_is_no_other() -> None:
    """The two crops agree, but hardly more than each does with those before."""
    left, right = looks(0.69, 0.62, 0.373), looks(0.69, 0.62, -0.373)
    assert left @ RED < 0.7 <= left @ right < 0.15 + left @ RED
    appearances = followed(RED, RED)
    assert appearances.judge(1, crop(left, 1.0)) == ()
    assert appearances.judge(1, crop(right, 1.5)) == ()


def test_before_a_look_is_settled_two_that_agree_replace_it() -> None:
    appearances = followed(HIDDEN, BLUE, RED, RED)
    assert appearances.recognise(RED, among=[1]) == 1
    assert appearances.recognise(HIDDEN, among=[1]) is None


def test_a_poor_crop_says_nothing_about_whom_it_shows() -> None:
    appearances = followed(RED, RED)
    poor = crop(BLUE, 1.0, quality=0.2)
    assert appearances.judge(1, poor) == (poor,)
    assert appearances.doubtful(at_s=1.0) == frozenset()
    appearances.judge(1, crop(BLUE, 1.5))
    assert appearances.judge(1, poor) == ()


def test_doubt_ends_after_a_while_and_keeps_few_crops() -> None:
    appearances, odd = Appearances(), np.eye(9, dtype=np.float32)
    for at_s in (0.0, 0.5):
        appearances.judge(1, crop(odd[0], at_s))
    assert [appearances.judge(1, crop(odd[number], number / 2)) for number in range(2, 8)] == [()] * 6
    assert appearances.doubtful(at_s=3.5) == {1}
    assert appearances.doubtful(at_s=4.6) == frozenset()
    assert appearances.judge(1, crop(odd[2], 4.0)) == ()  # the one that it agrees with is too long ago
    assert isinstance(appearances.judge(1, crop(odd[7], 4.5)), Exchange)
